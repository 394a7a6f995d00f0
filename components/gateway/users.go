package gateway

import (
	"fmt"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// users creates the password hashes the gateway reads, and keeps the generated
// passwords in a Secret of their own that the gateway does not mount.
func (b *builder) users() ([]pulumi.Resource, pulumi.StringOutput, error) {
	var lines []pulumi.StringInput
	generated := pulumi.StringMap{}
	for _, user := range slices.Sorted(slices.Values(b.args.Users)) {
		if hash, given := b.args.PasswordHashes[user]; given {
			lines = append(lines, pulumi.ToSecret(pulumi.String(user+" "+hash)).(pulumi.StringOutput))
			continue
		}
		password, err := random.NewRandomPassword(b.ctx, b.name+"-password-"+user, &random.RandomPasswordArgs{
			// 32 letters and digits are 190 bits: no guessing, no quoting.
			Length: pulumi.Int(32), Special: pulumi.Bool(false),
		}, b.child()...)
		if err != nil {
			return nil, pulumi.StringOutput{}, fmt.Errorf("creating the password of %s: %w", user, err)
		}
		lines = append(lines, pulumi.Sprintf("%s %s", user, password.BcryptHash))
		generated[user] = password.Result
	}
	b.gateway.Passwords = pulumi.ToSecret(generated.ToStringMapOutput()).(pulumi.StringMapOutput)
	file := join(lines)
	hashes, err := corev1.NewSecret(b.ctx, b.name+"-users", &corev1.SecretArgs{
		Metadata:   b.metadata(usersSecret),
		StringData: pulumi.StringMap{"users": file},
	}, b.child(pulumi.DependsOn(b.args.After))...)
	if err != nil {
		return nil, pulumi.StringOutput{}, fmt.Errorf("creating the users Secret: %w", err)
	}
	passwords, err := corev1.NewSecret(b.ctx, b.name+"-passwords", &corev1.SecretArgs{
		Metadata:   b.metadata(passwordsSecret),
		StringData: generated,
	}, b.child(pulumi.DependsOn(b.args.After))...)
	if err != nil {
		return nil, pulumi.StringOutput{}, fmt.Errorf("creating the passwords Secret: %w", err)
	}
	return []pulumi.Resource{hashes, passwords}, checksum(file), nil
}

func join(lines []pulumi.StringInput) pulumi.StringOutput {
	all := make([]any, len(lines))
	for i, l := range lines {
		all[i] = l
	}
	return pulumi.All(all...).ApplyT(func(vs []any) string {
		texts := make([]string, len(vs))
		for i, v := range vs {
			texts[i], _ = v.(string)
		}
		return strings.Join(texts, "\n") + "\n"
	}).(pulumi.StringOutput)
}

// Login is what a pod needs to use MLflow through the gateway.
type Login struct {
	// Env are the MLflow client's variables, the password by reference.
	Env corev1.EnvVarArray
	// Volumes and Mounts hold the authority's certificate.
	Volumes corev1.VolumeArray
	Mounts  corev1.VolumeMountArray
}

const caPath = "/etc/gateway-ca"

// LoginAs is the login of a user with a generated password.
func (g *Gateway) LoginAs(user string) Login {
	return Login{
		Env: corev1.EnvVarArray{
			pod.Env("MLFLOW_TRACKING_URI", g.InternalURL), pod.Env("MLFLOW_TRACKING_USERNAME", user),
			pod.SecretEnv("MLFLOW_TRACKING_PASSWORD", pulumi.String(passwordsSecret), user),
			pod.Env("MLFLOW_TRACKING_SERVER_CERT_PATH", caPath+"/"+CAKey),
		},
		Volumes: corev1.VolumeArray{pod.SecretVolume("gateway-ca", pulumi.String(tlsSecret), CAKey)},
		Mounts:  corev1.VolumeMountArray{pod.Mount("gateway-ca", caPath, true)},
	}
}

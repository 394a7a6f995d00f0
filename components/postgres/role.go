package postgres

import (
	_ "embed"
	"fmt"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

const roleToken = "mlflow:postgres:Role"

const setupSecret = "database-setup"

// RoleArgs are the inputs of a role.
type RoleArgs struct {
	pod.Scope
	// Host and Port of the server, and the Database that Owner shall own.
	Host            pulumi.StringInput
	Port            int
	Database, Owner string
	// Admin and AdminPassword log in to make the role.
	Admin         string
	AdminPassword pulumi.StringInput
	// CASecret and CAKey name the Secret key with the server's authority, and TLS how
	// connections verify it: libpq's sslmode.
	CASecret, CAKey, TLS string
	// PasswordVersion, from 1, says which login the server uses: the odd ones are
	// Owner itself, the even ones another login that acts as Owner. The previous one
	// stays as it is, so nothing that uses it fails while the pods change over
	// (docs.aws.amazon.com/secretsmanager/latest/userguide/rotation-strategy.html,
	// "alternating users").
	PasswordVersion int
	// Protect guards the password.
	Protect bool
}

// Role owns one database of a managed server and nothing else: the server's
// administrator stays out of the workload.
type Role struct {
	pulumi.ResourceState
	// User and Password log in, the password is a secret.
	User     string
	Password pulumi.StringOutput
	// Ready must exist before anything connects.
	Ready []pulumi.Resource
}

// makeRole is idempotent: it makes the logins or sets their passwords, and hands
// the owner the database.
//
//go:embed role.sh
var makeRole string

// NewRole makes the role by a Job in the cluster: the database is reachable
// from there only.
func NewRole(ctx *pulumi.Context, name string, args RoleArgs, opts ...pulumi.ResourceOption) (*Role, error) {
	image, err := args.Images.Ref(images.PostgreSQL)
	if err != nil {
		return nil, err
	}
	r := &Role{User: args.login(args.PasswordVersion)}
	if err := ctx.RegisterComponentResource(roleToken, name, r, opts...); err != nil {
		return nil, err
	}
	passwords, err := NewPasswords(ctx, name+"-password", PasswordArgs{Version: args.PasswordVersion, Protect: args.Protect}, r)
	if err != nil {
		return nil, err
	}
	salt, err := random.NewRandomId(ctx, name+"-salt", &random.RandomIdArgs{ByteLength: pulumi.Int(16)}, component.Options(r)...)
	if err != nil {
		return nil, fmt.Errorf("creating the password's salt: %w", err)
	}
	r.Password = passwords[0]
	data, values := pulumi.StringMap{"adminPassword": args.AdminPassword}, []pulumi.StringInput{args.AdminPassword, args.Host}
	for older, password := range passwords {
		verifier := pulumi.ToSecret(pulumi.All(password, salt.Hex).ApplyT(func(all []any) (string, error) {
			return scramVerifier(all[0].(string), all[1].(string))
		})).(pulumi.StringOutput)
		data[verifierKey(args.login(args.PasswordVersion-older))] = verifier
		values = append(values, verifier)
	}
	secret, err := corev1.NewSecret(ctx, name+"-secret", &corev1.SecretArgs{
		Metadata:   &metav1.ObjectMetaArgs{Name: pulumi.String(setupSecret), Namespace: args.Namespace, Labels: pod.Labels(nil, "")},
		StringData: data,
	}, component.Options(r, pulumi.DependsOn(args.After))...)
	if err != nil {
		return nil, fmt.Errorf("creating the Secret of the role: %w", err)
	}
	labels := pod.Labels(netpol.DatabaseSetup.Labels(), "")
	job, err := batchv1.NewJob(ctx, name+"-setup", &batchv1.JobArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name:      pulumi.Sprintf("%s-%s", netpol.DatabaseSetup.Name, pod.ChecksumOutput(values...)),
			Namespace: args.Namespace, Labels: labels,
		},
		Spec: pod.Job{
			Labels: labels, PullSecrets: args.PullSecrets, BackoffLimit: 6, Deadline: 900,
			Containers: corev1.ContainerArray{args.container(image)},
			Volumes:    corev1.VolumeArray{pod.SecretVolume("database-ca", pulumi.String(args.CASecret), args.CAKey), pod.EmptyDir("tmp", "16Mi")},
		}.Spec(),
	}, component.Options(r, pulumi.DeleteBeforeReplace(true), pulumi.DependsOn(append(pod.Join(args.After), secret)))...)
	if err != nil {
		return nil, fmt.Errorf("creating the Job of the role: %w", err)
	}
	r.Ready = []pulumi.Resource{job}
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{})
}

// login that has the password of a version.
func (a RoleArgs) login(version int) string {
	if version%2 == 0 {
		return a.Owner + "_alternate"
	}
	return a.Owner
}

func verifierKey(login string) string { return "verifier." + login }

func (a RoleArgs) container(image string) *corev1.ContainerArgs {
	const ca = "/etc/database"
	secret := pulumi.String(setupSecret)
	env := corev1.EnvVarArray{
		&corev1.EnvVarArgs{Name: pulumi.String("PGHOST"), Value: a.Host.ToStringOutput()},
		pod.Env("PGPORT", fmt.Sprint(a.Port)), pod.Env("PGUSER", a.Admin), pod.Env("PGDATABASE", a.Database),
		pod.SecretEnv("PGPASSWORD", secret, "adminPassword"),
		pod.Env("PGSSLMODE", a.TLS), pod.Env("PGSSLROOTCERT", ca+"/"+a.CAKey), pod.Env("PGCONNECT_TIMEOUT", "10"),
		pod.Env("OWNER_NAME", a.Owner), pod.SecretEnv("OWNER_VERIFIER", secret, verifierKey(a.Owner)), pod.Env("HOME", "/tmp"),
	}
	if a.PasswordVersion > 1 {
		alternate := a.login(2)
		env = append(env, pod.Env("ALTERNATE_NAME", alternate), pod.SecretEnv("ALTERNATE_VERIFIER", secret, verifierKey(alternate)))
	}
	return &corev1.ContainerArgs{
		Name: pulumi.String("setup"), Image: pulumi.String(image), ImagePullPolicy: pulumi.String("IfNotPresent"),
		Command:         pulumi.ToStringArray([]string{"sh", "-c", makeRole}),
		Env:             env,
		SecurityContext: pod.ContainerSecurity(),
		Resources:       pod.Resources("50m", "64Mi", "256Mi"),
		VolumeMounts:    corev1.VolumeMountArray{pod.Mount("database-ca", ca, true), pod.Mount("tmp", "/tmp", false)},
	}
}

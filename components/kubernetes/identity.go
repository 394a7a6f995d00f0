package kubernetes

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

const (
	credentialsSecret = "object-store-credentials"
	adminSecret       = "object-store-admin-credentials"
	caPath            = "/etc/object-store"
	caKey             = "ca.crt"
)

// Identity is the S3 credentials in a Secret: a cluster without a cloud has no
// identity that an S3 endpoint accepts.
func (p *Platform) Identity(ctx *pulumi.Context, name string, args platform.IdentityArgs, opts ...pulumi.ResourceOption) (*platform.Identity, error) {
	i := &platform.Identity{Ready: args.Bucket.Ready, Checksum: args.Bucket.Checksum}
	if err := ctx.RegisterComponentResource(identityToken, name, i, opts...); err != nil {
		return nil, err
	}
	secret := credentialsSecret
	if args.Admin {
		secret = p.adminSecret()
	}
	i.Env, i.Volumes, i.Mounts = p.storeAccess(args.Bucket.Endpoint, secret)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{})
}

// adminSecret names the Secret of the platform's own jobs: the server's, unless
// they have credentials of their own.
func (p *Platform) adminSecret() string {
	if p.settings.S3AdminAccessKeyID == "" {
		return credentialsSecret
	}
	return adminSecret
}

// storeAccess is what boto3 and MLflow in a pod need to use the store with the
// credentials of a Secret.
func (p *Platform) storeAccess(endpoint, credentials string) (corev1.EnvVarArray, corev1.VolumeArray, corev1.VolumeMountArray) {
	secret := pulumi.String(credentials)
	env := corev1.EnvVarArray{
		pod.SecretEnv("AWS_ACCESS_KEY_ID", secret, "accessKeyId"),
		pod.SecretEnv("AWS_SECRET_ACCESS_KEY", secret, "secretAccessKey"),
		pod.Env("AWS_DEFAULT_REGION", p.settings.Artifacts.Region),
		// No cloud here: looking for its metadata service costs seconds.
		pod.Env("AWS_EC2_METADATA_DISABLED", "true"),
		pod.Env("MLFLOW_S3_ENDPOINT_URL", endpoint),
		pod.Env("AWS_ENDPOINT_URL_S3", endpoint),
		// Buckets as a path: an endpoint inside a cluster has no wildcard DNS.
		pod.Env("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "path"),
	}
	if !p.privateCA() {
		return env, nil, nil
	}
	return append(env, pod.Env("AWS_CA_BUNDLE", caPath+"/"+caKey)),
		corev1.VolumeArray{pod.SecretVolume("object-store-ca", secret, caKey)},
		corev1.VolumeMountArray{pod.Mount("object-store-ca", caPath, true)}
}

// privateCA says whether the store's certificate is signed by an authority of
// its own.
func (p *Platform) privateCA() bool {
	return p.settings.Artifacts.Store == "inCluster" || p.settings.Artifacts.CACertificate != ""
}

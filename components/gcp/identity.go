package gcp

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// roleObjects reads, writes, lists and deletes objects, and changes nothing of the
// bucket itself (cloud.google.com/storage/docs/access-control/iam-roles).
const roleObjects = "roles/storage.objectUser"

// Identity gives a role on one bucket to the ServiceAccount itself, by which pods get
// tokens from the node: there is no account of Google's and no key
// (cloud.google.com/kubernetes-engine/docs/how-to/workload-identity). Such a token
// signs no URLs, which the gateway would not let through either
// (docs/decisions/0008).
func (p *Platform) Identity(ctx *pulumi.Context, name string, args platform.IdentityArgs, opts ...pulumi.ResourceOption) (*platform.Identity, error) {
	i := &platform.Identity{
		Env: corev1.EnvVarArray{
			// MLflow makes its client without naming a project.
			pod.Env("GOOGLE_CLOUD_PROJECT", p.settings.Account),
			// An upload takes twice its chunk of memory, of 100 MiB without this; Google wants
			// multiples of 256 KiB.
			pod.Env("MLFLOW_GCS_UPLOAD_CHUNK_SIZE", fmt.Sprint(32<<20)),
			// The client would ask for the bucket itself, which the role does not allow.
			pod.Env("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true"),
			// A pod that does not find the node's tokens at once goes on as nobody, for as long as
			// it lives: six tries take a quarter of a minute instead of three seconds.
			pod.Env("GCE_METADATA_DETECT_RETRIES", "6"),
		},
		ServiceAccountAnnotations: pulumi.StringMap{}, Checksum: args.Bucket.Checksum,
	}
	if err := ctx.RegisterComponentResource(identityToken, name, i, opts...); err != nil {
		return nil, err
	}
	bucket, ok := p.made.buckets[strings.Trim(args.Prefix, "/")]
	if !ok {
		return nil, fmt.Errorf("there is no bucket for %q", args.Prefix)
	}
	access, err := storage.NewBucketIAMMember(ctx, name+"-access", &storage.BucketIAMMemberArgs{
		Bucket: bucket, Role: pulumi.String(roleObjects),
		Member: pulumi.Sprintf("principal://iam.googleapis.com/projects/%s/locations/global/workloadIdentityPools/%s/subject/ns/%s/sa/%s",
			p.project, p.workloadPool(), p.settings.Namespace, args.ServiceAccount),
		// The pool is the project's and comes with its first cluster.
	}, p.child(i, pulumi.DependsOn([]pulumi.Resource{args.Cluster.Provider}), p.granted)...)
	if err != nil {
		return nil, fmt.Errorf("letting %s use its bucket: %w", args.ServiceAccount, err)
	}
	i.Ready = append(pod.Join(args.Bucket.Ready), access)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{})
}

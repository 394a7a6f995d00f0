package kubernetes

import (
	"encoding/json"
	"fmt"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/mlflow/scripts"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/objectstore"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// Bucket is a bucket of an S3 endpoint, the stack's own or a given one. A Job
// creates and configures it, reads the configuration back and compares.
func (p *Platform) Bucket(ctx *pulumi.Context, name string, args platform.BucketArgs, opts ...pulumi.ResourceOption) (*platform.Bucket, error) {
	a := p.settings.Artifacts
	b := &platform.Bucket{Scheme: "s3", Name: a.Bucket, Region: a.Region, Endpoint: a.Endpoint}
	if err := ctx.RegisterComponentResource(bucketToken, name, b, opts...); err != nil {
		return nil, err
	}
	provider := pulumi.Provider(args.Cluster.Provider)
	accessKeyID := pulumi.ToSecret(pulumi.String(p.settings.S3AccessKeyID)).(pulumi.StringOutput)
	secretAccessKey := pulumi.ToSecret(pulumi.String(p.settings.S3SecretAccessKey)).(pulumi.StringOutput)
	ca := pulumi.String(a.CACertificate).ToStringOutput()
	after := args.Scope.After
	if a.Store == "inCluster" {
		store, err := objectstore.New(ctx, name+"-store", objectstore.Args{
			Scope: args.Scope, StorageGiB: a.StorageGiB, Authority: args.Authority, Protect: p.settings.Protect,
		}, component.Options(b, provider)...)
		if err != nil {
			return nil, err
		}
		b.Endpoint, ca = store.Endpoint, args.Authority.Certificate()
		accessKeyID, secretAccessKey = pulumi.String(store.AccessKeyID).ToStringOutput(), store.SecretAccessKey
		after = pod.Join(after, store.Ready)
	}
	secret, err := corev1.NewSecret(ctx, name+"-credentials", &corev1.SecretArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(credentialsSecret), Namespace: args.Scope.Namespace, Labels: pod.Labels(nil, "")},
		StringData: pulumi.StringMap{
			"accessKeyId": accessKeyID, "secretAccessKey": secretAccessKey, caKey: ca,
		},
	}, component.Options(b, provider, pulumi.DependsOn(args.Scope.After))...)
	if err != nil {
		return nil, fmt.Errorf("creating the object store's credentials: %w", err)
	}
	admin := secret
	if p.settings.S3AdminAccessKeyID != "" {
		if admin, err = corev1.NewSecret(ctx, name+"-admin-credentials", &corev1.SecretArgs{
			Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(adminSecret), Namespace: args.Scope.Namespace, Labels: pod.Labels(nil, "")},
			StringData: pulumi.StringMap{
				"accessKeyId":     pulumi.ToSecret(pulumi.String(p.settings.S3AdminAccessKeyID)).(pulumi.StringOutput),
				"secretAccessKey": pulumi.ToSecret(pulumi.String(p.settings.S3AdminSecretAccessKey)).(pulumi.StringOutput),
				caKey:             ca,
			},
		}, component.Options(b, provider, pulumi.DependsOn(args.Scope.After))...); err != nil {
			return nil, fmt.Errorf("creating the object store's admin credentials: %w", err)
		}
	}
	b.Checksum = pod.ChecksumOutput(accessKeyID, secretAccessKey, ca)
	setup, err := p.setup(ctx, name, args.Scope, b, component.Options(b, provider, pulumi.DependsOn(pod.Join(after, []pulumi.Resource{secret, admin})),
		// Jobs are immutable and this one is idempotent: a changed bucket
		// configuration runs a new one.
		pulumi.DeleteBeforeReplace(true)))
	if err != nil {
		return nil, err
	}
	b.Ready = []pulumi.Resource{setup}
	b.ArtifactRoot = pulumi.Sprintf("s3://%s/artifacts", a.Bucket)
	b.BackupRoot = pulumi.Sprintf("s3://%s/backups", a.Bucket)
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"artifactRoot": b.ArtifactRoot})
}

func (p *Platform) setup(ctx *pulumi.Context, name string, scope pod.Scope, b *platform.Bucket, opts []pulumi.ResourceOption) (*batchv1.Job, error) {
	image, err := scope.Images.Ref(images.MLflow)
	if err != nil {
		return nil, err
	}
	a := p.settings.Artifacts
	transitions := []scripts.Transition{}
	if a.TransitionDays > 0 {
		transitions = append(transitions, scripts.Transition{Days: a.TransitionDays, StorageClass: a.TransitionClass})
	}
	want, err := json.Marshal(scripts.Bucket{
		Bucket: a.Bucket, Region: a.Region, NoncurrentDays: a.NoncurrentDays,
		AbortUploadDays: a.AbortUploadDays, Transitions: transitions,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the bucket's configuration: %w", err)
	}
	script, err := scripts.Checksum("bucket.py")
	if err != nil {
		return nil, err
	}
	env, volumes, mounts := p.storeAccess(b.Endpoint, p.adminSecret())
	labels := pod.Labels(netpol.BucketSetup.Labels(), "")
	job, err := batchv1.NewJob(ctx, name+"-setup", &batchv1.JobArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name:      pulumi.String(netpol.BucketSetup.Name + "-" + pod.Checksum(string(want), b.Endpoint, script, image)),
			Namespace: scope.Namespace, Labels: labels,
		},
		Spec: pod.Job{
			Labels: labels, PullSecrets: scope.PullSecrets, BackoffLimit: 6, Deadline: 900,
			Containers: corev1.ContainerArray{scripts.Container(scripts.Run{
				Name: "setup", Image: image, Script: "bucket.py", Env: append(env, pod.Env("BUCKET_CONFIG", string(want))), Mounts: mounts,
			})},
			Volumes: append(volumes, scripts.Volumes()...),
		}.Spec(),
	}, opts...)
	if err != nil {
		return nil, fmt.Errorf("creating the bucket setup Job: %w", err)
	}
	return job, nil
}

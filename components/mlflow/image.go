package mlflow

import (
	"fmt"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/mlflow/scripts"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// imageDeadline is how long the image may take to be pulled and checked, in
// seconds: it is a gigabyte and more.
const imageDeadline = 900

// checkImage is the gate before the migration, behind which the server stops: a
// Job pulls the images that the migration needs and compares MLflow's with the
// settings. Without it a mistyped version would stop MLflow first and be found
// afterwards.
//
// The Job's name changes with what it checks, so that a new one is made before
// the old one goes.
func (b *builder) checkImage() (*batchv1.Job, error) {
	labels := pod.Labels(netpol.ImageCheck.Labels(), b.args.Version)
	job, err := batchv1.NewJob(b.ctx, b.name+"-image", &batchv1.JobArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name:      pulumi.String(naming.Label.Fit(netpol.ImageCheck.Name, b.args.Version, pod.Checksum(b.image, b.postgres, b.args.Bucket.Scheme))),
			Namespace: b.args.Namespace, Labels: labels,
			Annotations: jobAnnotations(imageDeadline),
		},
		Spec: pod.Job{
			Labels: labels, PullSecrets: b.args.PullSecrets, BackoffLimit: 1, Deadline: imageDeadline,
			Containers: corev1.ContainerArray{scripts.Container(scripts.Run{
				Name: "check", Image: b.image, Script: "image.py", Env: corev1.EnvVarArray{
					pod.Env("WANT_VERSION", b.args.Version), pod.Env("WANT_STORE", b.args.Bucket.Scheme),
				},
			}), &corev1.ContainerArgs{
				Name: pulumi.String("dump"), Image: pulumi.String(b.postgres), ImagePullPolicy: pulumi.String("IfNotPresent"),
				Command:         pulumi.ToStringArray([]string{"pg_dump", "--version"}),
				SecurityContext: pod.ContainerSecurity(), Resources: pod.Resources("100m", "64Mi", "256Mi"),
			}},
			Volumes: scripts.Volumes(),
		}.Spec(),
	}, b.child(pulumi.DependsOn(b.args.After))...)
	if err != nil {
		return nil, fmt.Errorf("creating the Job that checks the image: %w", err)
	}
	return job, nil
}

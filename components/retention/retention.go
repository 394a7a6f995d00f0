// Package retention cleans up what nobody needs any more: old finished runs and
// LoggedModels that no registered model refers to go to MLflow's trash, and what
// has been in the trash long enough is removed for good. It works through MLflow,
// not on the bucket: a bucket's age rule knows nothing of registered models and
// would delete the one in production.
package retention

import (
	"fmt"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/mlflow/scripts"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

const token = "mlflow:retention:Retention"

// Args are the inputs of the clean-up.
type Args struct {
	pod.Scope
	// Schedule in cron syntax, UTC.
	Schedule string
	// Enabled is false to suspend the schedule.
	Enabled bool
	// DryRun only reports.
	DryRun bool
	// Days until a finished run moves to the trash, and TrashDays until it is
	// removed from there.
	Days, TrashDays int
	// MaxDeletions is the most that one run of the job removes from the trash and
	// moves to it, of everything together.
	MaxDeletions int
	// Env, Volumes and Mounts reach the database and, logged in, the gateway.
	Env     corev1.EnvVarArray
	Volumes corev1.VolumeArray
	Mounts  corev1.VolumeMountArray
}

// Retention is the schedule.
type Retention struct{ pulumi.ResourceState }

// New creates the schedule.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Retention, error) {
	image, err := args.Images.Ref(images.MLflow)
	if err != nil {
		return nil, err
	}
	r := &Retention{}
	if err := ctx.RegisterComponentResource(token, name, r, opts...); err != nil {
		return nil, err
	}
	env := append(corev1.EnvVarArray{
		pod.Env("RETENTION_DAYS", fmt.Sprint(args.Days)), pod.Env("GC_OLDER_THAN_DAYS", fmt.Sprint(args.TrashDays)),
		pod.Env("DRY_RUN", fmt.Sprint(args.DryRun)), pod.Env("MAX_DELETIONS", fmt.Sprint(args.MaxDeletions)),
	}, args.Env...)
	labels := pod.Labels(netpol.Retention.Labels(), "")
	_, err = batchv1.NewCronJob(ctx, name+"-schedule", &batchv1.CronJobArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(netpol.Retention.Name), Namespace: args.Namespace, Labels: labels,
			// Who suspends the schedule by hand becomes its owner; the next update takes it back.
			Annotations: pulumi.StringMap{"pulumi.com/patchForce": pulumi.String("true")},
		},
		Spec: &batchv1.CronJobSpecArgs{
			Schedule: pulumi.String(args.Schedule), TimeZone: pulumi.String("Etc/UTC"), Suspend: pulumi.Bool(!args.Enabled),
			// Two at once would count and delete the same runs.
			ConcurrencyPolicy:          pulumi.String("Forbid"),
			StartingDeadlineSeconds:    pulumi.Int(3600),
			SuccessfulJobsHistoryLimit: pulumi.Int(3), FailedJobsHistoryLimit: pulumi.Int(3),
			JobTemplate: &batchv1.JobTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: labels},
				Spec: pod.Job{
					Labels: labels, PullSecrets: args.PullSecrets,
					// A failure is looked at, not tried again: it may be a protection.
					BackoffLimit: 0, Deadline: 4 * 60 * 60,
					Containers: corev1.ContainerArray{scripts.Container(scripts.Run{
						Name: "retention", Image: image, Script: "retention.py", Env: env,
						Mounts: args.Mounts,
					})},
					Volumes: pod.Concat(scripts.Volumes(), args.Volumes),
				}.Spec(),
			},
		},
	}, component.Options(r, pulumi.DependsOn(args.After))...)
	if err != nil {
		return nil, fmt.Errorf("creating the retention CronJob: %w", err)
	}
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{})
}

// Package backup dumps the database into the bucket on a schedule, and before
// every schema migration, and restores a dump. The dumps are logical (pg_dump,
// custom format): they restore into any newer PostgreSQL.
package backup

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
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

const (
	token       = "mlflow:backup:Backup"
	accessToken = "mlflow:backup:Access"
)

// The suspended CronJobs from which a person starts a Job: a restore, and a list
// of the dumps, which the server is not allowed to read.
const (
	RestoreCronJob = "database-restore"
	ListCronJob    = "database-dumps"
	// never is a date that does not come.
	never = "0 0 31 2 *"
)

const (
	dumpPath = "/dump/mlflow.dump"
	// Deadline of a dump or restore in seconds: four hours are 200 GiB at 15 MiB/s.
	Deadline = 4 * 60 * 60
)

// Access is how a pod reaches the dumps in the bucket: an identity for that part
// of the bucket alone, and the account that has it.
type Access struct {
	pulumi.ResourceState
	// Root is the URI below which the dumps are.
	Root pulumi.StringOutput
	// Identity is the platform's.
	Identity *platform.Identity
	// ServiceAccount of the pods.
	ServiceAccount pulumi.StringOutput
	// Ready must exist before a pod starts.
	Ready []pulumi.Resource
}

// NewAccess creates the account.
func NewAccess(ctx *pulumi.Context, name string, scope pod.Scope, bucket *platform.Bucket, identity *platform.Identity, opts ...pulumi.ResourceOption) (*Access, error) {
	a := &Access{Root: bucket.BackupRoot, Identity: identity, Ready: pod.Join(bucket.Ready, identity.Ready)}
	if err := ctx.RegisterComponentResource(accessToken, name, a, opts...); err != nil {
		return nil, err
	}
	var err error
	a.ServiceAccount, err = pod.NewServiceAccount(ctx, name+"-account", netpol.Backup.Name, scope, identity.ServiceAccountAnnotations, component.Options(a)...)
	if err != nil {
		return nil, err
	}
	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{})
}

// Labels of a pod that has this access.
func (a *Access) Labels(own pulumi.StringMap) pulumi.StringMap {
	return pod.AddLabels(own, a.Identity.PodLabels)
}

// Dump describes a pod that dumps and uploads.
type Dump struct {
	// MLflowImage has Python and the client of the bucket; PostgresImage has pg_dump.
	MLflowImage, PostgresImage string
	// Access reaches the bucket.
	Access *Access
	// Libpq and Mounts reach the database.
	Libpq  corev1.EnvVarArray
	Mounts corev1.VolumeMountArray
	// RetentionDays prunes older dumps after the upload; 0 prunes nothing.
	RetentionDays int
}

// Containers dump the database and upload the dump, one after the other.
func Containers(d Dump) corev1.ContainerArray {
	return corev1.ContainerArray{
		postgres("dump", d.PostgresImage, d.Libpq, d.Mounts,
			// Format, level and parallelism: one file that pg_restore can list and select from.
			"pg_dump", "--format=custom", "--compress=6", "--no-owner", "--no-privileges", "--file="+dumpPath),
		upload(d),
	}
}

func upload(d Dump) *corev1.ContainerArgs {
	if d.RetentionDays == 0 {
		return script(d, "upload", d.Access.Identity.Env, "upload")
	}
	return script(d, "upload", append(corev1.EnvVarArray{
		pod.Env("BACKUP_RETENTION_DAYS", fmt.Sprint(d.RetentionDays)),
	}, d.Access.Identity.Env...), "upload", "prune")
}

func script(d Dump, name string, env corev1.EnvVarArray, args ...string) *corev1.ContainerArgs {
	return scripts.Container(scripts.Run{
		Name: name, Image: d.MLflowImage, Script: "backup.py", Args: args,
		Env: append(corev1.EnvVarArray{
			pod.Env("BACKUP_FILE", dumpPath),
			&corev1.EnvVarArgs{Name: pulumi.String("BACKUP_URI"), Value: d.Access.Root},
		}, env...),
		Mounts: append(corev1.VolumeMountArray{pod.Mount("dump", "/dump", false)}, d.Access.Identity.Mounts...),
	})
}

// waitFor waits up to two minutes for the database before it runs a command.
// Network policies reach a new pod a moment after it starts, and until then its
// connections are refused; a failover takes longer.
const waitFor = `n=0
until pg_isready --quiet --timeout=3; do
	n=$((n+1)); [ $n -lt 60 ] || { echo "the database does not answer" >&2; exit 1; }
	sleep 2
done
exec "$@"`

// restoreAll puts the dump in the place of everything that is there, in one
// transaction: the database is either as it was or as it was dumped. The schema
// is dropped as a whole because pg_restore --clean drops only what the dump
// names, and fails on what refers to it: the tables that a newer MLflow added.
// COMMIT comes only after a dump that was read to its end.
const restoreAll = `set -o pipefail
{
	echo "BEGIN; SET LOCAL lock_timeout = '2min'; SET LOCAL client_min_messages = warning;"
	echo 'DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC;'
	pg_restore --no-owner --no-privileges --file=- "$1" && echo 'COMMIT;'
} | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null && echo "restored"`

// postgres runs one of PostgreSQL's own programs.
func postgres(name, image string, env corev1.EnvVarArray, mounts corev1.VolumeMountArray, command ...string) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name: pulumi.String(name), Image: pulumi.String(image), ImagePullPolicy: pulumi.String("IfNotPresent"),
		Command: pulumi.ToStringArray(append([]string{"sh", "-c", waitFor, "sh"}, command...)), Env: append(corev1.EnvVarArray{pod.Env("HOME", "/tmp")}, env...),
		SecurityContext: pod.ContainerSecurity(),
		Resources:       pod.Resources("100m", "128Mi", "1Gi"),
		VolumeMounts: append(corev1.VolumeMountArray{
			pod.Mount("dump", "/dump", false), pod.Mount("tmp", "/tmp", false),
		}, mounts...),
	}
}

// Volumes are what Containers need beyond the scripts' own. A compressed dump is
// smaller than the database's volume, storageGiB.
func Volumes(storageGiB int) corev1.VolumeArray {
	return corev1.VolumeArray{pod.EmptyDir("dump", fmt.Sprintf("%dGi", storageGiB))}
}

// Args are the inputs of the schedule.
type Args struct {
	pod.Scope
	// Schedule in cron syntax, UTC.
	Schedule string
	// RetentionDays is how long a dump is kept.
	RetentionDays int
	// StorageGiB is the size of the database's volume.
	StorageGiB int
	// Enabled is false to suspend the schedule.
	Enabled bool
	// Access reaches the bucket.
	Access *Access
	// Libpq, Volumes and Mounts reach the database.
	Libpq   corev1.EnvVarArray
	Volumes corev1.VolumeArray
	Mounts  corev1.VolumeMountArray
}

// Backup is the schedule and the restore.
type Backup struct{ pulumi.ResourceState }

// New creates the schedule, and the suspended CronJob that restores.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Backup, error) {
	mlflow, err := args.Images.Ref(images.MLflow)
	if err != nil {
		return nil, err
	}
	pg, err := args.Images.Ref(images.PostgreSQL)
	if err != nil {
		return nil, err
	}
	b := &Backup{}
	if err := ctx.RegisterComponentResource(token, name, b, opts...); err != nil {
		return nil, err
	}
	d := Dump{
		MLflowImage: mlflow, PostgresImage: pg, Access: args.Access,
		Libpq: args.Libpq, Mounts: args.Mounts, RetentionDays: args.RetentionDays,
	}
	both := Containers(d)
	if err := cronJob(ctx, b, name+"-schedule", netpol.Backup.Name, args.Schedule, !args.Enabled, args, both[:1], both[1:]); err != nil {
		return nil, err
	}
	fetch := script(d, "fetch", d.Access.Identity.Env, "fetch")
	restore := postgres("restore", pg, args.Libpq, args.Mounts, "bash", "-c", restoreAll, "bash", dumpPath)
	if err := cronJob(ctx, b, name+"-restore", RestoreCronJob, never, true, args,
		corev1.ContainerArray{fetch}, corev1.ContainerArray{restore}); err != nil {
		return nil, err
	}
	list := script(d, "list", d.Access.Identity.Env, "list")
	apart := args
	apart.Volumes = nil // It does not touch the database.
	if err := cronJob(ctx, b, name+"-list", ListCronJob, never, true, apart, nil, corev1.ContainerArray{list}); err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{})
}

func cronJob(ctx *pulumi.Context, parent pulumi.Resource, logical, physical, schedule string, suspend bool, args Args, init, containers corev1.ContainerArray) error {
	labels := pod.Labels(netpol.Backup.Labels(), "")
	_, err := batchv1.NewCronJob(ctx, logical, &batchv1.CronJobArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(physical), Namespace: args.Namespace, Labels: labels,
			// Who suspends a schedule by hand becomes its owner; the next update takes it back.
			Annotations: pulumi.StringMap{"pulumi.com/patchForce": pulumi.String("true")},
		},
		Spec: &batchv1.CronJobSpecArgs{
			Schedule: pulumi.String(schedule), TimeZone: pulumi.String("Etc/UTC"), Suspend: pulumi.Bool(suspend),
			ConcurrencyPolicy: pulumi.String("Forbid"),
			// A controller that was down catches up once, if less than an hour late.
			StartingDeadlineSeconds:    pulumi.Int(3600),
			SuccessfulJobsHistoryLimit: pulumi.Int(3), FailedJobsHistoryLimit: pulumi.Int(3),
			JobTemplate: &batchv1.JobTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: labels},
				Spec: pod.Job{
					Labels: args.Access.Labels(labels), ServiceAccount: args.Access.ServiceAccount, PullSecrets: args.PullSecrets,
					BackoffLimit: 2, Deadline: Deadline, Init: init, Containers: containers,
					Volumes: pod.Concat(scripts.Volumes(), Volumes(args.StorageGiB), args.Volumes, args.Access.Identity.Volumes),
				}.Spec(),
			},
		},
	}, component.Options(parent, pulumi.DependsOn(args.After))...)
	if err != nil {
		return fmt.Errorf("creating CronJob %s: %w", physical, err)
	}
	return nil
}

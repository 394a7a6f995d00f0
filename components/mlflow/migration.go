package mlflow

import (
	"fmt"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/backup"
	"github.com/mlflow-platform/mlflow-platform/components/mlflow/scripts"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// dumpGiB limits the dump before a migration. The limit of the nightly dumps
// follows the database's volume; here that would replace the Job, and so stop
// MLflow, whenever the volume grows.
const dumpGiB = 1024

// deadline is the time of the Job in seconds: a dump, and an hour for the
// migration, which may rewrite tables. A killed one starts over safely.
const deadline = backup.Deadline + 3600

// migration is the gate before a server starts: a Job named after the MLflow
// version dumps the database into the bucket, takes an advisory lock, and
// brings the schema to the head revision of that version. A newer schema is
// refused.
//
// A new version gives the Job another name and so replaces it. The Deployment
// is replaced with it, deleted first: MLflow does not support two versions on
// one schema, so every writer stops before the migration starts.
func (b *builder) migration(s *secrets, checked *batchv1.Job) (*batchv1.Job, error) {
	env, volumes, mounts := DatabaseAccess(b.args.Database)
	dump := backup.Containers(backup.Dump{
		MLflowImage: b.image, PostgresImage: b.postgres, Access: b.args.Backups,
		Libpq: LibpqEnv(b.args.Database), Mounts: mounts,
	})
	labels := pod.Labels(netpol.Migration.Labels(), b.args.Version)
	job, err := batchv1.NewJob(b.ctx, b.name+"-migration", &batchv1.JobArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name:      pulumi.String(naming.Label.Fit(netpol.Migration.Name, b.args.Version)),
			Namespace: b.args.Namespace, Labels: labels,
			Annotations: jobAnnotations(deadline),
		},
		Spec: pod.Job{
			Labels: b.args.Backups.Labels(labels), ServiceAccount: b.args.Backups.ServiceAccount, PullSecrets: b.args.PullSecrets,
			BackoffLimit: 6, Deadline: deadline,
			Init: dump,
			Containers: corev1.ContainerArray{scripts.Container(scripts.Run{
				Name: "migrate", Image: b.image, Script: "migrate.py", Env: env, Mounts: mounts,
			})},
			Volumes: pod.Concat(scripts.Volumes(), backup.Volumes(dumpGiB), volumes, b.args.Backups.Identity.Volumes),
		}.Spec(),
	}, b.child(
		pulumi.DeleteBeforeReplace(true),
		pulumi.DependsOn(pod.Join(b.args.After, s.all, b.args.Database.Ready, b.args.Backups.Ready, []pulumi.Resource{checked})),
	)...)
	if err != nil {
		return nil, fmt.Errorf("creating the migration Job: %w", err)
	}
	return job, nil
}

// jobAnnotations tell Pulumi how long a Job may take, in seconds, and to make a
// failed one anew: a Job that has failed never succeeds, and what made it fail, a
// registry or a database that was away, is no change of the Job.
func jobAnnotations(seconds int) pulumi.StringMap {
	return pulumi.StringMap{
		"pulumi.com/timeoutSeconds": pulumi.String(fmt.Sprint(seconds)),
		"pulumi.com/replaceUnready": pulumi.String("true"),
	}
}

// checkSchema is an init container of the server: it starts the server only on
// exactly its own schema. A server that finds tables missing would migrate the
// database by itself, under the others' feet.
func (b *builder) checkSchema(mounts corev1.VolumeMountArray) *corev1.ContainerArgs {
	return scripts.Container(scripts.Run{
		Name: "check-schema", Image: b.image, Script: "migrate.py",
		Env:    corev1.EnvVarArray{databaseEnv(), pod.Env("MIGRATE_MODE", "check")},
		Mounts: mounts,
	})
}

package mlflow

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/mlflow/scripts"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// preStopSeconds is how long a pod keeps serving after it was taken out of the
// Service, until every node has noticed.
const preStopSeconds = 10

func (b *builder) deployment(s *secrets, migration *batchv1.Job) (*appsv1.Deployment, error) {
	_, volumes, mounts := DatabaseAccess(b.args.Database)
	selector := netpol.MLflow.Labels()
	labels := pod.Labels(selector, b.args.Version)
	c := b.args.Connections
	script, err := scripts.Checksum("migrate.py")
	if err != nil {
		return nil, err
	}
	deployment, err := appsv1.NewDeployment(b.ctx, b.name+"-server", &appsv1.DeploymentArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(netpol.MLflow.Name), Namespace: b.args.Namespace, Labels: labels,
			Annotations: pulumi.StringMap{
				"pulumi.com/timeoutSeconds": pulumi.String("900"),
				// A restore scales by hand (docs/operations/restore.md), which makes kubectl
				// the owner of the replicas; the next update takes them back.
				"pulumi.com/patchForce": pulumi.String("true"),
			},
		},
		Spec: &appsv1.DeploymentSpecArgs{
			Replicas: pulumi.Int(c.Replicas),
			Selector: &metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(selector)},
			// A configuration change rolls: one more pod, none less.
			Strategy: &appsv1.DeploymentStrategyArgs{
				Type:          pulumi.String("RollingUpdate"),
				RollingUpdate: &appsv1.RollingUpdateDeploymentArgs{MaxSurge: pulumi.Int(1), MaxUnavailable: pulumi.Int(0)},
			},
			// Slow enough that a pod which dies right after its start stops the rollout.
			MinReadySeconds:      pulumi.Int(5),
			RevisionHistoryLimit: pulumi.Int(3),
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{
					Labels: pod.AddLabels(labels, b.args.Identity.PodLabels),
					Annotations: pulumi.StringMap{
						// Secrets and scripts are read at start: a new value rolls the pods.
						"mlflow-platform/secrets": s.checksum,
						"mlflow-platform/store":   b.args.Identity.Checksum,
						"mlflow-platform/scripts": pulumi.String(script),
					},
				},
				Spec: &corev1.PodSpecArgs{
					ServiceAccountName:           b.account,
					AutomountServiceAccountToken: pulumi.Bool(false),
					// A Service called mlflow would set MLFLOW_PORT=tcp://…, which the server
					// reads as its own port and dies of.
					EnableServiceLinks:            pulumi.Bool(false),
					SecurityContext:               pod.Security(),
					ImagePullSecrets:              pod.PullSecrets(b.args.PullSecrets),
					TerminationGracePeriodSeconds: pulumi.Int(preStopSeconds + shutdownSeconds + 15),
					TopologySpreadConstraints:     spread(selector),
					InitContainers:                corev1.ContainerArray{b.checkSchema(mounts)},
					Containers:                    corev1.ContainerArray{b.container(mounts)},
					Volumes: pod.Concat(
						corev1.VolumeArray{
							pod.EmptyDir("tmp", fmt.Sprintf("%dGi", b.args.TmpGiB)),
							pod.ConfigVolume("scripts", pulumi.String(scripts.ConfigMapName)),
						}, volumes, b.args.Identity.Volumes),
				},
			},
		},
	}, b.child(
		pulumi.DependsOn(append(pod.Join(b.args.After, s.all, b.args.Identity.Ready), migration)),
		pulumi.ReplaceWith([]pulumi.Resource{migration}),
		pulumi.DeleteBeforeReplace(true),
	)...)
	if err != nil {
		return nil, fmt.Errorf("creating the Deployment: %w", err)
	}
	return deployment, nil
}

func (b *builder) container(mounts corev1.VolumeMountArray) *corev1.ContainerArgs {
	probe := func(period, timeout, failures int) *corev1.ProbeArgs {
		return &corev1.ProbeArgs{
			HttpGet:       &corev1.HTTPGetActionArgs{Path: pulumi.String("/health"), Port: pulumi.String(netpol.MLflowHTTP.Name)},
			PeriodSeconds: pulumi.Int(period), TimeoutSeconds: pulumi.Int(timeout), FailureThreshold: pulumi.Int(failures),
		}
	}
	resources := pod.Resources(b.args.CPURequest, b.args.MemoryRequest, b.args.MemoryLimit)
	return &corev1.ContainerArgs{
		Name: pulumi.String("mlflow"), Image: pulumi.String(b.image), ImagePullPolicy: pulumi.String("IfNotPresent"),
		Command: pulumi.ToStringArray([]string{
			"mlflow", "server", "--host", "0.0.0.0", "--port", fmt.Sprint(netpol.MLflowHTTP.Number),
			"--workers", fmt.Sprint(b.args.Connections.Workers),
		}),
		Env:             b.env(),
		Ports:           netpol.ContainerPorts(netpol.MLflow.Ports...),
		SecurityContext: pod.ContainerSecurity(),
		Resources:       resources,
		// The start is CPU bound (7 to 45 s) and waits up to 102 s for the database;
		// /health does not look at the database, so an outage there restarts nothing.
		StartupProbe:   probe(5, 5, 48),
		ReadinessProbe: probe(10, 5, 3),
		LivenessProbe:  probe(15, 5, 6),
		Lifecycle: &corev1.LifecycleArgs{PreStop: &corev1.LifecycleHandlerArgs{
			Sleep: &corev1.SleepActionArgs{Seconds: pulumi.Int(preStopSeconds)},
		}},
		VolumeMounts: pod.ConcatMounts(corev1.VolumeMountArray{pod.Mount("tmp", "/tmp", false)}, mounts, b.args.Identity.Mounts),
	}
}

// spread puts the pods into different zones and on different nodes where the
// cluster has them.
func spread(selector map[string]string) corev1.TopologySpreadConstraintArray {
	var all corev1.TopologySpreadConstraintArray
	for _, key := range []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"} {
		all = append(all, &corev1.TopologySpreadConstraintArgs{
			MaxSkew: pulumi.Int(1), TopologyKey: pulumi.String(key), WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
			LabelSelector: &metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(selector)},
		})
	}
	return all
}

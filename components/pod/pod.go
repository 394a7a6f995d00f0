// Package pod holds what every pod of the platform has in common: it meets the
// restricted Pod Security Standard
// (kubernetes.io/docs/concepts/security/pod-security-standards), has no API
// token, no service-link variables, and a writable /tmp of a stated size.
package pod

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	batchv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/batch/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/images"
)

// UID is the user and group of every container of ours.
const UID = 1000

// PartOf groups all objects of the platform.
const PartOf = "mlflow-platform"

// Labels are the recommended labels of a workload
// (kubernetes.io/docs/concepts/overview/working-with-objects/common-labels).
func Labels(selector map[string]string, version string) pulumi.StringMap {
	l := pulumi.StringMap{"app.kubernetes.io/part-of": pulumi.String(PartOf), "app.kubernetes.io/managed-by": pulumi.String("pulumi")}
	for k, v := range selector {
		l[k] = pulumi.String(v)
	}
	if version != "" {
		l["app.kubernetes.io/version"] = pulumi.String(version)
	}
	return l
}

// AddLabels returns the labels with more of them.
func AddLabels(labels pulumi.StringMap, more map[string]string) pulumi.StringMap {
	all := maps.Clone(labels)
	for k, v := range more {
		all[k] = pulumi.String(v)
	}
	return all
}

// NewServiceAccount creates an account for pods that use a platform's identity.
// Its pods mount no API token.
func NewServiceAccount(ctx *pulumi.Context, logical, name string, scope Scope, annotations pulumi.StringMapInput, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	account, err := corev1.NewServiceAccount(ctx, logical, &corev1.ServiceAccountArgs{
		Metadata:                     &metav1.ObjectMetaArgs{Name: pulumi.String(name), Namespace: scope.Namespace, Labels: Labels(nil, ""), Annotations: annotations},
		AutomountServiceAccountToken: pulumi.Bool(false),
	}, append(slices.Clone(opts), pulumi.DependsOn(scope.After))...)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("creating ServiceAccount %s: %w", name, err)
	}
	return account.Metadata.Name().Elem(), nil
}

// Security is the pod's half of the restricted standard.
func Security() *corev1.PodSecurityContextArgs {
	return &corev1.PodSecurityContextArgs{
		RunAsNonRoot: pulumi.Bool(true), RunAsUser: pulumi.Int(UID), RunAsGroup: pulumi.Int(UID), FsGroup: pulumi.Int(UID),
		// Volumes with many files are not walked on every start.
		FsGroupChangePolicy: pulumi.String("OnRootMismatch"),
		SeccompProfile:      &corev1.SeccompProfileArgs{Type: pulumi.String("RuntimeDefault")},
	}
}

// ContainerSecurity is the container's half.
func ContainerSecurity() *corev1.SecurityContextArgs {
	return &corev1.SecurityContextArgs{
		AllowPrivilegeEscalation: pulumi.Bool(false),
		ReadOnlyRootFilesystem:   pulumi.Bool(true),
		Capabilities:             &corev1.CapabilitiesArgs{Drop: pulumi.ToStringArray([]string{"ALL"})},
	}
}

// Resources are requests and the memory limit. A CPU limit only throttles.
func Resources(cpu, memory, memoryLimit string) *corev1.ResourceRequirementsArgs {
	return &corev1.ResourceRequirementsArgs{
		Requests: pulumi.StringMap{"cpu": pulumi.String(cpu), "memory": pulumi.String(memory)},
		Limits:   pulumi.StringMap{"memory": pulumi.String(memoryLimit)},
	}
}

// Env is a plain variable.
func Env(name, value string) *corev1.EnvVarArgs {
	return &corev1.EnvVarArgs{Name: pulumi.String(name), Value: pulumi.String(value)}
}

// SecretEnv is a variable from a Secret.
func SecretEnv(name string, secret pulumi.StringInput, key string) *corev1.EnvVarArgs {
	return &corev1.EnvVarArgs{Name: pulumi.String(name), ValueFrom: &corev1.EnvVarSourceArgs{
		SecretKeyRef: &corev1.SecretKeySelectorArgs{Name: secret, Key: pulumi.String(key)},
	}}
}

// EmptyDir is a sized scratch volume.
func EmptyDir(name, size string) *corev1.VolumeArgs {
	return &corev1.VolumeArgs{Name: pulumi.String(name), EmptyDir: &corev1.EmptyDirVolumeSourceArgs{SizeLimit: pulumi.String(size)}}
}

// ConfigVolume mounts a ConfigMap.
func ConfigVolume(name string, configMap pulumi.StringInput) *corev1.VolumeArgs {
	return &corev1.VolumeArgs{Name: pulumi.String(name), ConfigMap: &corev1.ConfigMapVolumeSourceArgs{Name: configMap}}
}

// SecretVolume mounts keys of a Secret, and no others.
func SecretVolume(name string, secret pulumi.StringInput, keys ...string) *corev1.VolumeArgs {
	v := &corev1.SecretVolumeSourceArgs{SecretName: secret}
	if len(keys) > 0 {
		var items corev1.KeyToPathArray
		for _, k := range keys {
			items = append(items, &corev1.KeyToPathArgs{Key: pulumi.String(k), Path: pulumi.String(k)})
		}
		v.Items = items
	}
	return &corev1.VolumeArgs{Name: pulumi.String(name), Secret: v}
}

// Mount mounts a volume; everything but scratch space is read-only.
func Mount(name, path string, readOnly bool) *corev1.VolumeMountArgs {
	return &corev1.VolumeMountArgs{Name: pulumi.String(name), MountPath: pulumi.String(path), ReadOnly: pulumi.Bool(readOnly)}
}

// Checksum is a short hash of values, for annotations that roll pods and names
// that make a Job run again.
func Checksum(values ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(values, "\x00")))
	return hex.EncodeToString(sum[:])[:12]
}

// ChecksumOutput is Checksum of values that may be secret. A hash of a
// generated password tells nothing about it, so the result is not secret.
func ChecksumOutput(values ...pulumi.StringInput) pulumi.StringOutput {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	sum := pulumi.All(all...).ApplyT(func(vs []any) string {
		texts := make([]string, len(vs))
		for i, v := range vs {
			texts[i] = v.(string)
		}
		return Checksum(texts...)
	}).(pulumi.StringOutput)
	return pulumi.Unsecret(sum).(pulumi.StringOutput)
}

// Job is the pod of a Job or CronJob.
type Job struct {
	// Labels of the pod.
	Labels pulumi.StringMap
	// ServiceAccount the pod runs as; it never mounts an API token.
	ServiceAccount pulumi.StringInput
	// PullSecrets are names of image pull Secrets.
	PullSecrets []string
	// Init and Containers of the pod, in order.
	Init, Containers corev1.ContainerArray
	// Volumes of the pod.
	Volumes corev1.VolumeArray
	// BackoffLimit is how often a failed pod is tried again.
	BackoffLimit int
	// Deadline ends the Job, in seconds.
	Deadline int
}

// Spec is the specification of the Job.
func (j Job) Spec() *batchv1.JobSpecArgs {
	return &batchv1.JobSpecArgs{
		BackoffLimit:          pulumi.Int(j.BackoffLimit),
		ActiveDeadlineSeconds: pulumi.Int(j.Deadline),
		Template: &corev1.PodTemplateSpecArgs{
			Metadata: &metav1.ObjectMetaArgs{Labels: j.Labels},
			Spec: &corev1.PodSpecArgs{
				RestartPolicy:                pulumi.String("Never"),
				ServiceAccountName:           j.ServiceAccount,
				AutomountServiceAccountToken: pulumi.Bool(false),
				EnableServiceLinks:           pulumi.Bool(false),
				SecurityContext:              Security(),
				ImagePullSecrets:             PullSecrets(j.PullSecrets),
				InitContainers:               j.Init,
				Containers:                   j.Containers,
				Volumes:                      j.Volumes,
			},
		},
	}
}

// RegistrySecret is the name of the image pull Secret in every namespace of ours.
const RegistrySecret = "registry-credentials"

// NewRegistrySecret makes the image pull Secret from the config.json of a Docker
// client.
func NewRegistrySecret(ctx *pulumi.Context, name string, namespace pulumi.StringInput, credentials string, opts ...pulumi.ResourceOption) (*corev1.Secret, error) {
	secret, err := corev1.NewSecret(ctx, name, &corev1.SecretArgs{
		Metadata:   &metav1.ObjectMetaArgs{Name: pulumi.String(RegistrySecret), Namespace: namespace, Labels: Labels(nil, "")},
		Type:       pulumi.String("kubernetes.io/dockerconfigjson"),
		StringData: pulumi.StringMap{dockerConfigKey: pulumi.ToSecret(pulumi.String(credentials)).(pulumi.StringOutput)},
	}, opts...)
	if err != nil {
		return nil, fmt.Errorf("creating the image pull Secret: %w", err)
	}
	return secret, nil
}

// dockerConfigKey is the key that the type of the Secret asks for.
const dockerConfigKey = ".dockerconfigjson"

// PullSecrets are references to image pull Secrets.
func PullSecrets(names []string) corev1.LocalObjectReferenceArray {
	var refs corev1.LocalObjectReferenceArray
	for _, n := range slices.Sorted(slices.Values(names)) {
		refs = append(refs, &corev1.LocalObjectReferenceArgs{Name: pulumi.String(n)})
	}
	return refs
}

// Scope is where workloads are created and from what.
type Scope struct {
	// Namespace of the workload, and the same where it must be known at plan time.
	Namespace     pulumi.StringInput
	NamespaceName string
	// Images resolves container images.
	Images images.Set
	// PullSecrets are names of image pull Secrets.
	PullSecrets []string
	// After must exist before any pod: the namespace's policies.
	After []pulumi.Resource
}

// Join concatenates what must exist first.
func Join(parts ...[]pulumi.Resource) []pulumi.Resource { return slices.Concat(parts...) }

// Concat concatenates volumes; a volume that is named twice is kept once.
func Concat(parts ...corev1.VolumeArray) corev1.VolumeArray {
	var all corev1.VolumeArray
	seen := map[string]bool{}
	for _, v := range slices.Concat(parts...) {
		args, ok := v.(*corev1.VolumeArgs)
		if !ok {
			continue
		}
		name := string(args.Name.(pulumi.String))
		if !seen[name] {
			all = append(all, v)
		}
		seen[name] = true
	}
	return all
}

// ConcatMounts concatenates volume mounts.
func ConcatMounts(parts ...corev1.VolumeMountArray) corev1.VolumeMountArray {
	return slices.Concat(parts...)
}

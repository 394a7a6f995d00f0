// Package scripts carries the Python programs that run as Jobs in the cluster,
// with the MLflow image. They are mounted from a ConfigMap, so that they work
// with the upstream image and with a team's own.
package scripts

import (
	"embed"
	"fmt"
	"io/fs"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

//go:embed *.py
var files embed.FS

// ConfigMapName is the name of the ConfigMap.
const ConfigMapName = "platform-scripts"

const path = "/opt/platform"

// Bucket is the input of bucket.py; what it leaves out has the script's default.
type Bucket struct {
	Bucket          string       `json:"bucket"`
	Region          string       `json:"region"`
	NoncurrentDays  int          `json:"noncurrentDays"`
	AbortUploadDays int          `json:"abortUploadDays"`
	Transitions     []Transition `json:"transitions"`
}

// Transition moves objects to a cheaper storage class at an age.
type Transition struct {
	Days         int    `json:"days"`
	StorageClass string `json:"storageClass"`
}

// All returns the scripts by file name.
func All() (map[string]string, error) {
	names, err := fs.Glob(files, "*.py")
	if err != nil {
		return nil, fmt.Errorf("listing the scripts: %w", err)
	}
	all := map[string]string{}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		all[name] = string(text)
	}
	return all, nil
}

// Checksum changes when a script does.
func Checksum(name string) (string, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	return pod.Checksum(string(text)), nil
}

// NewConfigMap creates the ConfigMap with all scripts.
func NewConfigMap(ctx *pulumi.Context, name string, scope pod.Scope, opts ...pulumi.ResourceOption) (*corev1.ConfigMap, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	return corev1.NewConfigMap(ctx, name, &corev1.ConfigMapArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(ConfigMapName), Namespace: scope.Namespace, Labels: pod.Labels(nil, "")},
		Data:     pulumi.ToStringMap(all),
	}, opts...)
}

// Run is one container that runs a script.
type Run struct {
	// Name of the container, its Image, and the script's file name.
	Name, Image, Script string
	// Args of the script; never secrets, they show in the process list.
	Args []string
	// Env and Mounts beyond the common ones.
	Env    corev1.EnvVarArray
	Mounts corev1.VolumeMountArray
}

// Container makes the container of a Run.
func Container(r Run) *corev1.ContainerArgs {
	return &corev1.ContainerArgs{
		Name: pulumi.String(r.Name), Image: pulumi.String(r.Image), ImagePullPolicy: pulumi.String("IfNotPresent"),
		Command: pulumi.ToStringArray(append([]string{"python3", path + "/" + r.Script}, r.Args...)),
		Env: append(corev1.EnvVarArray{
			pod.Env("HOME", "/tmp"), pod.Env("PYTHONUNBUFFERED", "1"), pod.Env("PYTHONDONTWRITEBYTECODE", "1"),
			pod.Env("MLFLOW_DISABLE_TELEMETRY", "true"), pod.Env("DO_NOT_TRACK", "true"),
		}, r.Env...),
		SecurityContext: pod.ContainerSecurity(),
		// Importing MLflow takes 400 MB.
		Resources: pod.Resources("100m", "256Mi", "1Gi"),
		VolumeMounts: append(corev1.VolumeMountArray{
			pod.Mount("scripts", path, true), pod.Mount("tmp", "/tmp", false),
		}, r.Mounts...),
	}
}

// Volumes are what every Run needs.
func Volumes() corev1.VolumeArray {
	return corev1.VolumeArray{pod.ConfigVolume("scripts", pulumi.String(ConfigMapName)), pod.EmptyDir("tmp", "2Gi")}
}

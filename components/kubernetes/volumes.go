package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	storagev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/storage/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Volumes are the disks of a database in a cloud's cluster.
type Volumes struct {
	// Token is the component's, Class the name of the storage class.
	Token, Class string
	Cluster      *platform.Cluster
	// Provisioner is the driver, Parameters what it makes disks by.
	Provisioner string
	Parameters  pulumi.StringMap
	// Labels are on every disk, by the parameter LabelsKey.
	LabelsKey string
	Labels    map[string]string
	// ReclaimPolicy is what happens to a disk when its claim goes.
	ReclaimPolicy string
	// After must be there before a disk is made.
	After []pulumi.Resource
}

// New makes the storage class: disks that grow and are in the zone of their pod.
// Other labels make the class anew; disks that are there keep theirs.
func (v Volumes) New(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (*storagev1.StorageClass, error) {
	c := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(v.Token, name, c, opts...); err != nil {
		return nil, err
	}
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(v.Labels)) {
		labels = append(labels, key+"="+v.Labels[key])
	}
	parameters := maps.Clone(v.Parameters)
	parameters[v.LabelsKey] = pulumi.String(strings.Join(labels, ","))
	class, err := storagev1.NewStorageClass(ctx, name+"-storage", &storagev1.StorageClassArgs{
		Metadata:    &metav1.ObjectMetaArgs{Name: pulumi.String(v.Class)},
		Provisioner: pulumi.String(v.Provisioner), VolumeBindingMode: pulumi.String("WaitForFirstConsumer"),
		AllowVolumeExpansion: pulumi.Bool(true), ReclaimPolicy: pulumi.String(v.ReclaimPolicy), Parameters: parameters,
	}, component.Options(c, pulumi.Provider(v.Cluster.Provider), pulumi.DependsOn(v.After))...)
	if err != nil {
		return nil, fmt.Errorf("creating the storage class %s: %w", v.Class, err)
	}
	return class, ctx.RegisterResourceOutputs(c, pulumi.Map{})
}

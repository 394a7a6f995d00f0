package gcp

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

// databaseClass is the storage class of a database in the cluster.
const databaseClass = "mlflow-database"

// volumes makes the storage class of a database in the cluster: disks of one zone,
// since every instance has its own, which the stack's key encrypts
// (cloud.google.com/kubernetes-engine/docs/how-to/using-cmek,
// github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver). Other labels
// make the class anew; disks that are there keep theirs.
func (p *Platform) volumes(ctx *pulumi.Context, name string, cluster *platform.Cluster, opts ...pulumi.ResourceOption) (*storagev1.StorageClass, error) {
	v := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(volumesToken, name, v, opts...); err != nil {
		return nil, err
	}
	var labels []string
	all := p.labelTexts()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		labels = append(labels, key+"="+all[key])
	}
	class, err := storagev1.NewStorageClass(ctx, name+"-storage", &storagev1.StorageClassArgs{
		Metadata:    &metav1.ObjectMetaArgs{Name: pulumi.String(databaseClass)},
		Provisioner: pulumi.String("pd.csi.storage.gke.io"), VolumeBindingMode: pulumi.String("WaitForFirstConsumer"),
		AllowVolumeExpansion: pulumi.Bool(true), ReclaimPolicy: pulumi.String(p.settings.ReclaimPolicy()),
		Parameters: pulumi.StringMap{
			"type": pulumi.String("pd-ssd"), "disk-encryption-kms-key": p.made.disks, "labels": pulumi.String(strings.Join(labels, ",")),
		},
	}, component.Options(v, pulumi.Provider(cluster.Provider), pulumi.DependsOn(p.made.disksReady))...)
	if err != nil {
		return nil, fmt.Errorf("creating the storage class %s: %w", databaseClass, err)
	}
	return class, ctx.RegisterResourceOutputs(v, pulumi.Map{})
}

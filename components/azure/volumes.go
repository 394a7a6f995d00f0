package azure

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
// (learn.microsoft.com/azure/aks/azure-disk-customer-managed-keys,
// github.com/kubernetes-sigs/azuredisk-csi-driver/blob/master/docs/driver-parameters.md).
// Other tags make the class anew; disks that are there keep theirs.
func (p *Platform) volumes(ctx *pulumi.Context, name string, cluster *platform.Cluster, opts ...pulumi.ResourceOption) (*storagev1.StorageClass, error) {
	v := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(volumesToken, name, v, opts...); err != nil {
		return nil, err
	}
	var tags []string
	all := p.tagTexts()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		tags = append(tags, key+"="+all[key])
	}
	class, err := storagev1.NewStorageClass(ctx, name+"-storage", &storagev1.StorageClassArgs{
		Metadata:    &metav1.ObjectMetaArgs{Name: pulumi.String(databaseClass)},
		Provisioner: pulumi.String("disk.csi.azure.com"), VolumeBindingMode: pulumi.String("WaitForFirstConsumer"),
		AllowVolumeExpansion: pulumi.Bool(true), ReclaimPolicy: pulumi.String(p.settings.ReclaimPolicy()),
		Parameters: pulumi.StringMap{
			"skuName": pulumi.String("Premium_LRS"), "diskEncryptionSetID": p.made.disks, "networkAccessPolicy": pulumi.String("DenyAll"), "publicNetworkAccess": pulumi.String("Disabled"),
			"tags": pulumi.String(strings.Join(tags, ",")),
		},
	}, component.Options(v, pulumi.Provider(cluster.Provider))...)
	if err != nil {
		return nil, fmt.Errorf("creating the storage class %s: %w", databaseClass, err)
	}
	return class, ctx.RegisterResourceOutputs(v, pulumi.Map{})
}

package azure

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// databaseClass is the storage class of a database in the cluster.
const databaseClass = "mlflow-database"

// volumes are the disks of a database in the cluster: of one zone, since every instance
// has its own, which the stack's key encrypts
// (learn.microsoft.com/azure/aks/azure-disk-customer-managed-keys,
// github.com/kubernetes-sigs/azuredisk-csi-driver/blob/master/docs/driver-parameters.md).
func (p *Platform) volumes(cluster *platform.Cluster) kubernetes.Volumes {
	return kubernetes.Volumes{
		Token: volumesToken, Class: databaseClass, Cluster: cluster, Provisioner: "disk.csi.azure.com", ReclaimPolicy: p.settings.ReclaimPolicy(),
		Parameters: pulumi.StringMap{
			"skuName": pulumi.String("Premium_LRS"), "diskEncryptionSetID": p.made.disks, "networkAccessPolicy": pulumi.String("DenyAll"), "publicNetworkAccess": pulumi.String("Disabled"),
		},
		LabelsKey: "tags", Labels: p.tagTexts(),
	}
}

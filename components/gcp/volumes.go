package gcp

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// databaseClass is the storage class of a database in the cluster.
const databaseClass = "mlflow-database"

// volumes are the disks of a database in the cluster: of one zone, since every instance
// has its own, which the stack's key encrypts
// (cloud.google.com/kubernetes-engine/docs/how-to/using-cmek,
// github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver).
func (p *Platform) volumes(cluster *platform.Cluster) kubernetes.Volumes {
	return kubernetes.Volumes{
		Token: volumesToken, Class: databaseClass, Cluster: cluster, Provisioner: "pd.csi.storage.gke.io", ReclaimPolicy: p.settings.ReclaimPolicy(),
		Parameters: pulumi.StringMap{"type": pulumi.String("pd-ssd"), "disk-encryption-kms-key": p.made.disks},
		LabelsKey:  "labels", Labels: p.labelTexts(), After: p.made.disksReady,
	}
}

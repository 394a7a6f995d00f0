// Package kubernetes is the platform of any existing cluster, local or on
// premises: PostgreSQL runs inside it, the bucket is an S3 endpoint or the
// in-cluster store.
package kubernetes

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// Platform implements platform.Platform.
type Platform struct {
	settings *settings.Settings
}

var _ platform.Platform = (*Platform)(nil)

// New makes the platform for validated settings.
func New(_ *pulumi.Context, s *settings.Settings) (platform.Platform, error) {
	return &Platform{s}, nil
}

// tokens of the component resources.
const (
	networkToken  = "mlflow:kubernetes:Network"
	clusterToken  = "mlflow:kubernetes:Cluster"
	databaseToken = "mlflow:kubernetes:Database"
	bucketToken   = "mlflow:kubernetes:Bucket"
	identityToken = "mlflow:kubernetes:Identity"
)

package kubernetes

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Cluster is the existing one that the kubeconfig's named context reaches.
func (p *Platform) Cluster(ctx *pulumi.Context, name string, _ platform.ClusterArgs, opts ...pulumi.ResourceOption) (*platform.Cluster, error) {
	c := &platform.Cluster{}
	if err := ctx.RegisterComponentResource(clusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	var kubeconfig pulumi.StringPtrInput
	if path := p.settings.Cluster.Kubeconfig; path != "" {
		kubeconfig = pulumi.String(path)
	}
	var err error
	if c.Provider, err = kubernetes.NewProvider(ctx, name+"-provider", &kubernetes.ProviderArgs{
		Context: pulumi.String(p.settings.Cluster.Context), Kubeconfig: kubeconfig,
		EnableServerSideApply: pulumi.Bool(true),
		// Without these a changed Secret or ConfigMap is deleted and made again, and a
		// pod that starts in between cannot mount it. Checksums roll the pods.
		EnableSecretMutable: pulumi.Bool(true), EnableConfigMapMutable: pulumi.Bool(true),
	}, component.Options(c)...); err != nil {
		return nil, fmt.Errorf("creating the Kubernetes provider: %w", err)
	}
	if c.Creator, err = kubernetes.NewProvider(ctx, name+"-creator", &kubernetes.ProviderArgs{
		Context: pulumi.String(p.settings.Cluster.Context), Kubeconfig: kubeconfig,
		EnableServerSideApply: pulumi.Bool(false),
	}, component.Options(c)...); err != nil {
		return nil, fmt.Errorf("creating the Kubernetes provider for what must not exist yet: %w", err)
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{})
}

package kubernetes

import (
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
	if err := c.Connect(ctx, name, kubeconfig, pulumi.String(p.settings.Cluster.Context), nil, component.Options(c)...); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{})
}

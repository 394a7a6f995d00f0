package kubernetes

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Network is the cluster's own; only the API server's addresses come from the
// settings.
func (p *Platform) Network(ctx *pulumi.Context, name string, _ platform.NetworkArgs, opts ...pulumi.ResourceOption) (*platform.Network, error) {
	n := &platform.Network{APIServerCIDRs: p.settings.Cluster.APIServerCIDRs}
	if err := ctx.RegisterComponentResource(networkToken, name, n, opts...); err != nil {
		return nil, err
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{})
}

package kubernetes

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Network is the cluster's own; only the addresses of the API server and of
// resolvers come from the settings.
func (p *Platform) Network(ctx *pulumi.Context, name string, _ platform.NetworkArgs, opts ...pulumi.ResourceOption) (*platform.Network, error) {
	c := p.settings.Cluster
	n := &platform.Network{APIServerCIDRs: c.APIServerCIDRs, APIServerPorts: c.APIServerPorts, DNSCIDRs: c.DNSCIDRs}
	if a := p.settings.Artifacts; a.Store == "s3" {
		port, err := a.Port()
		if err != nil {
			return nil, err
		}
		n.Store = []netpol.Endpoint{{CIDRs: a.CIDRs, Port: port, Why: "the bucket"}}
	}
	if err := ctx.RegisterComponentResource(networkToken, name, n, opts...); err != nil {
		return nil, err
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{})
}

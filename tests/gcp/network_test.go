package gcp_test

import (
	"errors"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// corporate is a network as its owner should make it; edits are what is different.
type corporate struct{ network, subnet, addresses, peering map[string]any }

const corporateLink = "https://www.googleapis.com/compute/v1/projects/ml-platform-prod/global/networks/corporate"

func newCorporate() corporate {
	return corporate{
		network: map[string]any{"id": "projects/ml-platform-prod/global/networks/corporate", "name": "corporate", "selfLink": corporateLink},
		subnet: map[string]any{
			"id": "projects/ml-platform-prod/regions/europe-west1/subnetworks/mlflow", "name": "mlflow", "network": corporateLink,
			"ipCidrRange": "10.60.0.0/24", "privateIpGoogleAccess": true,
			"secondaryIpRanges": []any{
				map[string]any{"rangeName": "mlflow-pods", "ipCidrRange": "10.61.0.0/20"}, map[string]any{"rangeName": "mlflow-services", "ipCidrRange": "10.62.0.0/20"},
			},
		},
		addresses: map[string]any{"address": "10.63.0.0", "prefixLength": 20, "purpose": "VPC_PEERING", "network": corporateLink},
		peering:   map[string]any{"name": "servicenetworking-googleapis-com"},
	}
}

func (c corporate) call(token string) (resource.PropertyMap, error) {
	found, ok := map[string]map[string]any{
		"gcp:compute/getNetwork:getNetwork": c.network, "gcp:compute/getSubnetwork:getSubnetwork": c.subnet,
		"gcp:compute/getGlobalAddress:getGlobalAddress": c.addresses, "gcp:compute/getNetworkPeering:getNetworkPeering": c.peering,
	}[token]
	if !ok || len(found) == 0 {
		return nil, errors.New("googleapi: Error 404: The resource was not found, notFound")
	}
	return resource.NewPropertyMapFromMap(found), nil
}

// TestAnExistingNetworkIsChecked: what Google refuses when half of the stack is made,
// or what would leave nodes without images, is said before anything is.
func TestAnExistingNetworkIsChecked(t *testing.T) {
	t.Parallel()
	const key = "network.ranges."
	for name, c := range map[string]struct {
		edit func(corporate)
		want string
	}{
		"no network":         {func(c corporate) { clear(c.network) }, `network.networkId is "projects/ml-platform-prod/global/networks/corporate"; want a network that Google Cloud shows`},
		"no subnet":          {func(c corporate) { clear(c.subnet) }, key + `subnet is "mlflow"; want a subnet of corporate in europe-west1 that Google Cloud shows`},
		"another network":    {func(c corporate) { c.subnet["network"] = "https://x/networks/other" }, key + `subnet is "mlflow"; want a subnet of corporate`},
		"no private access":  {func(c corporate) { c.subnet["privateIpGoogleAccess"] = false }, key + `subnet is "mlflow"; want a subnet with Private Google Access`},
		"no room for nodes":  {func(c corporate) { c.subnet["ipCidrRange"] = "10.60.0.0/29" }, key + `subnet is "10.60.0.0/29"; want at least 11 addresses`},
		"no pods":            {func(c corporate) { c.secondary(0)["rangeName"] = "other" }, key + `pods is "mlflow-pods"; want the name of a secondary range of mlflow`},
		"no room for pods":   {func(c corporate) { c.secondary(0)["ipCidrRange"] = "10.61.0.0/23" }, key + `pods is "mlflow-pods with 10.61.0.0/23"; want at least 896 addresses: 128 for each of cluster.nodes.max and one more`},
		"no services":        {func(c corporate) { c.secondary(1)["rangeName"] = "other" }, key + `services is "mlflow-services"; want the name of a secondary range of mlflow`},
		"other services":     {func(c corporate) { c.secondary(1)["ipCidrRange"] = "10.64.0.0/20" }, `cluster.serviceCIDR is "10.62.0.0/20"; want 10.64.0.0/20, the range mlflow-services of mlflow`},
		"no database range":  {func(c corporate) { clear(c.addresses) }, key + `database is "google-services"; want a range that Google Cloud shows`},
		"a load balancer's":  {func(c corporate) { c.addresses["purpose"] = "" }, key + `database is "google-services"; want a range of corporate that is set aside for private services access`},
		"a small range":      {func(c corporate) { c.addresses["prefixLength"] = 26 }, key + `database is "google-services with 10.63.0.0/26"; want a /24 or larger`},
		"no peering":         {func(c corporate) { clear(c.peering) }, `network.networkId is "corporate"; want a network with private services access: gcloud services vpc-peerings connect`},
		"control plane pods": {func(c corporate) { c.secondary(0)["ipCidrRange"] = "10.60.240.0/20" }, key + `controlPlane is "10.60.255.0/28"; want a range outside of 10.60.240.0/20, the pods'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, network := run(t, existingNetwork), newCorporate()
			c.edit(network)
			r.Cloud = cloud{network: network}
			refuses(t, r, c.want)
		})
	}
}

func (c corporate) secondary(n int) map[string]any {
	all, ok := c.subnet["secondaryIpRanges"].([]any)
	if !ok {
		panic("no ranges")
	}
	one, ok := all[n].(map[string]any)
	if !ok {
		panic("no range")
	}
	return one
}

// TestAnExistingNetworkIsUsed: the ways out and in are its owner's.
func TestAnExistingNetworkIsUsed(t *testing.T) {
	t.Parallel()
	g := record(t, existingNetwork)
	for _, typ := range []string{
		network, subnet, "gcp:compute/routerNat:RouterNat", "gcp:compute/globalAddress:GlobalAddress", "gcp:servicenetworking/connection:Connection", "gcp:dns/managedZone:ManagedZone",
	} {
		assert.Empty(t, g.OfType(typ))
	}
	gke := g.OfType(cluster)[0]
	assert.True(t, isTrue(gke, "privateClusterConfig.enablePrivateEndpoint"))
	assert.Equal(t, "10.60.255.0/28", text(gke, "privateClusterConfig.masterIpv4CidrBlock"))
	assert.Equal(t, []string{"mlflow-pods", "mlflow-services"},
		[]string{text(gke, "ipAllocationPolicy.clusterSecondaryRangeName"), text(gke, "ipAllocationPolicy.servicesSecondaryRangeName")})
	sql := g.OfType(instance)[0]
	assert.Equal(t, []string{"google-services", "projects/ml-platform-prod/global/networks/corporate"},
		[]string{text(sql, "settings.ipConfiguration.allocatedIpRange"), text(sql, "settings.ipConfiguration.privateNetwork")})

	// Without a managed database the network needs no range for it.
	r, there := run(t, existingNetwork), newCorporate()
	clear(there.addresses)
	clear(there.peering)
	r.Cloud = cloud{network: there}
	r.Config[settings.Project+":database"] = `{"mode": "inCluster"}`
	r.Config[settings.Project+":network"] = `{"networkId": "projects/ml-platform-prod/global/networks/corporate",
		"ranges": {"subnet": "mlflow", "pods": "mlflow-pods", "services": "mlflow-services", "controlPlane": "10.60.255.0/28"}}`
	_, err := graph.Record(r, newProgram())
	require.NoError(t, err)
}

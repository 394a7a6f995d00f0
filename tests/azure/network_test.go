package azure_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// spoke is a virtual network as its owner should make it; edits are what is different.
type spoke struct {
	vnet    map[string]any
	subnets map[string]map[string]any
}

func newSpoke() spoke {
	id := func(of string) map[string]any {
		return map[string]any{"id": "/subscriptions/" + subscription + "/" + of}
	}
	subnet := func(name, cidr string, more map[string]any) map[string]any {
		all := map[string]any{"name": name, "id": "/subscriptions/" + subscription + "/resourceGroups/spoke/subnets/" + name, "addressPrefix": cidr}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	delegated := func(to string) []any { return []any{map[string]any{"name": "d", "serviceName": to}} }
	return spoke{
		vnet: map[string]any{
			"name": "spoke", "location": "northeurope", "addressSpace": map[string]any{"addressPrefixes": []any{"10.60.0.0/16"}},
		},
		subnets: map[string]map[string]any{
			"aks":     subnet("aks", "10.60.8.0/24", map[string]any{"natGateway": id("nat")}),
			"aks-api": subnet("aks-api", "10.60.0.0/28", map[string]any{"delegations": delegated("Microsoft.ContainerService/managedClusters"), "networkSecurityGroup": id("nsg")}),
			"postgresql": subnet("postgresql", "10.60.0.64/26", map[string]any{
				"delegations": delegated("Microsoft.DBforPostgreSQL/flexibleServers"), "serviceEndpoints": []any{map[string]any{"service": "Microsoft.Storage"}},
			}),
			"endpoints": subnet("endpoints", "10.60.0.128/26", nil),
		},
	}
}

func (s spoke) call(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	if token == "azure-native:network:getVirtualNetwork" && len(s.vnet) > 0 {
		return resource.NewPropertyMapFromMap(s.vnet), nil
	}
	if token == "azure-native:network:getSubnet" {
		if subnet, ok := s.subnets[args["subnetName"].StringValue()]; ok {
			return resource.NewPropertyMapFromMap(subnet), nil
		}
	}
	return nil, errors.New(`Status=404 Code="ResourceNotFound" Message="The Resource was not found."`)
}

// TestAnExistingNetworkIsChecked: what Azure refuses when half of the stack is made,
// or what would leave nodes without a way out, is said before anything is.
func TestAnExistingNetworkIsChecked(t *testing.T) {
	t.Parallel()
	const key = "network.subnets."
	for name, c := range map[string]struct {
		edit func(spoke)
		want string
	}{
		"another region":        {func(s spoke) { s.vnet["location"] = "uksouth" }, `network.vnetId is "spoke in uksouth"; want a network in northeurope`},
		"encryption":            {func(s spoke) { s.vnet["encryption"] = map[string]any{"enabled": true} }, `network.vnetId is "spoke"; want a network without encryption, which AKS refuses`},
		"services' addresses":   {func(s spoke) { s.vnet["addressSpace"] = map[string]any{"addressPrefixes": []any{"172.28.0.0/14"}} }, `cluster.serviceCIDR is "172.29.0.0/16"; want a range outside of the network, which has 172.28.0.0/14`},
		"pods' addresses":       {func(s spoke) { s.vnet["addressSpace"] = map[string]any{"addressPrefixes": []any{"10.0.0.0/8"}} }, `network.vnetId is "spoke with 10.0.0.0/8"; want a network outside of 10.244.0.0/16, which pods have`},
		"no subnet":             {func(s spoke) { delete(s.subnets, "endpoints") }, key + `endpoints is "endpoints"; want a subnet of spoke that Azure shows`},
		"no way out":            {func(s spoke) { delete(s.subnets["aks"], "natGateway") }, key + `nodes is "aks"; want a subnet with a NAT gateway, or with a route table that has a way out`},
		"no network":            {func(s spoke) { clear(s.vnet) }, `Microsoft.Network/virtualNetworks/spoke"; want a virtual network that Azure shows`},
		"no room":               {func(s spoke) { s.subnets["aks"]["addressPrefix"] = "10.60.8.0/29" }, key + `nodes is "10.60.8.0/29"; want at least 16 addresses`},
		"delegated nodes":       {func(s spoke) { s.subnets["aks"]["delegations"] = s.subnets["postgresql"]["delegations"] }, key + `nodes is "aks, which is delegated to Microsoft.DBforPostgreSQL/flexibleServers"; want a subnet that is not delegated`},
		"delegated endpoints":   {func(s spoke) { s.subnets["endpoints"]["delegations"] = s.subnets["aks-api"]["delegations"] }, key + `endpoints is "endpoints, which is delegated to Microsoft.ContainerService/managedClusters"; want a subnet that is not delegated`},
		"API not delegated":     {func(s spoke) { delete(s.subnets["aks-api"], "delegations") }, key + `apiServer is "aks-api"; want a subnet that is delegated to Microsoft.ContainerService/managedClusters and to nothing else`},
		"API without room":      {func(s spoke) { s.subnets["aks-api"]["addressPrefix"] = "10.60.0.0/29" }, key + `apiServer is "10.60.0.0/29"; want at least 16 addresses`},
		"database of others":    {func(s spoke) { s.subnets["postgresql"]["delegations"] = s.subnets["aks-api"]["delegations"] }, key + `database is "postgresql"; want a subnet that is delegated to Microsoft.DBforPostgreSQL/flexibleServers and to nothing else`},
		"database without room": {func(s spoke) { s.subnets["postgresql"]["addressPrefix"] = "10.60.0.64/29" }, key + `database is "10.60.0.64/29"; want at least 16 addresses`},
		"no log of the standby": {func(s spoke) { delete(s.subnets["postgresql"], "serviceEndpoints") }, key + `database is "postgresql"; want a subnet with the service endpoint Microsoft.Storage, which the standby needs`},
		"two ranges": {func(s spoke) {
			delete(s.subnets["aks"], "addressPrefix")
			s.subnets["aks"]["addressPrefixes"] = []any{"10.60.8.0/24", "10.60.9.0/24"}
		}, key + `nodes is "aks with [10.60.8.0/24 10.60.9.0/24]"; want a subnet with one address range`},
		"IPv6": {func(s spoke) { s.subnets["endpoints"]["addressPrefix"] = "fd00::/64" }, key + `endpoints is "endpoints with fd00::/64"; want a subnet with IPv4 addresses`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, network := run(t, existingNetwork), newSpoke()
			c.edit(network)
			r.Cloud = cloud{network: network}
			refuses(t, r, c.want)
		})
	}
}

// TestAnExistingNetworkIsUsed: the ways out and in are its owner's.
func TestAnExistingNetworkIsUsed(t *testing.T) {
	t.Parallel()
	g := record(t, existingNetwork)
	for _, typ := range []string{"network:VirtualNetwork", "network:Subnet", "network:NatGateway", "network:NetworkSecurityGroup", "network:PublicIPAddress"} {
		assert.Empty(t, g.OfType("azure-native:"+typ))
	}
	assert.Len(t, g.OfType("azure-native:privatedns:PrivateZone"), 1, "that of the database alone")
	aks := g.OfType("azure-native:containerservice:ManagedCluster")[0]
	assert.Equal(t, "userAssignedNATGateway", text(aks, "networkProfile.outboundType"))
	assert.True(t, isTrue(aks, "apiServerAccessProfile.enablePrivateCluster"))
	assert.False(t, value(aks, "apiServerAccessProfile.authorizedIPRanges").IsArray(), "a private cluster takes none")
	assert.True(t, isTrue(aks, "securityProfile.defender.securityMonitoring.enabled"))
	assert.True(t, isTrue(aks, `addonProfiles["azurepolicy"].enabled`))
	assert.NotContains(t, strings.Join(g.Warnings, "\n"), "network")

	r, network := run(t, existingNetwork), newSpoke()
	network.subnets["aks"]["routeTable"] = network.subnets["aks"]["natGateway"]
	delete(network.subnets["aks"], "natGateway")
	delete(network.subnets["aks-api"], "networkSecurityGroup")
	network.vnet["dhcpOptions"] = map[string]any{"dnsServers": []any{"10.1.1.1"}}
	r.Cloud = cloud{network: network}
	r.Config[settings.Project+":database"] = `{"mode": "inCluster"}`
	r.Config[settings.Project+":network"] = `{"vnetId": "/subscriptions/` + subscription + `/resourceGroups/spoke/providers/Microsoft.Network/virtualNetworks/spoke",
		"subnets": {"nodes": "aks", "apiServer": "aks-api", "endpoints": "endpoints"}}`
	g, err := graph.Record(r, newProgram())
	require.NoError(t, err)
	aks = g.OfType("azure-native:containerservice:ManagedCluster")[0]
	assert.Equal(t, "userDefinedRouting", text(aks, "networkProfile.outboundType"))
	warnings := strings.Join(g.Warnings, "\n")
	assert.Contains(t, warnings, "has DNS servers of its own")
	assert.Contains(t, warnings, "has no network security group")
}

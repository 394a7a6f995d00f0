package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-azure-native-sdk/network/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// existing is the network of network.vnetId while it is looked up.
type existing struct {
	*Platform
	ctx         *pulumi.Context
	group, vnet string
	problems    settings.Problems
	warnings    []string
}

// What a subnet is delegated to.
const (
	delegationAPIServer = "Microsoft.ContainerService/managedClusters"
	delegationDatabase  = "Microsoft.DBforPostgreSQL/flexibleServers"
)

// lookUpNetwork finds the network of network.vnetId, and what does not work there:
// Azure refuses a part of it when half of the stack is made, the rest shows as nodes
// that never join.
func (p *Platform) lookUpNetwork(ctx *pulumi.Context) error {
	s := p.settings.Network
	// The settings have checked the form.
	parts := strings.Split(s.VNetID, "/")
	e := &existing{Platform: p, ctx: ctx, group: parts[4], vnet: parts[8]}
	vnet, err := network.LookupVirtualNetwork(ctx, &network.LookupVirtualNetworkArgs{ResourceGroupName: e.group, VirtualNetworkName: e.vnet}, pulumi.Provider(p.provider))
	if err != nil {
		return fmt.Errorf("network.vnetId is %q; want a virtual network that Azure shows: %w", s.VNetID, err)
	}
	e.checkVNet(vnet)
	nodes := e.subnet("nodes", s.Subnets.Nodes)
	e.checkNodes(nodes)
	apiServer := e.subnet("apiServer", s.Subnets.APIServer)
	e.checkDelegated("apiServer", apiServer, delegationAPIServer)
	e.checkAccess(apiServer)
	endpoints := e.subnet("endpoints", s.Subnets.Endpoints)
	e.checkDelegated("endpoints", endpoints, "")
	var database *existingSubnet
	if p.settings.Database.Mode == "managed" {
		database = e.subnet("database", s.Subnets.Database)
		e.checkDelegated("database", database, delegationDatabase)
		e.checkStandby(database)
	}
	if len(e.problems) > 0 {
		return e.problems
	}
	for _, warning := range e.warnings {
		if err := ctx.Log.Warn(warning, nil); err != nil {
			return fmt.Errorf("logging: %w", err)
		}
	}
	p.made.vnetID = pulumi.String(s.VNetID).ToStringOutput()
	p.made.nodes, p.made.ranges.nodes = nodes.id, nodes.addresses
	p.made.apiServer, p.made.ranges.apiServer = apiServer.id, apiServer.addresses
	p.made.endpoints, p.made.ranges.endpoints = endpoints.id, endpoints.addresses
	if database != nil {
		p.made.database, p.made.ranges.database = database.id, database.addresses
	}
	p.made.outbound = nodes.outbound()
	return nil
}

func (e *existing) warn(format string, args ...any) {
	e.warnings = append(e.warnings, fmt.Sprintf(format, args...))
}

// checkVNet is about the network as a whole.
func (e *existing) checkVNet(vnet *network.LookupVirtualNetworkResult) {
	const key = "network.vnetId"
	region := ""
	if vnet.Location != nil {
		region = *vnet.Location
	}
	e.problems.Want(region == e.settings.Region, key, vnet.Name+" in "+region, "a network in %s", e.settings.Region)
	// learn.microsoft.com/azure/aks/api-server-vnet-integration
	e.problems.Want(vnet.Encryption == nil || !vnet.Encryption.Enabled, key, vnet.Name, "a network without encryption, which AKS refuses")
	if vnet.DhcpOptions != nil && len(vnet.DhcpOptions.DnsServers) > 0 {
		e.warn("%s: %s has DNS servers of its own: nodes, bucket and database find each other only if these ask Azure's, 168.63.129.16", key, vnet.Name)
	}
	if vnet.AddressSpace == nil {
		return
	}
	services, err := netip.ParsePrefix(e.settings.Cluster.ServiceCIDR)
	for _, taken := range vnet.AddressSpace.AddressPrefixes {
		prefix, parseErr := netip.ParsePrefix(taken)
		e.problems.Want(err != nil || parseErr != nil || !services.Overlaps(prefix), "cluster.serviceCIDR", services.String(), "a range outside of the network, which has %s", taken)
		pods := netip.MustParsePrefix(podCIDR)
		e.problems.Want(parseErr != nil || !pods.Overlaps(prefix), key, vnet.Name+" with "+taken, "a network outside of %s, which pods have", podCIDR)
	}
}

// existingSubnet is a subnet that was found.
type existingSubnet struct {
	*network.LookupSubnetResult
	id        pulumi.StringOutput
	addresses netip.Prefix
}

// subnet is nil if it cannot be used at all.
func (e *existing) subnet(role, name string) *existingSubnet {
	key := "network.subnets." + role
	found, err := network.LookupSubnet(e.ctx, &network.LookupSubnetArgs{ResourceGroupName: e.group, VirtualNetworkName: e.vnet, SubnetName: name}, pulumi.Provider(e.provider))
	if err != nil {
		e.problems.Want(false, key, name, "a subnet of %s that Azure shows: %v", e.vnet, err)
		return nil
	}
	// With one range Azure fills in the one field or the other.
	ranges := found.AddressPrefixes
	if found.AddressPrefix != nil {
		ranges = []string{*found.AddressPrefix}
	}
	if len(ranges) != 1 || found.Id == nil {
		e.problems.Want(false, key, name+" with "+fmt.Sprint(ranges), "a subnet with one address range")
		return nil
	}
	addresses, err := netip.ParsePrefix(ranges[0])
	if err != nil || !addresses.Addr().Is4() {
		e.problems.Want(false, key, name+" with "+ranges[0], "a subnet with IPv4 addresses")
		return nil
	}
	return &existingSubnet{LookupSubnetResult: found, id: pulumi.String(*found.Id).ToStringOutput(), addresses: addresses}
}

// checkNodes is about the subnet of the nodes: a way out, which AKS does not make
// there, and room, with one more in each pool while it is upgraded. Azure keeps five
// addresses of a subnet, the load balancer may take one
// (learn.microsoft.com/azure/virtual-network/virtual-networks-faq).
func (e *existing) checkNodes(nodes *existingSubnet) {
	if nodes == nil {
		return
	}
	const key = "network.subnets.nodes"
	e.checkDelegated("nodes", nodes, "")
	e.problems.Want(nodes.NatGateway != nil || nodes.RouteTable != nil, key, *nodes.Name, "a subnet with a NAT gateway, or with a route table that has a way out")
	c := e.settings.Cluster
	need := c.Nodes.Max + c.SystemNodes.Count + 2 + 5 + 1
	room := 1 << (32 - nodes.addresses.Bits())
	e.problems.Want(room >= need, key, nodes.addresses.String(), "at least %d addresses: nodes, those of an upgrade, a load balancer and Azure's own", need)
}

// outbound is how nodes leave, in AKS' words
// (learn.microsoft.com/azure/aks/egress-outboundtype).
func (s *existingSubnet) outbound() string {
	if s.NatGateway != nil {
		return "userAssignedNATGateway"
	}
	return "userDefinedRouting"
}

// checkDelegated is about what a subnet is for: a delegated one takes nothing else
// in, and needs 28 bits (learn.microsoft.com/azure/aks/api-server-vnet-integration,
// .../postgresql/network/concepts-networking-private).
func (e *existing) checkDelegated(role string, s *existingSubnet, service string) {
	if s == nil {
		return
	}
	key := "network.subnets." + role
	var to []string
	for _, d := range s.Delegations {
		if d.ServiceName != nil {
			to = append(to, *d.ServiceName)
		}
	}
	if service == "" {
		e.problems.Want(len(to) == 0, key, *s.Name+", which is delegated to "+strings.Join(to, ", "), "a subnet that is not delegated")
		return
	}
	e.problems.Want(slices.Equal(to, []string{service}), key, *s.Name, "a subnet that is delegated to %s and to nothing else", service)
	e.problems.Want(s.addresses.Bits() <= 28, key, s.addresses.String(), "at least 16 addresses")
}

// checkAccess tells who reaches the API server's private address: in somebody else's
// network that is not the stack's to limit.
func (e *existing) checkAccess(s *existingSubnet) {
	if s != nil && s.NetworkSecurityGroup == nil && e.private() {
		e.warn("network.subnets.apiServer: %s has no network security group, so everything that is connected with the network reaches the API server, not cluster.privateAccessCIDRs alone", *s.Name)
	}
}

// checkStandby is about the standby's log, which goes through Azure's storage
// (learn.microsoft.com/azure/postgresql/network/concepts-networking-private).
func (e *existing) checkStandby(s *existingSubnet) {
	if s == nil {
		return
	}
	has := slices.ContainsFunc(s.ServiceEndpoints, func(one network.ServiceEndpointPropertiesFormatResponse) bool {
		return one.Service != nil && *one.Service == "Microsoft.Storage"
	})
	e.problems.Want(has || !e.settings.Database.HighAvailability, "network.subnets.database", *s.Name, "a subnet with the service endpoint Microsoft.Storage, which the standby needs")
}

// blobZone is the private DNS zone of network.blobDnsZoneId, nil without one.
func (p *Platform) blobZone() pulumi.StringInput {
	if id := p.settings.Network.BlobDNSZoneID; id != "" {
		return pulumi.String(id)
	}
	return nil
}

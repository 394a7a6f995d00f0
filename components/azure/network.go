package azure

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-azure-native-sdk/network/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/privatedns/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/resources/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// suffixBytes are those of a global name's random end, two characters each.
const suffixBytes = 3

// made is what earlier steps made for later ones.
type made struct {
	// group is the name of the resource group, groupID its id.
	group, groupID pulumi.StringOutput
	// inGroup is an option of what only the group can take with it: a subnet is in use
	// for some time after the cluster or the database in it is gone.
	inGroup pulumi.ResourceOption
	suffix  pulumi.StringOutput
	vnetID  pulumi.StringOutput
	// nodes, apiServer, database and endpoints are the ids of the subnets.
	nodes, apiServer, database, endpoints pulumi.StringOutput
	// ranges are their addresses.
	ranges ranges
	// outbound is how nodes reach the internet, in AKS' words.
	outbound string
	// network must be there before anything that uses it.
	network []pulumi.Resource
	// disks is the id of the nodes' disk encryption set.
	disks pulumi.StringOutput
	// keys encrypt what holds data.
	keys *keys
	// issuer signs the tokens of the cluster's ServiceAccounts.
	issuer pulumi.StringOutput
	// alerts is the id of the action group.
	alerts pulumi.StringOutput
	// workspace is the id of the logs'.
	workspace pulumi.StringOutput
	// containers are the ids of the bucket's containers by prefix.
	containers map[string]pulumi.StringOutput
	// admin is the login of a managed database's administrator.
	admin pulumi.Map
}

// ranges are the addresses of the subnets.
type ranges struct{ nodes, apiServer, database, endpoints netip.Prefix }

// plan cuts the network: half of it for nodes, the rest for what needs little. Pods
// have addresses of their own, outside of the network.
func plan(network netip.Prefix) ranges {
	return ranges{
		nodes: platform.Subnet(network, network.Bits()+1, 1), apiServer: platform.Subnet(network, 26, 2),
		database: platform.Subnet(network, 26, 0), endpoints: platform.Subnet(network, 26, 1),
	}
}

// entra are the addresses of login.microsoftonline.com, which hands out tokens for
// the bucket (learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges, id 56).
var entra = []string{"20.20.32.0/19", "20.190.128.0/18", "20.231.128.0/19", "40.126.0.0/18"}

// Network is a resource group with a virtual network: nodes without public
// addresses behind a NAT gateway, a subnet for the API server's addresses, one for the
// database and one for the bucket's private endpoint. Or it is one that is there.
func (p *Platform) Network(ctx *pulumi.Context, name string, _ platform.NetworkArgs, opts ...pulumi.ResourceOption) (*platform.Network, error) {
	own := !p.settings.Network.Existing()
	cidr, err := netip.ParsePrefix(p.settings.Network.CIDR)
	if err != nil {
		return nil, fmt.Errorf("reading network.cidr: %w", err)
	}
	if own {
		p.made.ranges, p.made.outbound = plan(cidr), "userAssignedNATGateway"
	}
	cut := p.made.ranges
	n := &platform.Network{
		APIServerCIDRs: []string{cut.apiServer.String()}, APIServerPorts: p.settings.Cluster.APIServerPorts, DNSCIDRs: p.settings.Cluster.DNSCIDRs,
		Store: []netpol.Endpoint{{CIDRs: append([]string{cut.endpoints.String()}, entra...), Port: 443, Why: "the bucket, and who hands out tokens for it"}},
	}
	if p.settings.Database.Mode == "managed" {
		n.Database = []netpol.Endpoint{{CIDRs: []string{cut.database.String()}, Port: netpol.PostgreSQL.Number}}
	}
	if err := ctx.RegisterComponentResource(networkToken, name, n, opts...); err != nil {
		return nil, err
	}
	if err := p.resourceGroup(ctx, name, n); err != nil {
		return nil, err
	}
	if own {
		if err := p.virtualNetwork(ctx, name, n, cidr); err != nil {
			return nil, err
		}
	}
	if p.made.keys, err = p.newKeys(ctx, name+"-keys", n, place{
		region: p.settings.Region, vault: p.global(p.made.suffix), identity: p.name("encryption"), readers: p.settings.Cluster.APIAccessCIDRs,
	}); err != nil {
		return nil, err
	}
	if err := p.newLogs(ctx, name, n); err != nil {
		return nil, err
	}
	if err := p.newAlerts(ctx, name+"-alerts", n); err != nil {
		return nil, err
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"vnetId": p.made.vnetID})
}

func (p *Platform) resourceGroup(ctx *pulumi.Context, name string, n *platform.Network) error {
	group, err := resources.NewResourceGroup(ctx, name+"-group", &resources.ResourceGroupArgs{
		ResourceGroupName: p.name(), Location: pulumi.String(p.settings.Region), Tags: p.tags(),
	}, p.child(n, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return fmt.Errorf("creating the resource group: %w", err)
	}
	p.made.group, p.made.groupID, p.made.inGroup = group.Name, group.ID().ToStringOutput(), pulumi.DeletedWith(group)
	p.made.suffix, err = p.suffix(ctx, name, n)
	return err
}

// natGateway is the way out: new networks have none by themselves
// (learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access).
func (p *Platform) natGateway(ctx *pulumi.Context, name string, n *platform.Network) (*network.NatGateway, error) {
	address, err := network.NewPublicIPAddress(ctx, name+"-nat-address", &network.PublicIPAddressArgs{
		ResourceGroupName: p.made.group, PublicIpAddressName: p.name("nat"), PublicIPAllocationMethod: pulumi.String("Static"),
		Sku: &network.PublicIPAddressSkuArgs{Name: pulumi.String("Standard")}, Zones: pulumi.ToStringArray(zones), Tags: p.tags(),
	}, p.child(n, p.made.inGroup)...)
	if err != nil {
		return nil, fmt.Errorf("creating the address of the NAT gateway: %w", err)
	}
	gateway, err := network.NewNatGateway(ctx, name+"-nat", &network.NatGatewayArgs{
		ResourceGroupName: p.made.group, NatGatewayName: p.name("nat"), Sku: &network.NatGatewaySkuArgs{Name: pulumi.String("Standard")},
		// Uploads that wait for the server are idle longer than the default, 4 minutes.
		IdleTimeoutInMinutes: pulumi.Int(10),
		PublicIpAddresses:    network.SubResourceArray{&network.SubResourceArgs{Id: address.ID()}}, Tags: p.tags(),
	}, p.child(n, p.made.inGroup)...)
	if err != nil {
		return nil, fmt.Errorf("creating the NAT gateway: %w", err)
	}
	return gateway, nil
}

// virtualNetwork makes the network with its subnets, one after the other: Azure
// changes a network once at a time.
func (p *Platform) virtualNetwork(ctx *pulumi.Context, name string, n *platform.Network, cidr netip.Prefix) error {
	gateway, err := p.natGateway(ctx, name, n)
	if err != nil {
		return err
	}
	vnet, err := network.NewVirtualNetwork(ctx, name+"-vnet", &network.VirtualNetworkArgs{
		ResourceGroupName: p.made.group, VirtualNetworkName: p.name(),
		AddressSpace: &network.AddressSpaceArgs{AddressPrefixes: pulumi.ToStringArray([]string{cidr.String()})}, Tags: p.tags(),
	}, p.child(n, append(protect.Options(p.settings.Protect), p.made.inGroup)...)...)
	if err != nil {
		return fmt.Errorf("creating the virtual network: %w", err)
	}
	p.made.vnetID = vnet.ID().ToStringOutput()
	p.made.network = []pulumi.Resource{vnet}
	parts, err := p.subnets(ctx, name, n, gateway)
	if err != nil {
		return err
	}
	for _, s := range parts {
		args := s.args
		args.ResourceGroupName, args.VirtualNetworkName, args.SubnetName = p.made.group, vnet.Name, pulumi.String(s.role)
		args.DefaultOutboundAccess = pulumi.Bool(false)
		subnet, err := network.NewSubnet(ctx, name+"-"+s.role, &args, p.child(n, pulumi.Protect(p.settings.Protect), pulumi.DependsOn(p.made.network), p.made.inGroup)...)
		if err != nil {
			return fmt.Errorf("creating the subnet %s: %w", s.role, err)
		}
		*s.id = subnet.ID().ToStringOutput()
		p.made.network = append(p.made.network, subnet)
	}
	return nil
}

// subnet is one of the network, and where its id goes.
type subnet struct {
	role string
	id   *pulumi.StringOutput
	args network.SubnetArgs
}

func (p *Platform) subnets(ctx *pulumi.Context, name string, n *platform.Network, gateway *network.NatGateway) ([]subnet, error) {
	cut := p.made.ranges
	delegated := func(role, service string) network.DelegationArray {
		return network.DelegationArray{&network.DelegationArgs{Name: pulumi.String(role), ServiceName: pulumi.String(service)}}
	}
	all := []subnet{{"nodes", &p.made.nodes, network.SubnetArgs{
		AddressPrefix: pulumi.String(cut.nodes.String()), NatGateway: &network.SubResourceArgs{Id: gateway.ID()},
	}}}
	if p.settings.Database.Mode == "managed" {
		firewall, err := p.databaseFirewall(ctx, name, n, cut)
		if err != nil {
			return nil, err
		}
		all = append(all, subnet{"database", &p.made.database, network.SubnetArgs{
			AddressPrefix: pulumi.String(cut.database.String()), NetworkSecurityGroup: &network.NetworkSecurityGroupTypeArgs{Id: firewall.ID()},
			// The standby gets its log through Azure's storage
			// (learn.microsoft.com/azure/postgresql/network/concepts-networking-private).
			ServiceEndpoints: network.ServiceEndpointPropertiesFormatArray{&network.ServiceEndpointPropertiesFormatArgs{Service: pulumi.String("Microsoft.Storage")}},
			Delegations:      delegated("postgresql", delegationDatabase),
		}})
	}
	apiServer := network.SubnetArgs{
		AddressPrefix: pulumi.String(cut.apiServer.String()),
		// learn.microsoft.com/azure/aks/api-server-vnet-integration
		Delegations: delegated("aks", delegationAPIServer),
	}
	if private := p.settings.Cluster.PrivateAccessCIDRs; len(private) > 0 {
		access, err := p.apiServerFirewall(ctx, name, n, cut, private)
		if err != nil {
			return nil, err
		}
		apiServer.NetworkSecurityGroup = &network.NetworkSecurityGroupTypeArgs{Id: access.ID()}
	}
	return append(all, subnet{"api-server", &p.made.apiServer, apiServer}, subnet{"endpoints", &p.made.endpoints, network.SubnetArgs{AddressPrefix: pulumi.String(cut.endpoints.String())}}), nil
}

// databaseFirewall lets the nodes, with whose addresses pods leave the cluster, and
// the database's own standby to the database, and nothing else of the network
// (learn.microsoft.com/azure/postgresql/network/concepts-networking-private).
func (p *Platform) databaseFirewall(ctx *pulumi.Context, name string, n *platform.Network, cut ranges) (*network.NetworkSecurityGroup, error) {
	port := fmt.Sprint(netpol.PostgreSQL.Number)
	return p.firewall(ctx, name, "database", n, []allowed{
		{"nodes", []string{cut.nodes.String()}, []string{port}},
		// The second port is for an upgrade to another major version with a standby
		// (learn.microsoft.com/azure/postgresql/configure-maintain/concepts-major-version-upgrade).
		{"standby", []string{cut.database.String()}, []string{port, "6432"}},
	})
}

// apiServerFirewall lets cluster.privateAccessCIDRs to the API server's address, and
// what the service itself needs there, from nodes, its own load balancer and its
// own instances (learn.microsoft.com/azure/aks/api-server-vnet-integration).
func (p *Platform) apiServerFirewall(ctx *pulumi.Context, name string, n *platform.Network, cut ranges, private []string) (*network.NetworkSecurityGroup, error) {
	return p.firewall(ctx, name, "api-server", n, []allowed{
		{"people", private, []string{"443"}},
		{"nodes", []string{cut.nodes.String()}, []string{"443", "4443"}},
		{"probes", []string{"AzureLoadBalancer"}, []string{"9988"}},
		{"itself", []string{cut.apiServer.String()}, []string{"*"}},
	})
}

// allowed are the sources that reach ports.
type allowed struct {
	role           string
	sources, ports []string
}

// firewall is a network security group that lets in what is allowed and nothing else:
// Azure's own rules let the whole network in, and what is connected with it.
func (p *Platform) firewall(ctx *pulumi.Context, name, part string, n *platform.Network, all []allowed) (*network.NetworkSecurityGroup, error) {
	inbound := func(role string, priority int, access string) *network.SecurityRuleTypeArgs {
		return &network.SecurityRuleTypeArgs{
			Name: pulumi.String(role), Priority: pulumi.Int(priority), Direction: pulumi.String("Inbound"), Access: pulumi.String(access), Protocol: pulumi.String("*"),
			SourcePortRange: pulumi.String("*"), DestinationAddressPrefix: pulumi.String("*"),
		}
	}
	var rules network.SecurityRuleTypeArray
	for i, a := range all {
		rule := inbound(a.role, 100+10*i, "Allow")
		// Azure takes a word, such as a service's, in the singular form only.
		if rule.DestinationPortRanges = pulumi.ToStringArray(a.ports); len(a.ports) == 1 {
			rule.DestinationPortRanges, rule.DestinationPortRange = nil, pulumi.String(a.ports[0])
		}
		if rule.SourceAddressPrefixes = pulumi.ToStringArray(a.sources); len(a.sources) == 1 {
			rule.SourceAddressPrefixes, rule.SourceAddressPrefix = nil, pulumi.String(a.sources[0])
		}
		rules = append(rules, rule)
	}
	others := inbound("others", 4096, "Deny")
	others.SourceAddressPrefix, others.DestinationPortRange = pulumi.String("*"), pulumi.String("*")
	group, err := network.NewNetworkSecurityGroup(ctx, name+"-"+part+"-firewall", &network.NetworkSecurityGroupArgs{
		ResourceGroupName: p.made.group, NetworkSecurityGroupName: p.name(part), Tags: p.tags(), SecurityRules: append(rules, others),
	}, p.child(n, p.made.inGroup)...)
	if err != nil {
		return nil, fmt.Errorf("creating the network security group of the %s: %w", part, err)
	}
	return group, nil
}

// zone is a private DNS zone that the network resolves.
func (p *Platform) zone(ctx *pulumi.Context, name string, parent pulumi.Resource, domain pulumi.StringInput) (*privatedns.PrivateZone, pulumi.Resource, error) {
	// Azure refuses a change of a network, a link too, while it makes another one.
	after := pulumi.DependsOn(p.made.network)
	zone, err := privatedns.NewPrivateZone(ctx, name+"-zone", &privatedns.PrivateZoneArgs{
		ResourceGroupName: p.made.group, PrivateZoneName: domain.ToStringOutput(), Location: pulumi.String("Global"), Tags: p.tags(),
	}, p.child(parent)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the DNS zone of %s: %w", name, err)
	}
	link, err := privatedns.NewVirtualNetworkLink(ctx, name+"-zone-link", &privatedns.VirtualNetworkLinkArgs{
		ResourceGroupName: p.made.group, PrivateZoneName: zone.Name, VirtualNetworkLinkName: p.name(), Location: pulumi.String("Global"),
		RegistrationEnabled: pulumi.Bool(false), VirtualNetwork: &privatedns.SubResourceArgs{Id: p.made.vnetID}, Tags: p.tags(),
	}, p.child(parent, after)...)
	if err != nil {
		return nil, nil, fmt.Errorf("linking the DNS zone of %s: %w", name, err)
	}
	return zone, link, nil
}

package azure

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-azure-native-sdk/network/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/privatedns/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/resources/v3"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
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
	suffix         pulumi.StringOutput
	vnetID         pulumi.StringOutput
	// nodes, database and endpoints are the ids of the subnets.
	nodes, database, endpoints pulumi.StringOutput
	// egress is the address that the cluster's traffic leaves with.
	egress pulumi.StringOutput
	// network must be there before anything that uses it.
	network []pulumi.Resource
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

// ranges cuts the network: half of it for nodes, the rest for what needs little.
// Pods have addresses of their own, outside of the network.
type ranges struct{ nodes, database, endpoints netip.Prefix }

func plan(network netip.Prefix) ranges {
	return ranges{nodes: platform.Subnet(network, network.Bits()+1, 1), database: platform.Subnet(network, 26, 0), endpoints: platform.Subnet(network, 26, 1)}
}

// entra are the addresses of login.microsoftonline.com, which hands out tokens for
// the bucket (learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges, id 56).
var entra = []string{"20.20.32.0/19", "20.190.128.0/18", "20.231.128.0/19", "40.126.0.0/18"}

// Network is a resource group with a virtual network: nodes without public
// addresses behind a NAT gateway, a subnet for the database and one for the
// bucket's private endpoint.
func (p *Platform) Network(ctx *pulumi.Context, name string, _ platform.NetworkArgs, opts ...pulumi.ResourceOption) (*platform.Network, error) {
	cidr, err := netip.ParsePrefix(p.settings.Network.CIDR)
	if err != nil {
		return nil, fmt.Errorf("reading network.cidr: %w", err)
	}
	cut := plan(cidr)
	n := &platform.Network{
		APIServerPorts: p.settings.Cluster.APIServerPorts, DNSCIDRs: p.settings.Cluster.DNSCIDRs,
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
	gateway, err := p.natGateway(ctx, name, n)
	if err != nil {
		return nil, err
	}
	if err := p.subnets(ctx, name, n, cidr, cut, gateway); err != nil {
		return nil, err
	}
	if err := p.newKeys(ctx, name+"-keys", n); err != nil {
		return nil, err
	}
	if err := p.newAlerts(ctx, name+"-alerts", n); err != nil {
		return nil, err
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"vnetId": p.made.vnetID})
}

func (p *Platform) resourceGroup(ctx *pulumi.Context, name string, n *platform.Network) error {
	guard := protect.Options(p.settings.Protect)
	group, err := resources.NewResourceGroup(ctx, name+"-group", &resources.ResourceGroupArgs{
		ResourceGroupName: p.name(), Location: pulumi.String(p.settings.Region), Tags: p.tags(),
	}, p.child(n, guard...)...)
	if err != nil {
		return fmt.Errorf("creating the resource group: %w", err)
	}
	suffix, err := random.NewRandomId(ctx, name+"-suffix", &random.RandomIdArgs{ByteLength: pulumi.Int(suffixBytes)}, component.Options(n, guard...)...)
	if err != nil {
		return fmt.Errorf("naming what must be unique: %w", err)
	}
	p.made.group, p.made.groupID, p.made.suffix = group.Name, group.ID().ToStringOutput(), suffix.Hex
	return nil
}

// natGateway is the way out: new networks have none by themselves
// (learn.microsoft.com/azure/virtual-network/ip-services/default-outbound-access).
func (p *Platform) natGateway(ctx *pulumi.Context, name string, n *platform.Network) (*network.NatGateway, error) {
	address, err := network.NewPublicIPAddress(ctx, name+"-nat-address", &network.PublicIPAddressArgs{
		ResourceGroupName: p.made.group, PublicIpAddressName: p.name("nat"), PublicIPAllocationMethod: pulumi.String("Static"),
		Sku: &network.PublicIPAddressSkuArgs{Name: pulumi.String("Standard")}, Zones: pulumi.ToStringArray(zones), Tags: p.tags(),
	}, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating the address of the NAT gateway: %w", err)
	}
	gateway, err := network.NewNatGateway(ctx, name+"-nat", &network.NatGatewayArgs{
		ResourceGroupName: p.made.group, NatGatewayName: p.name("nat"), Sku: &network.NatGatewaySkuArgs{Name: pulumi.String("Standard")},
		// Uploads that wait for the server are idle longer than the default, 4 minutes.
		IdleTimeoutInMinutes: pulumi.Int(10),
		PublicIpAddresses:    network.SubResourceArray{&network.SubResourceArgs{Id: address.ID()}}, Tags: p.tags(),
	}, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating the NAT gateway: %w", err)
	}
	p.made.egress = address.IpAddress.Elem()
	return gateway, nil
}

// subnets are made one after the other: Azure changes a network once at a time.
func (p *Platform) subnets(ctx *pulumi.Context, name string, n *platform.Network, cidr netip.Prefix, cut ranges, gateway *network.NatGateway) error {
	vnet, err := network.NewVirtualNetwork(ctx, name+"-vnet", &network.VirtualNetworkArgs{
		ResourceGroupName: p.made.group, VirtualNetworkName: p.name(),
		AddressSpace: &network.AddressSpaceArgs{AddressPrefixes: pulumi.ToStringArray([]string{cidr.String()})}, Tags: p.tags(),
	}, p.child(n, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return fmt.Errorf("creating the virtual network: %w", err)
	}
	p.made.vnetID = vnet.ID().ToStringOutput()
	p.made.network = []pulumi.Resource{vnet}
	firewall, err := p.databaseFirewall(ctx, name, n, cut)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		role string
		id   *pulumi.StringOutput
		args network.SubnetArgs
	}{
		{"nodes", &p.made.nodes, network.SubnetArgs{
			AddressPrefix: pulumi.String(cut.nodes.String()), NatGateway: &network.SubResourceArgs{Id: gateway.ID()},
		}},
		{"database", &p.made.database, network.SubnetArgs{
			AddressPrefix: pulumi.String(cut.database.String()), NetworkSecurityGroup: &network.NetworkSecurityGroupTypeArgs{Id: firewall.ID()},
			// The standby gets its log through Azure's storage
			// (learn.microsoft.com/azure/postgresql/network/concepts-networking-private).
			ServiceEndpoints: network.ServiceEndpointPropertiesFormatArray{&network.ServiceEndpointPropertiesFormatArgs{Service: pulumi.String("Microsoft.Storage")}},
			Delegations: network.DelegationArray{&network.DelegationArgs{
				Name: pulumi.String("postgresql"), ServiceName: pulumi.String("Microsoft.DBforPostgreSQL/flexibleServers"),
			}},
		}},
		{"endpoints", &p.made.endpoints, network.SubnetArgs{AddressPrefix: pulumi.String(cut.endpoints.String())}},
	} {
		args := s.args
		args.ResourceGroupName, args.VirtualNetworkName, args.SubnetName = p.made.group, vnet.Name, pulumi.String(s.role)
		args.DefaultOutboundAccess = pulumi.Bool(false)
		subnet, err := network.NewSubnet(ctx, name+"-"+s.role, &args, p.child(n, pulumi.Protect(p.settings.Protect), pulumi.DependsOn(p.made.network))...)
		if err != nil {
			return fmt.Errorf("creating the subnet %s: %w", s.role, err)
		}
		*s.id = subnet.ID().ToStringOutput()
		p.made.network = append(p.made.network, subnet)
	}
	return nil
}

// databaseFirewall lets the nodes, with whose addresses pods leave the cluster, and
// the database's own standby to the database, and nothing else of the network
// (learn.microsoft.com/azure/postgresql/network/concepts-networking-private).
func (p *Platform) databaseFirewall(ctx *pulumi.Context, name string, n *platform.Network, cut ranges) (*network.NetworkSecurityGroup, error) {
	inbound := func(role string, priority int, access, source, port string) *network.SecurityRuleTypeArgs {
		return &network.SecurityRuleTypeArgs{
			Name: pulumi.String(role), Priority: pulumi.Int(priority), Direction: pulumi.String("Inbound"), Access: pulumi.String(access), Protocol: pulumi.String("*"),
			SourceAddressPrefix: pulumi.String(source), SourcePortRange: pulumi.String("*"),
			DestinationAddressPrefix: pulumi.String("*"), DestinationPortRange: pulumi.String(port),
		}
	}
	port := fmt.Sprint(netpol.PostgreSQL.Number)
	firewall, err := network.NewNetworkSecurityGroup(ctx, name+"-database-firewall", &network.NetworkSecurityGroupArgs{
		ResourceGroupName: p.made.group, NetworkSecurityGroupName: p.name("database"), Tags: p.tags(),
		SecurityRules: network.SecurityRuleTypeArray{
			inbound("nodes", 100, "Allow", cut.nodes.String(), port),
			inbound("standby", 110, "Allow", cut.database.String(), port),
			inbound("others", 4096, "Deny", "*", "*"),
		},
	}, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating the database's network security group: %w", err)
	}
	return firewall, nil
}

// zone is a private DNS zone that the network resolves.
func (p *Platform) zone(ctx *pulumi.Context, name string, parent pulumi.Resource, domain pulumi.StringInput) (*privatedns.PrivateZone, pulumi.Resource, error) {
	zone, err := privatedns.NewPrivateZone(ctx, name+"-zone", &privatedns.PrivateZoneArgs{
		ResourceGroupName: p.made.group, PrivateZoneName: domain.ToStringOutput(), Location: pulumi.String("Global"), Tags: p.tags(),
	}, p.child(parent)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the DNS zone of %s: %w", name, err)
	}
	link, err := privatedns.NewVirtualNetworkLink(ctx, name+"-zone-link", &privatedns.VirtualNetworkLinkArgs{
		ResourceGroupName: p.made.group, PrivateZoneName: zone.Name, VirtualNetworkLinkName: p.name(), Location: pulumi.String("Global"),
		RegistrationEnabled: pulumi.Bool(false), VirtualNetwork: &privatedns.SubResourceArgs{Id: p.made.vnetID}, Tags: p.tags(),
	}, p.child(parent)...)
	if err != nil {
		return nil, nil, fmt.Errorf("linking the DNS zone of %s: %w", name, err)
	}
	return zone, link, nil
}

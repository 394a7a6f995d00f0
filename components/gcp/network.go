package gcp

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/dns"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/servicenetworking"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// googleapis are the addresses at which Google's APIs answer inside of networks,
// private.googleapis.com (cloud.google.com/vpc/docs/configure-private-google-access).
const googleapis = "199.36.153.8/30"

// loadBalancers are where Google's global load balancers and their health checks reach
// pods from (cloud.google.com/load-balancing/docs/health-check-concepts).
var loadBalancers = []string{"35.191.0.0/16", "130.211.0.0/22"}

// metadata is where nodes hand out tokens; which of the two a policy sees depends on
// whether it is asked before or after the address is translated
// (cloud.google.com/kubernetes-engine/docs/how-to/network-policy).
var metadata = []netpol.Endpoint{
	{CIDRs: []string{"169.254.169.254/32"}, Port: 80, Why: "tokens for the bucket, from the node"},
	{CIDRs: []string{"169.254.169.252/32"}, Port: 988, Why: "tokens for the bucket, from the node, as GKE translates the address"},
}

// made holds what later steps need of earlier ones.
type made struct {
	// enabled are the services, all and by name.
	enabled  []pulumi.Resource
	services map[string]*projects.Service
	suffix   pulumi.StringOutput
	ring     pulumi.StringOutput
	// network and subnet are ids, ready what must be there before something is in it.
	network, subnet pulumi.StringOutput
	ready           []pulumi.Resource
	ranges          ranges
	// podRange and serviceRange are the names of the subnet's secondary ranges,
	// databaseRange that of what is set aside for the database.
	podRange, serviceRange, databaseRange string
	// peered is the connection with the network in which Google runs the database, if the
	// stack makes it.
	peered []pulumi.Resource
	// people are the notification channels of budget.emails.
	people pulumi.StringArray
	// disks is the key of the nodes' disks and of the database's volumes.
	disks      pulumi.StringOutput
	disksReady []pulumi.Resource
	// buckets are the names by what is in them.
	buckets map[string]pulumi.StringOutput
	// admin is the login of a managed database's administrator.
	admin pulumi.Map
}

// ranges are the parts of network.cidr.
type ranges struct {
	// nodes have a quarter, pods half.
	nodes, pods netip.Prefix
	// database is where Google puts the server, which needs a /24
	// (cloud.google.com/sql/docs/postgres/configure-private-services-access).
	database netip.Prefix
	// apiServer is the control plane's /28.
	apiServer netip.Prefix
}

// maxPods of a node.
const maxPods = settings.GCPNodeAddresses / 2

// plan cuts a prefix of 16 to 20 bits.
func plan(network netip.Prefix) ranges {
	quarter := network.Bits() + 2
	rest := platform.Subnet(network, quarter, 1)
	return ranges{
		nodes: platform.Subnet(network, quarter, 0), pods: platform.Subnet(network, network.Bits()+1, 1),
		database: platform.Subnet(rest, 24, 0), apiServer: platform.Subnet(rest, 28, 16),
	}
}

// planNetwork says which addresses are whose, before anything is made.
func (p *Platform) planNetwork(ctx *pulumi.Context) error {
	if p.settings.Network.Existing() {
		return p.lookUpNetwork(ctx)
	}
	cidr, err := netip.ParsePrefix(p.settings.Network.CIDR)
	if err != nil {
		return fmt.Errorf("reading network.cidr: %w", err)
	}
	p.made.ranges = plan(cidr)
	p.made.podRange, p.made.serviceRange, p.made.databaseRange = "pods", "services", p.name("database")
	return nil
}

// Network is a VPC network with one subnet in the region: neither nodes nor database
// have a public address, and Google's APIs answer inside. With network.networkId it is
// the one that is there.
func (p *Platform) Network(ctx *pulumi.Context, name string, _ platform.NetworkArgs, opts ...pulumi.ResourceOption) (*platform.Network, error) {
	n := &platform.Network{APIServerPorts: []int{443}}
	if err := ctx.RegisterComponentResource(networkToken, name, n, opts...); err != nil {
		return nil, err
	}
	if err := p.services(ctx, "services", opts...); err != nil {
		return nil, err
	}
	var err error
	if p.made.suffix, err = p.suffix(ctx, name, n); err != nil {
		return nil, err
	}
	if err := p.newKeys(ctx, name+"-keys", n); err != nil {
		return nil, err
	}
	if err := p.newAlerts(ctx, name+"-alerts", n); err != nil {
		return nil, err
	}
	store := p.settings.Artifacts.CIDRs
	if !p.settings.Network.Existing() {
		store = []string{googleapis}
		if err := p.ownNetwork(ctx, name, n); err != nil {
			return nil, err
		}
	}
	webhooks, err := p.webhooks(ctx, name, n)
	if err != nil {
		return nil, err
	}
	p.made.ready = append(p.made.ready, webhooks)
	services, err := netip.ParsePrefix(p.settings.Cluster.ServiceCIDR)
	if err != nil {
		return nil, fmt.Errorf("reading cluster.serviceCIDR: %w", err)
	}
	n.APIServerCIDRs = []string{p.made.ranges.apiServer.String(), services.Addr().Next().String() + "/32"}
	n.GatewayCIDRs = loadBalancers
	n.Store = append([]netpol.Endpoint{{CIDRs: store, Port: 443, Why: "the bucket"}}, metadata...)
	if p.settings.Database.Mode == "managed" {
		n.Database = []netpol.Endpoint{{CIDRs: []string{p.made.ranges.database.String()}, Port: netpol.PostgreSQL.Number}}
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"networkId": p.made.network})
}

// ownNetwork makes the network with everything in it.
func (p *Platform) ownNetwork(ctx *pulumi.Context, name string, n *platform.Network) error {
	guard := protect.Options(p.settings.Protect)
	network, err := compute.NewNetwork(ctx, name+"-vpc", &compute.NetworkArgs{
		Name: pulumi.String(p.name()), AutoCreateSubnetworks: pulumi.Bool(false), RoutingMode: pulumi.String("REGIONAL"),
		Description: pulumi.String("MLflow, stack " + p.settings.Stack),
	}, p.child(n, append(guard, pulumi.DependsOn(p.made.enabled))...)...)
	if err != nil {
		return fmt.Errorf("creating the network: %w", err)
	}
	p.made.network = network.ID().ToStringOutput()
	subnet, err := compute.NewSubnetwork(ctx, name+"-subnet", &compute.SubnetworkArgs{
		Name: pulumi.String(p.name("nodes")), Network: p.made.network, Region: pulumi.String(p.settings.Region),
		IpCidrRange: pulumi.String(p.made.ranges.nodes.String()), PrivateIpGoogleAccess: pulumi.Bool(true), StackType: pulumi.String("IPV4_ONLY"),
		SecondaryIpRanges: compute.SubnetworkSecondaryIpRangeArray{
			&compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String(p.made.podRange), IpCidrRange: pulumi.String(p.made.ranges.pods.String())},
			&compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String(p.made.serviceRange), IpCidrRange: pulumi.String(p.settings.Cluster.ServiceCIDR)},
		},
		LogConfig: p.flowLogs(),
	}, p.child(n, guard...)...)
	if err != nil {
		return fmt.Errorf("creating the subnet: %w", err)
	}
	p.made.subnet = subnet.ID().ToStringOutput()
	way, err := p.nat(ctx, name, n)
	if err != nil {
		return err
	}
	names, err := p.googleapisNames(ctx, name, n)
	if err != nil {
		return err
	}
	p.made.ready = append([]pulumi.Resource{way}, names...)
	if p.settings.Database.Mode != "managed" {
		return nil
	}
	return p.peering(ctx, name, n)
}

// flowLogs samples a tenth of the connections, in intervals of ten minutes: Google
// bills them by the GiB (cloud.google.com/vpc/docs/flow-logs).
func (p *Platform) flowLogs() compute.SubnetworkLogConfigPtrInput {
	if !p.settings.Network.FlowLogs {
		return nil
	}
	return &compute.SubnetworkLogConfigArgs{
		AggregationInterval: pulumi.String("INTERVAL_10_MIN"), FlowSampling: pulumi.Float64(0.1), Metadata: pulumi.String("INCLUDE_ALL_METADATA"),
	}
}

// nat is the way out of the nodes, from one address that stays: others can let it in.
func (p *Platform) nat(ctx *pulumi.Context, name string, n *platform.Network) (pulumi.Resource, error) {
	region := pulumi.String(p.settings.Region)
	router, err := compute.NewRouter(ctx, name+"-router", &compute.RouterArgs{
		Name: pulumi.String(p.name()), Network: p.made.network, Region: region,
	}, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating the router: %w", err)
	}
	address, err := compute.NewAddress(ctx, name+"-nat-address", &compute.AddressArgs{
		Name: pulumi.String(p.name("nat")), Region: region, AddressType: pulumi.String("EXTERNAL"), Labels: p.labels(),
	}, p.child(n, pulumi.DependsOn(p.made.enabled))...)
	if err != nil {
		return nil, fmt.Errorf("creating the address of Cloud NAT: %w", err)
	}
	nat, err := compute.NewRouterNat(ctx, name+"-nat", &compute.RouterNatArgs{
		Name: pulumi.String(p.name()), Router: router.Name, Region: region,
		NatIpAllocateOption: pulumi.String("MANUAL_ONLY"), NatIps: pulumi.StringArray{address.ID()},
		SourceSubnetworkIpRangesToNat: pulumi.String("LIST_OF_SUBNETWORKS"),
		Subnetworks: compute.RouterNatSubnetworkArray{&compute.RouterNatSubnetworkArgs{
			Name: p.made.subnet, SourceIpRangesToNats: pulumi.ToStringArray([]string{"ALL_IP_RANGES"}),
		}},
		// A node that pulls many images at once gets more ports than the 64 that each has
		// (cloud.google.com/nat/docs/ports-and-addresses).
		EnableDynamicPortAllocation: pulumi.Bool(true), MinPortsPerVm: pulumi.Int(64), MaxPortsPerVm: pulumi.Int(4096),
		EnableEndpointIndependentMapping: pulumi.Bool(false),
		LogConfig:                        &compute.RouterNatLogConfigArgs{Enable: pulumi.Bool(true), Filter: pulumi.String("ERRORS_ONLY")},
	}, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating Cloud NAT: %w", err)
	}
	return nat, nil
}

// googleapisNames lets the names of Google's APIs lead to addresses inside, the same
// ones for all: policies let pods go there and nowhere else.
func (p *Platform) googleapisNames(ctx *pulumi.Context, name string, n *platform.Network) ([]pulumi.Resource, error) {
	zone, err := dns.NewManagedZone(ctx, name+"-googleapis", &dns.ManagedZoneArgs{
		Name: pulumi.String(p.name("googleapis")), DnsName: pulumi.String("googleapis.com."), Visibility: pulumi.String("private"),
		Description: pulumi.String("Google's APIs, at addresses inside of the network"), ForceDestroy: pulumi.Bool(false), Labels: p.labels(),
		PrivateVisibilityConfig: &dns.ManagedZonePrivateVisibilityConfigArgs{
			Networks: dns.ManagedZonePrivateVisibilityConfigNetworkArray{&dns.ManagedZonePrivateVisibilityConfigNetworkArgs{NetworkUrl: p.made.network}},
		},
	}, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating the DNS zone of Google's APIs: %w", err)
	}
	addresses, err := hosts(googleapis)
	if err != nil {
		return nil, err
	}
	var all []pulumi.Resource
	for _, record := range []struct {
		role, name, kind string
		values           []string
	}{
		{"private", "private.googleapis.com.", "A", addresses},
		{"others", "*.googleapis.com.", "CNAME", []string{"private.googleapis.com."}},
	} {
		set, err := dns.NewRecordSet(ctx, name+"-googleapis-"+record.role, &dns.RecordSetArgs{
			ManagedZone: zone.Name, Name: pulumi.String(record.name), Type: pulumi.String(record.kind), Ttl: pulumi.Int(300), Rrdatas: pulumi.ToStringArray(record.values),
		}, p.child(n)...)
		if err != nil {
			return nil, fmt.Errorf("naming Google's APIs: %w", err)
		}
		all = append(all, set)
	}
	return all, nil
}

// hosts are the addresses of a range.
func hosts(cidr string) ([]string, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", cidr, err)
	}
	var all []string
	for address := prefix.Addr(); prefix.Contains(address); address = address.Next() {
		all = append(all, address.String())
	}
	return all, nil
}

// webhookPort is CloudNativePG's.
const webhookPort = "9443"

// webhooks lets the control plane ask webhooks on the nodes: GKE's own rules know
// kubelet and port 443 only, and not every cluster has a tunnel for the rest
// (cloud.google.com/kubernetes-engine/docs/how-to/private-clusters).
func (p *Platform) webhooks(ctx *pulumi.Context, name string, n *platform.Network) (pulumi.Resource, error) {
	rule, err := compute.NewFirewall(ctx, name+"-webhooks", &compute.FirewallArgs{
		Name: pulumi.String(p.name("webhooks")), Network: p.made.network, Direction: pulumi.String("INGRESS"),
		Description:  pulumi.String("The control plane asks webhooks on nodes"),
		SourceRanges: pulumi.ToStringArray([]string{p.made.ranges.apiServer.String()}), TargetTags: pulumi.ToStringArray([]string{p.name("nodes")}),
		Allows: compute.FirewallAllowArray{&compute.FirewallAllowArgs{Protocol: pulumi.String("tcp"), Ports: pulumi.ToStringArray([]string{webhookPort})}},
	}, p.child(n, pulumi.DependsOn(p.made.enabled))...)
	if err != nil {
		return nil, fmt.Errorf("letting the control plane ask webhooks: %w", err)
	}
	return rule, nil
}

// peering connects the network with the one in which Google runs the database. When
// the stack goes, it stays for up to four days in which a deleted database holds it
// (docs/platforms/gcp.md).
func (p *Platform) peering(ctx *pulumi.Context, name string, n *platform.Network) error {
	guard := protect.Options(p.settings.Protect)
	addresses, err := compute.NewGlobalAddress(ctx, name+"-database-range", &compute.GlobalAddressArgs{
		Name: pulumi.String(p.made.databaseRange), Purpose: pulumi.String("VPC_PEERING"), AddressType: pulumi.String("INTERNAL"), Network: p.made.network,
		Address: pulumi.String(p.made.ranges.database.Addr().String()), PrefixLength: pulumi.Int(p.made.ranges.database.Bits()), Labels: p.labels(),
	}, p.child(n, guard...)...)
	if err != nil {
		return fmt.Errorf("setting addresses aside for the database: %w", err)
	}
	peered, err := servicenetworking.NewConnection(ctx, name+"-peering", &servicenetworking.ConnectionArgs{
		Network: p.made.network, Service: pulumi.String("servicenetworking.googleapis.com"),
		ReservedPeeringRanges: pulumi.StringArray{addresses.Name}, DeletionPolicy: pulumi.String("ABANDON"),
		// One that an earlier stack left in the network is taken.
		UpdateOnCreationFail: pulumi.Bool(true),
	}, p.child(n, guard...)...)
	if err != nil {
		return fmt.Errorf("connecting the network with the database's: %w", err)
	}
	p.made.peered = []pulumi.Resource{peered}
	return nil
}

package aws

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// zones is the number of availability zones.
const zones = 3

// podIdentity is where the Pod Identity agent of a node hands out credentials
// (docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html).
var podIdentity = netpol.Endpoint{CIDRs: []string{"169.254.170.23/32"}, Port: 80, Why: "credentials for the bucket, from the node's agent"}

// apiService is the address of the API server's Service: the first of all. The
// network plugin enforces policies before the Service's address is translated
// (docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html).
func (p *Platform) apiService() (string, error) {
	services, err := netip.ParsePrefix(p.settings.Cluster.ServiceCIDR)
	if err != nil {
		return "", fmt.Errorf("reading cluster.serviceCIDR: %w", err)
	}
	return services.Addr().Next().String() + "/32", nil
}

// noControlPlane are zones in which EKS has no room for control planes
// (docs.aws.amazon.com/eks/latest/userguide/network-reqs.html).
var noControlPlane = []string{"use1-az3", "usw1-az2", "cac1-az3"}

// made holds what later steps need of earlier ones.
type made struct {
	vpc pulumi.StringInput
	// private are the subnets of nodes and pods.
	private, database             pulumi.StringArray
	privateRanges, databaseRanges []netip.Prefix
	network                       []pulumi.Resource
	nodeSecurityGroup             pulumi.StringOutput
	cluster                       pulumi.StringOutput
	identities                    []pulumi.Resource
	bucketKey                     pulumi.StringOutput
	// volumeDriver is the name of the EBS driver's role.
	volumeDriver pulumi.StringOutput
	// alerts is the ARN of the topic.
	alerts pulumi.StringOutput
	// admin is the login of a managed database's administrator.
	admin pulumi.Map
	// recommended are the versions that no setting pins, name: version.
	recommended []string
}

// subnets cuts the VPC: three public /26 for load balancers and NAT gateways,
// three /26 for the database, three private ones for nodes and pods with a
// quarter of the addresses each, because every pod has an address of its own.
type subnets struct{ public, database, private []netip.Prefix }

// plan cuts a prefix of 16 to 20 bits.
func plan(vpc netip.Prefix) subnets {
	var s subnets
	quarter := vpc.Bits() + 2
	for i := range zones {
		s.private = append(s.private, platform.Subnet(vpc, quarter, i+1))
		s.public = append(s.public, platform.Subnet(vpc, 26, i))
		s.database = append(s.database, platform.Subnet(vpc, 26, zones+i))
	}
	return s
}

// Network is a VPC over three zones: nodes and database have no public address,
// traffic to S3 stays inside. With network.vpcId it is the one that is there.
func (p *Platform) Network(ctx *pulumi.Context, name string, _ platform.NetworkArgs, opts ...pulumi.ResourceOption) (*platform.Network, error) {
	n := &platform.Network{APIServerPorts: []int{443}}
	if err := ctx.RegisterComponentResource(networkToken, name, n, opts...); err != nil {
		return nil, err
	}
	// The bucket is reached through the gateway endpoint, at S3's own addresses.
	prefixes, err := ec2.GetPrefixList(ctx, &ec2.GetPrefixListArgs{Name: pulumi.StringRef(p.endpointService("s3"))}, pulumi.Provider(p.provider))
	if err != nil {
		return nil, fmt.Errorf("looking up the addresses of S3 in %s: %w", p.settings.Region, err)
	}
	n.Store = []netpol.Endpoint{{CIDRs: append(prefixes.CidrBlocks, p.settings.Artifacts.CIDRs...), Port: 443, Why: "the bucket"}, podIdentity}
	if err := p.alerts(ctx, "alerts", opts...); err != nil {
		return nil, err
	}
	if p.settings.Network.VPCID == "" {
		if err := p.ownNetwork(ctx, name, n); err != nil {
			return nil, err
		}
	}
	service, err := p.apiService()
	if err != nil {
		return nil, err
	}
	n.APIServerCIDRs = append(texts(p.made.privateRanges), service)
	if p.settings.Database.Mode == "managed" {
		n.Database = []netpol.Endpoint{{CIDRs: texts(p.made.databaseRanges), Port: netpol.PostgreSQL.Number}}
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"vpcId": p.made.vpc})
}

// ownNetwork makes the VPC with everything in it.
func (p *Platform) ownNetwork(ctx *pulumi.Context, name string, n *platform.Network) error {
	cidr, err := netip.ParsePrefix(p.settings.Network.CIDR)
	if err != nil {
		return fmt.Errorf("reading network.cidr: %w", err)
	}
	available, err := aws.GetAvailabilityZones(ctx, &aws.GetAvailabilityZonesArgs{
		// Local zones take neither EKS nor RDS. Impaired zones stay in the list: a
		// subnet does not move because of an outage.
		Filters:        []aws.GetAvailabilityZonesFilter{{Name: "opt-in-status", Values: []string{"opt-in-not-required"}}},
		ExcludeZoneIds: noControlPlane,
	}, pulumi.Provider(p.provider))
	if err != nil {
		return fmt.Errorf("listing the zones of %s: %w", p.settings.Region, err)
	}
	offered, err := p.zonesWithNodes(ctx)
	if err != nil {
		return err
	}
	names := slices.DeleteFunc(available.Names, func(zone string) bool { return !slices.Contains(offered, zone) })
	if len(names) < zones {
		return fmt.Errorf("cluster.nodes.type is %q in %s, in %d zones that EKS is in; want at least %d", p.settings.Cluster.Nodes.Type, p.settings.Region, len(names), zones)
	}
	if err := p.vpc(ctx, name, n, cidr); err != nil {
		return err
	}
	cut := plan(cidr)
	p.made.privateRanges, p.made.databaseRanges = cut.private, cut.database
	return p.subnets(ctx, name, n, cut, names[:zones])
}

// zonesWithNodes are those that have cluster.nodes.type: in the others EKS refuses
// the nodes when network and cluster are made.
func (p *Platform) zonesWithNodes(ctx *pulumi.Context) ([]string, error) {
	kind, where := p.settings.Cluster.Nodes.Type, "availability-zone"
	offers, err := ec2.GetInstanceTypeOfferings(ctx, &ec2.GetInstanceTypeOfferingsArgs{
		LocationType: &where,
		Filters:      []ec2.GetInstanceTypeOfferingsFilter{{Name: "instance-type", Values: []string{kind}}},
	}, pulumi.Provider(p.provider))
	if err != nil {
		return nil, fmt.Errorf("asking where %s is: %w", kind, err)
	}
	return offers.Locations, nil
}

func (p *Platform) vpc(ctx *pulumi.Context, name string, n *platform.Network, cidr netip.Prefix) error {
	vpc, err := ec2.NewVpc(ctx, name+"-vpc", &ec2.VpcArgs{
		CidrBlock: pulumi.String(cidr.String()), EnableDnsSupport: pulumi.Bool(true), EnableDnsHostnames: pulumi.Bool(true),
		Tags: p.tags("vpc"),
	}, p.child(n, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return fmt.Errorf("creating the VPC: %w", err)
	}
	p.made.vpc = vpc.ID()
	// The group that everything without one of its own gets: nothing in, nothing
	// out (CIS AWS Foundations 5.4).
	if _, err := ec2.NewDefaultSecurityGroup(ctx, name+"-default-group", &ec2.DefaultSecurityGroupArgs{
		VpcId: p.made.vpc, Tags: p.tags("default-closed"),
	}, p.child(n)...); err != nil {
		return fmt.Errorf("closing the default security group: %w", err)
	}
	if !p.settings.Network.FlowLogs {
		return nil
	}
	return p.flowLogs(ctx, name, n)
}

// subnets makes the subnets with their ways out.
func (p *Platform) subnets(ctx *pulumi.Context, name string, n *platform.Network, cut subnets, zoneNames []string) error {
	internet, err := ec2.NewInternetGateway(ctx, name+"-internet", &ec2.InternetGatewayArgs{
		VpcId: p.made.vpc, Tags: p.tags("internet"),
	}, p.child(n)...)
	if err != nil {
		return fmt.Errorf("creating the internet gateway: %w", err)
	}
	public, err := p.routeTable(ctx, name+"-public", n, "public")
	if err != nil {
		return err
	}
	out, err := p.route(ctx, name+"-public-default", n, &ec2.RouteArgs{
		RouteTableId: public.ID(), DestinationCidrBlock: pulumi.String("0.0.0.0/0"), GatewayId: internet.ID(),
	})
	if err != nil {
		return err
	}
	p.made.network = append(p.made.network, out)
	isolated, err := p.routeTable(ctx, name+"-database", n, "database")
	if err != nil {
		return err
	}
	tables := pulumi.StringArray{}
	var nat *ec2.NatGateway
	for i, zone := range zoneNames {
		// These tags tell load balancer controllers where to put what
		// (docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html).
		s, err := p.subnet(ctx, name, n, "public", zone, i, cut.public[i], public, map[string]string{"kubernetes.io/role/elb": "1"})
		if err != nil {
			return err
		}
		if i < p.settings.Network.NATGateways {
			if nat, err = p.nat(ctx, fmt.Sprintf("%s-%d", name, i), n, s, out); err != nil {
				return err
			}
		}
		table, err := p.routeTable(ctx, fmt.Sprintf("%s-private-%d", name, i), n, "private-"+zone)
		if err != nil {
			return err
		}
		way, err := p.route(ctx, fmt.Sprintf("%s-private-%d-default", name, i), n, &ec2.RouteArgs{
			RouteTableId: table.ID(), DestinationCidrBlock: pulumi.String("0.0.0.0/0"), NatGatewayId: nat.ID(),
		})
		if err != nil {
			return err
		}
		p.made.network = append(p.made.network, way)
		tables = append(tables, table.ID().ToStringOutput())
		if s, err = p.subnet(ctx, name, n, "private", zone, i, cut.private[i], table, map[string]string{"kubernetes.io/role/internal-elb": "1"}); err != nil {
			return err
		}
		p.made.private = append(p.made.private, s.ID().ToStringOutput())
		if s, err = p.subnet(ctx, name, n, "database", zone, i, cut.database[i], isolated, nil); err != nil {
			return err
		}
		p.made.database = append(p.made.database, s.ID().ToStringOutput())
	}
	return p.storeEndpoint(ctx, name, n, tables)
}

func (p *Platform) subnet(ctx *pulumi.Context, name string, n *platform.Network, role, zone string, i int, cidr netip.Prefix, table *ec2.RouteTable, more map[string]string) (*ec2.Subnet, error) {
	tags := p.tags(role + "-" + zone)
	for k, v := range more {
		tags[k] = pulumi.String(v)
	}
	logical := fmt.Sprintf("%s-%s-%d-subnet", name, role, i)
	s, err := ec2.NewSubnet(ctx, logical, &ec2.SubnetArgs{
		VpcId: p.made.vpc, CidrBlock: pulumi.String(cidr.String()), AvailabilityZone: pulumi.String(zone),
		MapPublicIpOnLaunch: pulumi.Bool(false), Tags: tags,
	}, p.child(n, append(protect.Options(p.settings.Protect),
		// A zone that AWS adds would move the names of the others by one.
		pulumi.IgnoreChanges([]string{"availabilityZone"}))...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the %s subnet of %s: %w", role, zone, err)
	}
	joined, err := ec2.NewRouteTableAssociation(ctx, logical+"-routes", &ec2.RouteTableAssociationArgs{
		SubnetId: s.ID(), RouteTableId: table.ID(),
	}, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("routing the %s subnet of %s: %w", role, zone, err)
	}
	p.made.network = append(p.made.network, joined)
	return s, nil
}

// nat is the way out of a zone's private subnets. With one for all zones a
// zone's failure takes the way out of all with it, and traffic between zones is
// billed: network.natGateways trades that for about 33 USD a month each.
func (p *Platform) nat(ctx *pulumi.Context, name string, n *platform.Network, public *ec2.Subnet, internet pulumi.Resource) (*ec2.NatGateway, error) {
	address, err := ec2.NewEip(ctx, name+"-nat-address", &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: p.tags("nat")},
		p.child(n, pulumi.DependsOn([]pulumi.Resource{internet}))...)
	if err != nil {
		return nil, fmt.Errorf("creating the address of a NAT gateway: %w", err)
	}
	gateway, err := ec2.NewNatGateway(ctx, name+"-nat", &ec2.NatGatewayArgs{
		SubnetId: public.ID(), AllocationId: address.ID(), Tags: p.tags("nat"),
	}, p.child(n, pulumi.DependsOn([]pulumi.Resource{internet}))...)
	if err != nil {
		return nil, fmt.Errorf("creating a NAT gateway: %w", err)
	}
	return gateway, nil
}

// storeEndpoint keeps traffic to S3 inside, for this account's buckets and for
// those from which nodes pull images and packages.
func (p *Platform) storeEndpoint(ctx *pulumi.Context, name string, n *platform.Network, tables pulumi.StringArray) error {
	var readable []string
	for _, bucket := range p.settings.Network.ReadableBuckets {
		readable = append(readable, fmt.Sprintf("arn:%s:s3:::%s/*", partition, bucket))
	}
	endpoint, err := ec2.NewVpcEndpoint(ctx, name+"-s3", &ec2.VpcEndpointArgs{
		VpcId: p.made.vpc, ServiceName: pulumi.String(p.endpointService("s3")), VpcEndpointType: pulumi.String("Gateway"),
		RouteTableIds: tables, Tags: p.tags("s3"),
		Policy: document(
			statement{
				Sid: "OwnBuckets", Effect: "Allow", Principal: "*", Action: []string{"s3:*"}, Resource: "*",
				Condition: map[string]any{"StringEquals": map[string]any{"s3:ResourceAccount": p.settings.Account}},
			},
			// Layers of container images and packages of Amazon Linux
			// (docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html).
			statement{
				Sid: "ImagesAndPackages", Effect: "Allow", Principal: "*", Action: []string{"s3:GetObject"},
				Resource: append(readable,
					fmt.Sprintf("arn:%s:s3:::prod-%s-starport-layer-bucket/*", partition, p.settings.Region),
					fmt.Sprintf("arn:%s:s3:::al2023-repos-%s-de612dc2/*", partition, p.settings.Region),
					// registry.k8s.io sends nodes in AWS here.
					fmt.Sprintf("arn:%s:s3:::prod-registry-k8s-io-%s/*", partition, p.settings.Region),
					// Docker Hub, where the gateway's image is, sends everybody in AWS here; from
					// us-east-1 the way leads through this endpoint.
					fmt.Sprintf("arn:%s:s3:::docker-images-prod/*", partition),
				),
			},
		),
	}, p.child(n)...)
	if err != nil {
		return fmt.Errorf("creating the S3 endpoint: %w", err)
	}
	p.made.network = append(p.made.network, endpoint)
	return nil
}

func (p *Platform) routeTable(ctx *pulumi.Context, name string, n *platform.Network, role string) (*ec2.RouteTable, error) {
	t, err := ec2.NewRouteTable(ctx, name+"-routes", &ec2.RouteTableArgs{VpcId: p.made.vpc, Tags: p.tags(role)}, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating the %s route table: %w", role, err)
	}
	return t, nil
}

func (p *Platform) route(ctx *pulumi.Context, name string, n *platform.Network, args *ec2.RouteArgs) (*ec2.Route, error) {
	r, err := ec2.NewRoute(ctx, name, args, p.child(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating route %s: %w", name, err)
	}
	return r, nil
}

func (p *Platform) endpointService(service string) string {
	return "com.amazonaws." + p.settings.Region + "." + service
}

func texts(prefixes []netip.Prefix) []string {
	var all []string
	for _, p := range prefixes {
		all = append(all, p.String())
	}
	return all
}

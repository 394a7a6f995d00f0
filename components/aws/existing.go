package aws

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// The keys of the subnets.
const (
	privateKey  = "network.privateSubnetIds"
	databaseKey = "network.databaseSubnetIds"
	balancerKey = "network.loadBalancerSubnetIds"
)

// existing is the network of network.vpcId while it is looked up.
type existing struct {
	*Platform
	ctx  *pulumi.Context
	with pulumi.InvokeOption
	vpc  *ec2.LookupVpcResult
	// cluster is nil before there is one.
	cluster  *eks.LookupClusterResult
	problems settings.Problems
	warnings []string
}

// existingSubnet is a subnet with the route table that is in force there, nil if
// nobody but the network's owner sees it.
type existingSubnet struct {
	*ec2.LookupSubnetResult
	routes *ec2.LookupRouteTableResult
}

// lookUpNetwork finds the network of network.vpcId, and what does not work there:
// AWS refuses a part of it when half of the stack is made, the rest shows as nodes
// that never join and a load balancer that nobody reaches.
func (p *Platform) lookUpNetwork(ctx *pulumi.Context) error {
	s := p.settings.Network
	e := &existing{Platform: p, ctx: ctx, with: pulumi.Provider(p.provider)}
	var err error
	if e.vpc, err = ec2.LookupVpc(ctx, &ec2.LookupVpcArgs{Id: &s.VPCID}, e.with); err != nil {
		return fmt.Errorf("network.vpcId is %q; want a VPC of %s that AWS shows: %w", s.VPCID, p.settings.Region, err)
	}
	e.checkVPC()
	private := e.subnets(privateKey, s.PrivateSubnetIDs)
	e.checkPrivate(private)
	e.checkStoreEndpoints(private)
	if err := e.checkNodes(private); err != nil {
		return err
	}
	database := private
	if len(s.DatabaseSubnetIDs) > 0 {
		database = e.subnets(databaseKey, s.DatabaseSubnetIDs)
		e.checkDatabase(database)
	}
	e.checkKept(private)
	e.checkBalancer(e.subnets(balancerKey, s.LoadBalancerSubnetIDs), private)
	if len(e.problems) > 0 {
		return e.problems
	}
	for _, warning := range e.warnings {
		if err := ctx.Log.Warn(warning, nil); err != nil {
			return fmt.Errorf("logging: %w", err)
		}
	}
	p.made.vpc = pulumi.String(s.VPCID)
	p.made.private, p.made.privateRanges = use(private)
	p.made.database, p.made.databaseRanges = use(database)
	return nil
}

func (e *existing) warn(format string, args ...any) {
	e.warnings = append(e.warnings, fmt.Sprintf(format, args...))
}

// shared says whether the network is somebody else's, who shares it through AWS
// RAM: its route tables and endpoints do not always show here.
func (e *existing) shared() bool { return e.vpc.OwnerId != e.settings.Account }

// checkVPC is about the network as a whole.
func (e *existing) checkVPC() {
	// Nodes find the API server's private address by name, from the resolver of AWS
	// (docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html).
	e.problems.Want(e.vpc.EnableDnsSupport && e.vpc.EnableDnsHostnames, "network.vpcId", e.vpc.Id, "a VPC with DNS resolution and DNS hostnames on")
	options, err := ec2.LookupVpcDhcpOptions(e.ctx, &ec2.LookupVpcDhcpOptionsArgs{DhcpOptionsId: &e.vpc.DhcpOptionsId}, e.with)
	if err != nil || !slices.Contains(options.DomainNameServers, "AmazonProvidedDNS") {
		e.warn("network.vpcId: %s does not show AmazonProvidedDNS in its DHCP options: nodes join only if their resolvers ask it", e.vpc.Id)
	}
	services, err := netip.ParsePrefix(e.settings.Cluster.ServiceCIDR)
	for _, part := range e.vpc.CidrBlockAssociations {
		taken, parseErr := netip.ParsePrefix(part.CidrBlock)
		e.problems.Want(err != nil || parseErr != nil || !services.Overlaps(taken), "cluster.serviceCIDR", services.String(), "a range outside of the VPC, which has %s", part.CidrBlock)
	}
	// Neither cluster nor database moves; a new security group and new nodes would be
	// made before that shows.
	if cluster, err := eks.LookupCluster(e.ctx, &eks.LookupClusterArgs{Name: e.name(naming.EKS)}, e.with); err == nil {
		e.cluster = cluster
		e.problems.Want(cluster.VpcConfig.VpcId == e.vpc.Id, "network.vpcId", e.vpc.Id, "%s, where the cluster is: a stack keeps its network", cluster.VpcConfig.VpcId)
	}
}

// subnets looks subnets up; those that cannot be used at all are left out.
func (e *existing) subnets(key string, ids []string) []existingSubnet {
	var all []existingSubnet
	for _, id := range ids {
		subnet, err := ec2.LookupSubnet(e.ctx, &ec2.LookupSubnetArgs{Id: &id}, e.with)
		if err != nil {
			e.problems.Want(false, key, id, "a subnet that AWS shows: %v", err)
			continue
		}
		e.problems.Want(subnet.VpcId == e.vpc.Id, key, id, "a subnet of %s", e.vpc.Id)
		// Local Zones have names such as us-west-2-lax-1a; EKS, RDS and network load
		// balancers are in none of these.
		zone, regular := strings.CutPrefix(subnet.AvailabilityZone, e.settings.Region)
		if regular = regular && len(zone) == 1 && subnet.OutpostArn == "" && subnet.CidrBlock != ""; !regular {
			e.problems.Want(false, key, id, "a subnet with IPv4 addresses in an availability zone, no Local Zone and no Outpost")
			continue
		}
		all = append(all, existingSubnet{subnet, e.routes(key, id)})
	}
	return all
}

func (e *existing) routes(key, id string) *ec2.LookupRouteTableResult {
	routes, err := ec2.LookupRouteTable(e.ctx, &ec2.LookupRouteTableArgs{SubnetId: &id}, e.with)
	if err != nil && e.vpc.MainRouteTableId != "" {
		// A subnet without a table of its own has the VPC's.
		routes, err = ec2.LookupRouteTable(e.ctx, &ec2.LookupRouteTableArgs{RouteTableId: &e.vpc.MainRouteTableId}, e.with)
	}
	if err != nil {
		e.warn("%s: the routes of %s do not show, so they were not checked: %v", key, id, err)
		return nil
	}
	return routes
}

// checkPrivate is about subnets from which nothing but a gateway leads out: nodes
// have no public address, and with the internet gateway for a route would reach
// nothing.
func (e *existing) checkPrivate(all []existingSubnet) {
	e.problems.Want(len(zonesOf(all)) >= zones, privateKey, e.settings.Network.PrivateSubnetIDs, "subnets in %d zones", zones)
	for _, s := range all {
		e.problems.Want(!slices.Contains(noControlPlane, s.AvailabilityZoneId), privateKey, s.Id, "a subnet in another zone: EKS has no room for control planes in %s", s.AvailabilityZone)
		e.problems.Want(!s.MapPublicIpOnLaunch, privateKey, s.Id, "a subnet that gives out no public addresses")
		e.problems.Want(!s.public(), privateKey, s.Id, "a subnet whose way out is not an internet gateway")
		cidr, err := netip.ParsePrefix(s.CidrBlock)
		// A node takes two interfaces' worth of addresses, 30 with m7i.xlarge, for pods
		// that are still to come (docs.aws.amazon.com/eks/latest/best-practices/vpc-cni.html).
		e.problems.Want(err == nil && cidr.Bits() <= 26, privateKey, s.Id, "a subnet of at least 64 addresses: every pod has one")
		if s.routes != nil && !slices.ContainsFunc(s.routes.Routes, isDefault) {
			e.warn("%s: %s shows no default route: without one nodes join and pull images only through interface endpoints", privateKey, s.Id)
		}
	}
}

// checkNodes is about whether there are such nodes where the subnets are.
func (e *existing) checkNodes(all []existingSubnet) error {
	offered, err := e.zonesWithNodes(e.ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		e.problems.Want(slices.Contains(offered, s.AvailabilityZone), privateKey, s.Id, "a subnet in another zone, or another cluster.nodes.type: %s has no %s",
			s.AvailabilityZone, e.settings.Cluster.Nodes.Type)
	}
	return nil
}

// checkKept is about what cannot move once it is there: a cluster takes subnets of
// its first zones only, a database gives up no subnet
// (docs.aws.amazon.com/eks/latest/userguide/network-reqs.html,
// docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html).
func (e *existing) checkKept(private []existingSubnet) {
	if e.cluster != nil {
		var first []string
		for _, id := range e.cluster.VpcConfig.SubnetIds {
			if subnet, err := ec2.LookupSubnet(e.ctx, &ec2.LookupSubnetArgs{Id: &id}, e.with); err == nil {
				first = append(first, subnet.AvailabilityZone)
			}
		}
		for _, s := range private {
			e.problems.Want(len(first) == 0 || slices.Contains(first, s.AvailabilityZone), privateKey, s.Id, "a subnet in the zones of the cluster, %s, which it keeps", strings.Join(slices.Compact(slices.Sorted(slices.Values(first))), " and "))
		}
	}
	if e.settings.Database.Mode != "managed" {
		return
	}
	group, err := rds.LookupSubnetGroup(e.ctx, &rds.LookupSubnetGroupArgs{Name: e.name(naming.RDS)}, e.with)
	if err != nil {
		return
	}
	key, listed := databaseKey, e.settings.Network.DatabaseSubnetIDs
	if len(listed) == 0 {
		key, listed = privateKey, e.settings.Network.PrivateSubnetIDs
	}
	for _, id := range group.SubnetIds {
		e.problems.Want(slices.Contains(listed, id), key, listed, "%s too: the database is in it, and RDS gives up no subnet", id)
	}
}

// checkDatabase is about subnets of their own for the database.
func (e *existing) checkDatabase(all []existingSubnet) {
	// RDS asks for two zones (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html).
	e.problems.Want(len(zonesOf(all)) >= 2, databaseKey, e.settings.Network.DatabaseSubnetIDs, "subnets in at least 2 zones")
	for _, s := range all {
		e.problems.Want(!s.public(), databaseKey, s.Id, "a subnet without a way to the internet gateway")
	}
}

// checkStoreEndpoints is about the way to S3: one with addresses that the policies
// do not know is closed, one through a gateway for everything is billed.
func (e *existing) checkStoreEndpoints(all []existingSubnet) {
	find := func(kind string) (*ec2.LookupVpcEndpointResult, error) {
		return ec2.LookupVpcEndpoint(e.ctx, &ec2.LookupVpcEndpointArgs{
			VpcId: &e.vpc.Id, ServiceName: pulumi.StringRef(e.endpointService("s3")),
			Filters: []ec2.GetVpcEndpointFilter{{Name: "vpc-endpoint-type", Values: []string{kind}}},
		}, e.with)
	}
	if inner, err := find("Interface"); err == nil && inner.PrivateDnsEnabled && len(e.settings.Artifacts.CIDRs) == 0 {
		forOthers := slices.ContainsFunc(inner.DnsOptions, func(o ec2.GetVpcEndpointDnsOption) bool { return o.PrivateDnsOnlyForInboundResolverEndpoint })
		e.problems.Want(forOthers, "artifacts.cidrs", e.settings.Artifacts.CIDRs, "the addresses of %s, the interface endpoint that S3's names lead to in %s", inner.Id, e.vpc.Id)
	}
	endpoint, err := find("Gateway")
	switch {
	case err != nil && e.shared():
		e.warn("network.vpcId: whether %s has a gateway endpoint of S3 shows to its owner only; without one artifacts go where the default route leads, which is billed by the GiB", e.vpc.Id)
	case err != nil:
		e.warn("network.vpcId: %s shows no gateway endpoint of S3 (%v); without one artifacts go where the default route leads, which is billed by the GiB", e.vpc.Id, err)
	default:
		for _, s := range all {
			if s.routes != nil && !slices.Contains(endpoint.RouteTableIds, s.routes.RouteTableId) {
				e.warn("%s: %s does not use %s, the gateway endpoint of S3: artifacts go where the default route leads, which is billed by the GiB", privateKey, s.Id, endpoint.Id)
			}
		}
	}
}

// checkBalancer is about the subnets of the load balancer. Nodes in a zone where it
// has none get nothing from it
// (docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html).
func (e *existing) checkBalancer(all, private []existingSubnet) {
	seen := map[string]bool{}
	for _, s := range all {
		e.problems.Want(!seen[s.AvailabilityZone], balancerKey, s.Id, "one subnet in a zone, and %s has another", s.AvailabilityZone)
		seen[s.AvailabilityZone] = true
		behindFirewall := s.routes != nil && slices.ContainsFunc(s.routes.Routes, func(r ec2.GetRouteTableRoute) bool { return isDefault(r) && r.VpcEndpointId != "" })
		e.problems.Want(e.settings.Exposure.InternalOnAWS() || s.routes == nil || s.public() || behindFirewall, balancerKey, s.Id,
			`a subnet whose way out is an internet gateway, or exposure.annotations with "`+settings.AWSInternalLoadBalancer+`": "true"`)
	}
	for _, zone := range zonesOf(private) {
		e.problems.Want(len(all) == 0 || seen[zone], balancerKey, e.settings.Network.LoadBalancerSubnetIDs, "a subnet in %s too: there are nodes", zone)
	}
}

// public says whether an internet gateway is the way out.
func (s existingSubnet) public() bool {
	return s.routes != nil && slices.ContainsFunc(s.routes.Routes, func(r ec2.GetRouteTableRoute) bool { return isDefault(r) && strings.HasPrefix(r.GatewayId, "igw-") })
}

func isDefault(r ec2.GetRouteTableRoute) bool { return r.CidrBlock == "0.0.0.0/0" }

// zonesOf are the zones of subnets, each once.
func zonesOf(all []existingSubnet) []string {
	var names []string
	for _, s := range all {
		names = append(names, s.AvailabilityZone)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// use is what others need of subnets: their ids and their addresses.
func use(all []existingSubnet) (ids pulumi.StringArray, ranges []netip.Prefix) {
	for _, s := range all {
		if cidr, err := netip.ParsePrefix(s.CidrBlock); err == nil {
			ids, ranges = append(ids, pulumi.String(s.Id)), append(ranges, cidr)
		}
	}
	return ids, ranges
}

package gcp

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// peeringName is that of every network's private services access
// (cloud.google.com/vpc/docs/configure-private-services-access).
const peeringName = "servicenetworking-googleapis-com"

// existing is the network of network.networkId while it is looked up.
type existing struct {
	*Platform
	ctx      *pulumi.Context
	with     pulumi.InvokeOption
	network  *compute.LookupNetworkResult
	problems settings.Problems
}

// lookUpNetwork finds the network of network.networkId, and what does not work there:
// Google refuses a part of it when half of the stack is made, the rest shows as nodes
// that pull nothing and a database that nobody reaches.
func (p *Platform) lookUpNetwork(ctx *pulumi.Context) error {
	s := p.settings.Network
	// The settings have checked the form.
	name := s.NetworkID[strings.LastIndex(s.NetworkID, "/")+1:]
	e := &existing{Platform: p, ctx: ctx, with: pulumi.Provider(p.provider)}
	var err error
	if e.network, err = compute.LookupNetwork(ctx, &compute.LookupNetworkArgs{Name: name, Project: &p.settings.Account}, e.with); err != nil {
		return fmt.Errorf("network.networkId is %q; want a network that Google Cloud shows: %w", s.NetworkID, err)
	}
	e.checkSubnet()
	if p.settings.Database.Mode == "managed" {
		e.checkDatabaseRange()
	}
	e.checkControlPlane()
	if len(e.problems) > 0 {
		return e.problems
	}
	p.made.network = pulumi.String(e.network.Id).ToStringOutput()
	p.made.podRange, p.made.serviceRange, p.made.databaseRange = s.Ranges.Pods, s.Ranges.Services, s.Ranges.Database
	return nil
}

// checkSubnet is about where the nodes are.
func (e *existing) checkSubnet() {
	const key = "network.ranges.subnet"
	s, region := e.settings.Network.Ranges, e.settings.Region
	found, err := compute.LookupSubnetwork(e.ctx, &compute.LookupSubnetworkArgs{Name: &s.Subnet, Region: &region, Project: &e.settings.Account}, e.with)
	if err != nil {
		e.problems.Want(false, key, s.Subnet, "a subnet of %s in %s that Google Cloud shows: %v", e.network.Name, region, err)
		return
	}
	e.problems.Want(last(found.Network) == last(e.network.SelfLink), key, s.Subnet, "a subnet of %s", e.network.Name)
	e.problems.Want(found.PrivateIpGoogleAccess, key, s.Subnet, "a subnet with Private Google Access: nodes have no public addresses")
	nodes, err := netip.ParsePrefix(found.IpCidrRange)
	// Google keeps four (cloud.google.com/vpc/docs/subnets); one more while nodes are upgraded.
	need := e.settings.Cluster.Nodes.Max + 1 + 4
	e.problems.Want(err == nil && 1<<(32-nodes.Bits()) >= need, key, found.IpCidrRange, "at least %d addresses: nodes, one of an upgrade and Google's own", need)
	e.made.ranges.nodes = nodes
	e.made.subnet = pulumi.String(found.Id).ToStringOutput()
	ranges := map[string]netip.Prefix{}
	for _, secondary := range found.SecondaryIpRanges {
		if prefix, err := netip.ParsePrefix(secondary.IpCidrRange); err == nil {
			ranges[secondary.RangeName] = prefix
		}
	}
	pods, ok := ranges[s.Pods]
	need = (e.settings.Cluster.Nodes.Max + 1) * settings.GCPNodeAddresses
	e.problems.Want(ok, "network.ranges.pods", s.Pods, "the name of a secondary range of %s", s.Subnet)
	e.problems.Want(!ok || 1<<(32-pods.Bits()) >= need, "network.ranges.pods", s.Pods+" with "+pods.String(), "at least %d addresses: %d for each of cluster.nodes.max and one more", need, settings.GCPNodeAddresses)
	e.made.ranges.pods = pods
	services, ok := ranges[s.Services]
	e.problems.Want(ok, "network.ranges.services", s.Services, "the name of a secondary range of %s", s.Subnet)
	e.problems.Want(!ok || services.String() == e.settings.Cluster.ServiceCIDR, "cluster.serviceCIDR", e.settings.Cluster.ServiceCIDR, "%s, the range %s of %s", services, s.Services, s.Subnet)
}

// checkDatabaseRange is about where Google puts the database: in a range that is set
// aside, in a network that is connected with its own.
func (e *existing) checkDatabaseRange() {
	const key = "network.ranges.database"
	name := e.settings.Network.Ranges.Database
	found, err := compute.LookupGlobalAddress(e.ctx, &compute.LookupGlobalAddressArgs{Name: name, Project: &e.settings.Account}, e.with)
	if err != nil {
		e.problems.Want(false, key, name, "a range that Google Cloud shows (gcloud compute addresses list --global): %v", err)
		return
	}
	e.problems.Want(found.Purpose == "VPC_PEERING" && last(found.Network) == last(e.network.SelfLink), key, name, "a range of %s that is set aside for private services access", e.network.Name)
	prefix, err := netip.ParsePrefix(fmt.Sprintf("%s/%d", found.Address, found.PrefixLength))
	e.problems.Want(err == nil && prefix.Bits() <= 24, key, fmt.Sprintf("%s with %s/%d", name, found.Address, found.PrefixLength), "a /24 or larger")
	e.made.ranges.database = prefix
	_, err = compute.LookupNetworkPeering(e.ctx, &compute.LookupNetworkPeeringArgs{Name: peeringName, Network: e.network.SelfLink}, e.with)
	e.problems.Want(err == nil, "network.networkId", e.network.Name, "a network with private services access: gcloud services vpc-peerings connect --service servicenetworking.googleapis.com --network %s --ranges %s", e.network.Name, name)
}

// checkControlPlane is about the control plane's own addresses.
func (e *existing) checkControlPlane() {
	const key = "network.ranges.controlPlane"
	cidr := e.settings.Network.Ranges.ControlPlane
	plane, err := netip.ParsePrefix(cidr)
	for what, taken := range map[string]netip.Prefix{"nodes": e.made.ranges.nodes, "pods": e.made.ranges.pods, "database": e.made.ranges.database} {
		e.problems.Want(err != nil || !taken.IsValid() || !plane.Overlaps(taken), key, cidr, "a range outside of %s, the %s'", taken, what)
	}
	e.made.ranges.apiServer = plane
}

// last is the name at the end of a link.
func last(link string) string { return link[strings.LastIndex(link, "/")+1:] }

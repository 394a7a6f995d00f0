package settings

import (
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/mlflow-platform/mlflow-platform/stacks/estimate"
)

// Estimate is what the stack costs a month, nil where the release has no prices.
func (s *Settings) Estimate() *estimate.Estimate {
	switch {
	case s.Platform == AWS && slices.Contains(estimate.AWSRegions(), s.Region):
		return s.estimateAWS()
	case s.Platform == Azure && slices.Contains(estimate.AzureRegions(), s.Region):
		return s.estimateAzure()
	case s.Platform == GCP && slices.Contains(estimate.GCPRegions(), s.Region):
		return s.estimateGCP()
	}
	return nil
}

func (s *Settings) estimateGCP() *estimate.Estimate {
	d := s.Database
	g := estimate.GCP{
		Region: s.Region, Nodes: s.Cluster.Nodes.Desired, NodeType: s.Cluster.Nodes.Type, NodeDiskGiB: s.Cluster.Nodes.DiskGiB, NAT: !s.Network.Existing(),
		DatabaseGiB: d.StorageGiB, LoadBalancer: s.Exposure.Mode == "loadBalancer",
		Usage: estimate.Usage(s.Budget.Usage), HourlyUSD: s.Budget.HourlyUSD,
	}
	if d.Mode == "inCluster" {
		g.DatabaseVolumes = d.Instances
	} else {
		g.Database, g.Standby = d.InstanceType, d.HighAvailability
		g.DatabaseCPUs, g.DatabaseMiB, _ = cloudSQLSize(d.InstanceType)
	}
	e := g.Estimate()
	return &e
}

func (s *Settings) estimateAzure() *estimate.Estimate {
	e := estimate.Azure{
		Region: s.Region, Agreement: s.Profile == Production,
		Nodes: s.Cluster.Nodes.Desired, NodeType: s.Cluster.Nodes.Type, NodeDiskGiB: s.Cluster.Nodes.DiskGiB,
		SystemNodes: s.Cluster.SystemNodes.Count, SystemType: s.Cluster.SystemNodes.Type,
		DatabaseGiB: s.Database.StorageGiB, NATGateway: !s.Network.Existing(), BlobZone: s.Network.BlobDNSZoneID == "",
		LoadBalancer: s.Exposure.Mode == "loadBalancer", PublicLoadBalancer: !s.Exposure.InternalOnAzure(),
		Usage: estimate.Usage(s.Budget.Usage), HourlyUSD: s.Budget.HourlyUSD,
	}
	if s.Cluster.Defender {
		e.DefenderVCPUs = s.Cluster.Nodes.Desired*vCPUs(s.Cluster.Nodes.Type) + s.Cluster.SystemNodes.Count*vCPUs(s.Cluster.SystemNodes.Type)
	}
	if s.Database.Mode == "inCluster" {
		e.DatabaseVolumes = s.Database.Instances
	} else {
		e.Database, e.Standby = s.Database.InstanceType, s.Database.HighAvailability
	}
	total := e.Estimate()
	return &total
}

func (s *Settings) estimateAWS() *estimate.Estimate {
	d := s.Database
	a := estimate.AWS{
		Region: s.Region, Nodes: s.Cluster.Nodes.Desired, NodeType: s.Cluster.Nodes.Type, NodeDiskGiB: s.Cluster.Nodes.DiskGiB, NATGateways: s.Network.NATGateways,
		DatabaseGiB: d.StorageGiB, LoadBalancer: s.Exposure.Mode == "loadBalancer",
		Usage: estimate.Usage(s.Budget.Usage), HourlyUSD: s.Budget.HourlyUSD,
	}
	// One in every public subnet.
	a.LoadBalancerAddresses = 3
	if s.Network.VPCID != "" {
		a.NATGateways, a.LoadBalancerAddresses = 0, len(s.Network.LoadBalancerSubnetIDs)
	}
	if s.Exposure.InternalOnAWS() {
		a.LoadBalancerAddresses = 0
	}
	if d.Mode == "inCluster" {
		a.DatabaseVolumes = d.Instances
	} else {
		a.Database, a.Standby = d.InstanceType, d.HighAvailability
	}
	e := a.Estimate()
	return &e
}

// checkEstimate refuses what costs more than the budget: an alert comes when the
// money is spent.
func (s *Settings) checkEstimate(p *Problems) {
	b := s.Budget
	for _, usage := range leaves("budget.usage", reflect.ValueOf(b.Usage)) {
		p.Want(usage.value.Int() >= 0, usage.key, usage.value.Int(), "at least 0")
	}
	for _, name := range sortedKeys(b.HourlyUSD) {
		p.Want(b.HourlyUSD[name] > 0, "budget.hourlyUSD."+name, b.HourlyUSD[name], "more than 0")
	}
	prices := s.prices()
	if !b.Enabled || !b.EnforceEstimate || !prices.regional {
		return
	}
	e := s.Estimate()
	if e == nil {
		p.Want(false, "region", s.Region, "one of %s, whose prices the release has, or budget.enforceEstimate false", strings.Join(prices.regions, ", "))
		return
	}
	complete := true
	for _, t := range prices.types {
		known := b.HourlyUSD[t.name] > 0 || slices.Contains(t.known, t.name)
		complete = complete && known
		// What is no type at all has been said already.
		p.Want(known || !t.format, t.key, strings.TrimPrefix(t.name, estimate.AzureDatabase), "a type whose price the release has, or its price in budget.hourlyUSD, or budget.enforceEstimate false")
	}
	p.Want(!complete || b.MonthlyUSD < 1 || e.Total() <= float64(b.MonthlyUSD), "budget.monthlyUSD", b.MonthlyUSD,
		"at least %.0f, or budget.enforceEstimate false: %s", math.Ceil(e.Total()), e)
}

// priced is a setting that names something with a price of its own.
type priced struct {
	key, name string
	// format says whether the name is one at all.
	format bool
	// known are the names that the release has a price of.
	known []string
}

// prices are what the release knows about a platform's prices; regional is false
// for a region that is none.
type prices struct {
	regional bool
	regions  []string
	types    []priced
}

func (s *Settings) prices() prices {
	node, database := s.Cluster.Nodes.Type, s.Database.InstanceType
	if s.Platform == Azure {
		all := prices{slices.Contains(azureRegions, s.Region), estimate.AzureRegions(), []priced{
			{"cluster.nodes.type", node, azureSize.MatchString(node), estimate.AzureNodes(s.Region)},
		}}
		if system := s.Cluster.SystemNodes; system.Count > 0 {
			all.types = append(all.types, priced{"cluster.systemNodes.type", system.Type, azureSize.MatchString(system.Type), estimate.AzureNodes(s.Region)})
		}
		if s.Database.Mode != "inCluster" {
			all.types = append(all.types, priced{"database.instanceType", estimate.AzureDatabase + database, azureDatabase.MatchString(database), estimate.AzureDatabases(s.Region)})
		}
		return all
	}
	if s.Platform == GCP {
		return prices{gcpRegion.MatchString(s.Region), estimate.GCPRegions(), []priced{
			{"cluster.nodes.type", node, gcpMachine.MatchString(node), estimate.GCPMachines(s.Region)},
		}}
	}
	all := prices{awsRegion.MatchString(s.Region), estimate.AWSRegions(), []priced{
		{"cluster.nodes.type", node, awsInstance.MatchString(node), estimate.AWSTypes(s.Region)},
	}}
	if s.Database.Mode != "inCluster" {
		all.types = append(all.types, priced{"database.instanceType", database, strings.HasPrefix(database, "db."), estimate.AWSTypes(s.Region)})
	}
	return all
}

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
	if s.Platform != AWS || !slices.Contains(estimate.AWSRegions(), s.Region) {
		return nil
	}
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
	if s.Platform != AWS || !b.Enabled || !b.EnforceEstimate || !awsRegion.MatchString(s.Region) {
		return
	}
	e := s.Estimate()
	if e == nil {
		p.Want(false, "region", s.Region, "one of %s, whose prices the release has, or budget.enforceEstimate false", strings.Join(estimate.AWSRegions(), ", "))
		return
	}
	type priced struct {
		key, name string
		format    bool
	}
	types := []priced{{"cluster.nodes.type", s.Cluster.Nodes.Type, awsInstance.MatchString(s.Cluster.Nodes.Type)}}
	if s.Database.Mode != "inCluster" {
		types = append(types, priced{"database.instanceType", s.Database.InstanceType, strings.HasPrefix(s.Database.InstanceType, "db.")})
	}
	complete := true
	for _, t := range types {
		known := b.HourlyUSD[t.name] > 0 || slices.Contains(estimate.AWSTypes(s.Region), t.name)
		complete = complete && known
		// What is no type at all has been said already.
		p.Want(known || !t.format, t.key, t.name, "a type whose price the release has, or its price in budget.hourlyUSD, or budget.enforceEstimate false")
	}
	p.Want(!complete || b.MonthlyUSD < 1 || e.Total() <= float64(b.MonthlyUSD), "budget.monthlyUSD", b.MonthlyUSD,
		"at least %.0f, or budget.enforceEstimate false: %s", math.Ceil(e.Total()), e)
}

package estimate

import (
	"maps"
	"slices"
)

// What components/aws makes of each; a test compares them with its graph.
const (
	awsKeys    = 5
	awsSecrets = 2
	awsAlarms  = 1
	// A managed database has its administrator's login and alarms of its own.
	awsDatabaseSecrets = 1
	awsDatabaseAlarms  = 4
	awsLogMonths       = 3
)

// AWS is what a stack on AWS is billed for.
type AWS struct {
	Region string
	// Nodes of an EC2 type, with a disk each.
	Nodes       int
	NodeType    string
	NodeDiskGiB int
	// NATGateways, each with a public address; 0 in a network of others, whose bill
	// they are on.
	NATGateways int
	// Database is the RDS instance class; with Standby there is a second instance.
	// It is empty for a database in the cluster, which has DatabaseVolumes.
	Database        string
	Standby         bool
	DatabaseVolumes int
	DatabaseGiB     int
	// LoadBalancer is there to reach the gateway, with LoadBalancerAddresses on the
	// internet.
	LoadBalancer          bool
	LoadBalancerAddresses int
	Usage                 Usage
	// HourlyUSD replaces or adds hourly prices of EC2 types and RDS classes.
	HourlyUSD map[string]float64
}

// Usage is what no setting decides: a guess that its owner can better.
type Usage struct {
	// StoredGiB are in the bucket.
	StoredGiB int
	// NATGiB go through the NAT gateways in a month.
	NATGiB int
	// DownloadedGiB go to clients on the internet in a month.
	DownloadedGiB int
	// LoggedGiB are written in a month.
	LoggedGiB int
}

// AWSRegions are the regions with prices.
func AWSRegions() []string { return slices.Sorted(maps.Keys(awsPrices)) }

// AWSTypes are the EC2 types and RDS classes with a price in a region.
func AWSTypes(region string) []string { return slices.Sorted(maps.Keys(awsPrices[region].hourly)) }

// Estimate adds up. A region or type without a price costs nothing here, so look
// at AWSRegions and AWSTypes before.
func (a AWS) Estimate() Estimate {
	price := awsPrices[a.Region]
	hourly := func(name string) float64 {
		if own, ok := a.HourlyUSD[name]; ok {
			return own
		}
		return price.hourly[name]
	}
	// The standby is an instance and a volume of its own: RDS lists both at twice
	// the price, less a rounding.
	instances := 1
	if a.Standby {
		instances = 2
	}
	addresses := a.NATGateways
	e := Estimate{
		Basis: "AWS list prices in " + a.Region + " of " + awsPricesOf,
		LeftOut: "tax, discounts, capacity units of the load balancer, snapshots beyond the size of the database, requests, traffic between zones, " +
			"credits of t3 and t4g above their baseline, nodes that autoscaling adds, releases of Kubernetes and PostgreSQL in extended support",
	}
	add := func(item string, quantity int, unit string, usd float64) {
		e.Lines = append(e.Lines, Line{Item: item, Quantity: float64(quantity), Unit: unit, USD: usd})
	}
	add("EKS control plane", 1, "cluster", HoursAMonth*price.controlPlane)
	add("nodes", a.Nodes, a.NodeType, HoursAMonth*hourly(a.NodeType))
	add("disks of the nodes", a.Nodes*a.NodeDiskGiB, "GiB gp3", price.disk)
	secrets, alarms := awsSecrets, awsAlarms
	if a.Database != "" {
		add("database", instances, a.Database, HoursAMonth*hourly(a.Database))
		add("database storage", instances*a.DatabaseGiB, "GiB gp3", price.databaseDisk)
		secrets, alarms = secrets+awsDatabaseSecrets, alarms+awsDatabaseAlarms
	} else {
		add("database volumes", a.DatabaseVolumes*a.DatabaseGiB, "GiB gp3", price.disk)
	}
	if a.NATGateways > 0 {
		add("NAT gateways", a.NATGateways, "gateways", HoursAMonth*price.nat)
	} else {
		e.LeftOut = "NAT gateways of the existing network and what goes through them, " + e.LeftOut
	}
	if a.LoadBalancer {
		add("load balancer", 1, "network load balancer", HoursAMonth*price.loadBalancer)
		addresses += a.LoadBalancerAddresses
	}
	if addresses > 0 {
		add("public IPv4 addresses", addresses, "addresses", HoursAMonth*price.address)
	}
	add("KMS keys", awsKeys, "keys", price.key)
	add("secrets", secrets, "secrets", price.secret)
	add("alarms", alarms, "alarms", price.alarm)
	u := a.Usage
	add("usage: objects in the bucket", u.StoredGiB, "GiB", price.object)
	if a.NATGateways > 0 {
		add("usage: traffic through NAT", u.NATGiB, "GiB", price.natTraffic)
	}
	add("usage: downloads over the internet", u.DownloadedGiB, "GiB", price.egress)
	add("usage: logs", u.LoggedGiB, "GiB", price.log+awsLogMonths*price.logKept)
	return e
}

package estimate

import (
	"maps"
	"slices"
)

// azureEndpoints is what components/azure makes of them; a test compares it with its graph.
const azureEndpoints = 1

// AzureDatabase comes before the size of a database in HourlyUSD: virtual machines
// have the same names.
const AzureDatabase = "postgresql/"

// Azure is what a stack on Azure is billed for.
type Azure struct {
	Region string
	// Agreement is the tier of AKS with one about its uptime, Standard.
	Agreement bool
	// Nodes of a size, with a Premium SSD each.
	Nodes       int
	NodeType    string
	NodeDiskGiB int
	// SystemNodes of a size, with the smallest disk each.
	SystemNodes int
	SystemType  string
	// DefenderVCPUs are those that Defender for Containers bills.
	DefenderVCPUs int
	// NATGateway is in a network that the stack makes.
	NATGateway bool
	// BlobZone is the bucket's private DNS zone.
	BlobZone bool
	// Database is the size of Flexible Server; with Standby there is a second server
	// with storage of its own. It is empty for a database in the cluster, which has
	// DatabaseVolumes.
	Database        string
	Standby         bool
	DatabaseGiB     int
	DatabaseVolumes int
	// LoadBalancer is there to reach the gateway, from the internet if it is public.
	LoadBalancer, PublicLoadBalancer bool
	Usage                            Usage
	// HourlyUSD replaces or adds hourly prices of sizes.
	HourlyUSD map[string]float64
}

// AzureRegions are the regions with prices.
func AzureRegions() []string { return slices.Sorted(maps.Keys(azurePrices)) }

// AzureNodes are the sizes of virtual machines with a price in a region,
// AzureDatabases those of Flexible Server.
func AzureNodes(region string) []string { return slices.Sorted(maps.Keys(azurePrices[region].nodes)) }

// AzureDatabases are the sizes of Flexible Server with a price in a region, with
// AzureDatabase before each.
func AzureDatabases(region string) []string {
	var all []string
	for size := range azurePrices[region].databases {
		all = append(all, AzureDatabase+size)
	}
	slices.Sort(all)
	return all
}

// Estimate adds up. A region or size without a price costs nothing here, so look at
// AzureRegions, AzureNodes and AzureDatabases before.
func (a Azure) Estimate() Estimate {
	price := azurePrices[a.Region]
	hourly := func(table map[string]float64, prefix, name string) float64 {
		if own, ok := a.HourlyUSD[prefix+name]; ok {
			return own
		}
		return table[name]
	}
	var zones, addresses int
	e := Estimate{
		Basis: "Azure list prices in " + a.Region + " of " + azurePricesOf,
		LeftOut: "tax, discounts, what AKS' tier Free may cost since October 2026 (Azure's price list and its price page disagree), backups beyond the size of the database, " +
			"requests, traffic between zones and through load balancers, the API server's internal load balancer if Azure bills it, rotation of keys (1 USD a year each), nodes that autoscaling adds, storage of the database that grew",
	}
	add := func(item string, quantity int, unit string, usd float64) {
		e.Lines = append(e.Lines, Line{Item: item, Quantity: float64(quantity), Unit: unit, USD: usd})
	}
	if a.Agreement {
		add("AKS control plane", 1, "cluster, tier Standard", HoursAMonth*azureControlPlane)
	}
	add("nodes", a.Nodes, a.NodeType, HoursAMonth*hourly(price.nodes, "", a.NodeType))
	add("disks of the nodes", a.Nodes, "Premium SSD", price.disk(a.NodeDiskGiB))
	if a.SystemNodes > 0 {
		add("system nodes", a.SystemNodes, a.SystemType, HoursAMonth*hourly(price.nodes, "", a.SystemType))
		add("disks of the system nodes", a.SystemNodes, "Premium SSD", price.disk64)
	}
	if a.DefenderVCPUs > 0 {
		add("Defender for Containers", a.DefenderVCPUs, "vCPU", azureDefender)
	}
	if a.Database == "" {
		add("database volumes", a.DatabaseVolumes, "Premium SSD", price.disk(a.DatabaseGiB))
	} else {
		servers := 1
		if a.Standby {
			servers = 2
		}
		add("database", servers, a.Database, HoursAMonth*hourly(price.databases, AzureDatabase, a.Database))
		add("database storage", servers*a.DatabaseGiB, "GiB Premium SSD", price.databaseDisk)
		zones++
	}
	if a.NATGateway {
		add("NAT gateway", 1, "gateway", HoursAMonth*azureNAT)
		addresses++
	} else {
		e.LeftOut = "the way out of the existing network and what goes through it, " + e.LeftOut
	}
	if a.LoadBalancer {
		add("load balancer", 1, "standard load balancer", HoursAMonth*azureLoadBalancer)
		if a.PublicLoadBalancer {
			addresses++
		}
	}
	if addresses > 0 {
		add("public IPv4 addresses", addresses, "addresses", HoursAMonth*azureAddress)
	}
	add("private endpoint", azureEndpoints, "endpoint", HoursAMonth*azureEndpoint)
	if a.BlobZone {
		zones++
	}
	if zones > 0 {
		add("private DNS zones", zones, "zones", azureZone)
	}
	u := a.Usage
	add("usage: objects in the bucket", u.StoredGiB, "GiB", price.object)
	if a.NATGateway {
		add("usage: traffic through NAT", u.NATGiB, "GiB", azureNATTraffic)
	}
	add("usage: downloads over the internet", u.DownloadedGiB, "GiB through the private endpoint", azureEndpointTraffic)
	if more := u.DownloadedGiB - azureFreeEgress; more > 0 {
		add("usage: downloads beyond the free ones", more, "GiB", azureEgress)
	}
	if more := u.LoggedGiB - azureFreeLogs; more > 0 {
		add("usage: logs beyond the free ones", more, "GiB", price.log)
	}
	return e
}

// disk is the price of a month: Azure bills the next size of 64, 128 and 256 GiB, and
// those above are taken as so many of the last one.
func (p azurePrice) disk(gib int) float64 {
	switch {
	case gib <= 64:
		return p.disk64
	case gib <= 128:
		return p.disk128
	}
	return p.disk256 * float64((gib+255)/256)
}

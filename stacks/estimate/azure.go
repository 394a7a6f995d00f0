package estimate

import (
	"maps"
	"slices"
)

// What components/azure makes of each; a test compares them with its graph.
const (
	azureEndpoints = 1
	azureZones     = 2
)

// Azure is what a stack on Azure is billed for.
type Azure struct {
	Region string
	// Agreement is the tier of AKS with one about its uptime, Standard.
	Agreement bool
	// Nodes of a size, with a Premium SSD each.
	Nodes       int
	NodeType    string
	NodeDiskGiB int
	// Database is the size of Flexible Server; with Standby there is a second server
	// with storage of its own.
	Database    string
	Standby     bool
	DatabaseGiB int
	// LoadBalancer is there to reach the gateway.
	LoadBalancer bool
	Usage        Usage
	// HourlyUSD replaces or adds hourly prices of sizes.
	HourlyUSD map[string]float64
}

// AzureRegions are the regions with prices.
func AzureRegions() []string { return slices.Sorted(maps.Keys(azurePrices)) }

// AzureNodes are the sizes of virtual machines with a price in a region,
// AzureDatabases those of Flexible Server.
func AzureNodes(region string) []string { return slices.Sorted(maps.Keys(azurePrices[region].nodes)) }

// AzureDatabases are the sizes of Flexible Server with a price in a region.
func AzureDatabases(region string) []string {
	return slices.Sorted(maps.Keys(azurePrices[region].databases))
}

// Estimate adds up. A region or size without a price costs nothing here, so look at
// AzureRegions, AzureNodes and AzureDatabases before.
func (a Azure) Estimate() Estimate {
	price := azurePrices[a.Region]
	hourly := func(table map[string]float64, name string) float64 {
		if own, ok := a.HourlyUSD[name]; ok {
			return own
		}
		return table[name]
	}
	servers, addresses := 1, 1
	if a.Standby {
		servers = 2
	}
	e := Estimate{
		Basis: "Azure list prices in " + a.Region + " of " + azurePricesOf,
		LeftOut: "tax, discounts, what AKS' tier Free may cost since October 2026 (Azure's price list and its price page disagree), backups beyond the size of the database, " +
			"requests, traffic between zones and through the load balancer, rotation of keys (1 USD a year each), nodes that autoscaling adds, storage of the database that grew",
	}
	add := func(item string, quantity int, unit string, usd float64) {
		e.Lines = append(e.Lines, Line{Item: item, Quantity: float64(quantity), Unit: unit, USD: usd})
	}
	if a.Agreement {
		add("AKS control plane", 1, "cluster, tier Standard", HoursAMonth*azureControlPlane)
	}
	add("nodes", a.Nodes, a.NodeType, HoursAMonth*hourly(price.nodes, a.NodeType))
	add("disks of the nodes", a.Nodes, "Premium SSD", price.disk(a.NodeDiskGiB))
	add("database", servers, a.Database, HoursAMonth*hourly(price.databases, a.Database))
	add("database storage", servers*a.DatabaseGiB, "GiB Premium SSD", price.databaseDisk)
	add("NAT gateway", 1, "gateway", HoursAMonth*azureNAT)
	if a.LoadBalancer {
		add("load balancer", 1, "standard load balancer", HoursAMonth*azureLoadBalancer)
		addresses++
	}
	add("public IPv4 addresses", addresses, "addresses", HoursAMonth*azureAddress)
	add("private endpoint", azureEndpoints, "endpoint", HoursAMonth*azureEndpoint)
	add("private DNS zones", azureZones, "zones", azureZone)
	u := a.Usage
	add("usage: objects in the bucket", u.StoredGiB, "GiB", price.object)
	add("usage: traffic through NAT", u.NATGiB, "GiB", azureNATTraffic)
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

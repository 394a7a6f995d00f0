package estimate

import (
	"maps"
	"slices"
)

// What components/gcp makes of each; a test compares them with its graph.
const (
	gcpKeys    = 4
	gcpSecrets = 2
	// A managed database has a key, and its administrator's login.
	gcpDatabaseKeys    = 1
	gcpDatabaseSecrets = 1
)

// GCP is what a stack on Google Cloud is billed for.
type GCP struct {
	Region string
	// Nodes of a machine type, with a balanced disk each.
	Nodes       int
	NodeType    string
	NodeDiskGiB int
	// NAT is in a network that the stack makes.
	NAT bool
	// Database is the size of Cloud SQL, of DatabaseCPUs and DatabaseMiB unless it is a
	// shared one; with Standby everything of it is there twice. It is empty for a database
	// in the cluster, which has DatabaseVolumes.
	Database                  string
	DatabaseCPUs, DatabaseMiB int
	Standby                   bool
	DatabaseGiB               int
	DatabaseVolumes           int
	// LoadBalancer is there to reach the gateway.
	LoadBalancer bool
	Usage        Usage
	// HourlyUSD replaces or adds hourly prices of machine types and sizes.
	HourlyUSD map[string]float64
}

// GCPRegions are the regions with prices.
func GCPRegions() []string { return slices.Sorted(maps.Keys(gcpPrices)) }

// GCPMachines are the machine types with a price in a region; sizes of Cloud SQL are
// billed by what they have, so all have one.
func GCPMachines(region string) []string { return slices.Sorted(maps.Keys(gcpPrices[region].nodes)) }

// Estimate adds up. A region or type without a price costs nothing here, so look at
// GCPRegions and GCPMachines before.
func (g GCP) Estimate() Estimate {
	price := gcpPrices[g.Region]
	e := Estimate{
		Basis: "Google Cloud list prices in " + g.Region + " of " + gcpPricesOf,
		LeftOut: "tax, discounts (those for sustained use and the credit of GKE's free tier too), backups and logs of the database beyond its size, requests, Autoclass' fee for objects, " +
			"traffic between zones and into the load balancer, versions of keys after the first year, nodes that autoscaling adds, storage of the database that grew",
	}
	add := func(item string, quantity int, unit string, usd float64) {
		e.Lines = append(e.Lines, Line{Item: item, Quantity: float64(quantity), Unit: unit, USD: usd})
	}
	hourly := func(name string, usd float64) float64 {
		if own, ok := g.HourlyUSD[name]; ok {
			return own
		}
		return usd
	}
	add("GKE control plane", 1, "cluster", HoursAMonth*gcpControlPlane)
	add("nodes", g.Nodes, g.NodeType, HoursAMonth*hourly(g.NodeType, price.nodes[g.NodeType]))
	add("disks of the nodes", g.Nodes*g.NodeDiskGiB, "GiB balanced", price.disk)
	keys, secrets := gcpKeys, gcpSecrets
	if g.Database == "" {
		add("database volumes", g.DatabaseVolumes*g.DatabaseGiB, "GiB SSD", price.ssd)
	} else {
		keys, secrets = keys+gcpDatabaseKeys, secrets+gcpDatabaseSecrets
		instances := 1
		if g.Standby {
			instances = 2
		}
		size, ok := price.databaseShared[g.Database]
		if !ok {
			size = float64(g.DatabaseCPUs)*price.databaseCPU + float64(g.DatabaseMiB)/1024*price.databaseMemory
		}
		add("database", instances, g.Database, HoursAMonth*hourly(g.Database, size))
		add("database storage", instances*g.DatabaseGiB, "GiB SSD", price.ssd)
	}
	addresses := 0
	if g.NAT {
		add("Cloud NAT", min(g.Nodes, gcpNATNodes), "nodes", HoursAMonth*gcpNATNode)
		addresses++
	} else {
		e.LeftOut = "the way out of the existing network and what goes through it, " + e.LeftOut
	}
	if g.LoadBalancer {
		add("load balancer", 1, "forwarding rules, up to five", HoursAMonth*price.loadBalancer)
	}
	if addresses > 0 {
		add("public IPv4 addresses", addresses, "addresses", HoursAMonth*gcpAddress)
	}
	if g.NAT {
		add("private DNS zone", 1, "zone", gcpZone)
	}
	add("KMS keys", keys, "versions", gcpKey)
	if more := secrets - gcpFreeSecrets; more > 0 {
		add("secrets beyond the free ones", more, "versions", gcpSecret)
	}
	u := g.Usage
	add("usage: objects in the bucket", u.StoredGiB, "GiB", price.object)
	if g.NAT {
		add("usage: traffic through NAT", u.NATGiB, "GiB", gcpNATTraffic)
	}
	add("usage: downloads over the internet", u.DownloadedGiB, "GiB", gcpEgress)
	if more := u.LoggedGiB - gcpFreeLogs; more > 0 {
		add("usage: logs beyond the free ones", more, "GiB", gcpLog)
	}
	return e
}

package estimate

// gcpPricesOf says when the prices below were Google Cloud's list prices.
const gcpPricesOf = "August 2026"

// gcpPrice is a region's list prices for Linux on demand, without discounts for
// commitment or sustained use, in US dollars.
type gcpPrice struct {
	// An hour of a machine type.
	nodes map[string]float64
	// An hour of a vCPU and of a GiB of memory of Cloud SQL for PostgreSQL, edition
	// Enterprise, in one zone; a standby is billed like the first.
	databaseCPU, databaseMemory float64
	// An hour of its sizes that share a processor.
	databaseShared map[string]float64
	// A GiB for a month: balanced and SSD disks, the latter also Cloud SQL's, and
	// Standard storage.
	disk, ssd, object float64
	// An hour of the first five forwarding rules together.
	loadBalancer float64
}

// Prices that are the same in all regions below.
const (
	gcpControlPlane = 0.10   // An hour of GKE; the free tier's credit is for zonal and Autopilot clusters.
	gcpNATNode      = 0.0014 // An hour of a node behind Cloud NAT, up to gcpNATNodes.
	gcpNATNodes     = 32
	gcpNATTraffic   = 0.045 // A GiB, each way.
	gcpAddress      = 0.005 // An hour, of Cloud NAT's.
	gcpZone         = 0.20  // A month of a DNS zone (cloud.google.com/dns/pricing).
	gcpEgress       = 0.12  // A GiB, Premium Tier, the first TiB of a month.
	gcpLog          = 0.50  // A GiB.
	gcpFreeLogs     = 50    // GiB of a month and project.
	gcpKey          = 0.06  // A month of a software key's version.
	gcpSecret       = 0.06  // A month of a secret's active version and location.
	gcpFreeSecrets  = 6     // Of a month and billing account.
)

// gcpPrices are Google Cloud's list prices by region. Machine types, disks, object
// storage, NAT and egress are those of the Cloud Billing Catalog
// (cloudbilling.googleapis.com/v1/services) in the copy of 20 August 2026 that
// github.com/Cyclenerd/google-cloud-pricing-cost-calculator keeps, in pricing.yml;
// where another reading of the catalog of July to October 2026 was found it agrees.
// Alerts cost nothing until September 2027.
//
// Weaker are Cloud SQL in europe-west3 and europe-west4, which are 1.2 and 1.1 times
// its prices in the other three, as single prices of 2023 and 2024 show and as its
// storage's are, and the load balancer in europe-west4, which follows in the same way.
var gcpPrices = map[string]gcpPrice{
	"us-central1": americanGCP,
	"us-east1":    americanGCP,
	"europe-west1": {
		nodes: map[string]float64{
			"e2-standard-2": 0.07371546, "e2-standard-4": 0.14743092, "e2-standard-8": 0.29486184,
			"n2-standard-4": 0.213668, "n2-standard-8": 0.427336, "n2d-standard-4": 0.185892,
		},
		databaseCPU: 0.0413, databaseMemory: 0.007, databaseShared: map[string]float64{"db-g1-small": 0.035},
		disk: 0.10, ssd: 0.17, object: 0.020, loadBalancer: 0.025,
	},
	"europe-west3": {
		nodes: map[string]float64{
			"e2-standard-2": 0.08633556, "e2-standard-4": 0.17267112, "e2-standard-8": 0.34534224,
			"n2-standard-4": 0.250248, "n2-standard-8": 0.500496, "n2d-standard-4": 0.217708,
		},
		databaseCPU: 0.0496, databaseMemory: 0.0084, databaseShared: map[string]float64{"db-g1-small": 0.042},
		disk: 0.12, ssd: 0.204, object: 0.023, loadBalancer: 0.030,
	},
	"europe-west4": {
		nodes: map[string]float64{
			"e2-standard-2": 0.07377204, "e2-standard-4": 0.14754408, "e2-standard-8": 0.29508816,
			"n2-standard-4": 0.213832, "n2-standard-8": 0.427664, "n2d-standard-4": 0.18604,
		},
		databaseCPU: 0.0454, databaseMemory: 0.0077, databaseShared: map[string]float64{"db-g1-small": 0.0385},
		disk: 0.11, ssd: 0.187, object: 0.020, loadBalancer: 0.028,
	},
}

var americanGCP = gcpPrice{
	nodes: map[string]float64{
		"e2-standard-2": 0.06701142, "e2-standard-4": 0.13402284, "e2-standard-8": 0.26804568,
		"n2-standard-4": 0.194236, "n2-standard-8": 0.388472, "n2d-standard-4": 0.168984,
	},
	databaseCPU: 0.0413, databaseMemory: 0.007, databaseShared: map[string]float64{"db-g1-small": 0.035},
	disk: 0.10, ssd: 0.17, object: 0.020, loadBalancer: 0.025,
}

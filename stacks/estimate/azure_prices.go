package estimate

// azurePricesOf says when the prices below were Azure's list prices.
const azurePricesOf = "August 2026"

// azurePrice is a region's list prices for Linux without a reservation, in US
// dollars.
type azurePrice struct {
	// An hour of a virtual machine, and of a server of PostgreSQL, by size: the names
	// are the same, the prices are not.
	nodes, databases map[string]float64
	// A month of a Premium SSD of 64, 128 and 256 GiB: P6, P10, P15.
	disk64, disk128, disk256 float64
	// A GiB for a month.
	databaseDisk, object float64
	// A GiB.
	log float64
}

// Prices that are the same in all regions below.
const (
	azureControlPlane    = 0.10  // An hour of AKS, tier Standard.
	azureNAT             = 0.045 // An hour.
	azureNATTraffic      = 0.045 // A GiB.
	azureAddress         = 0.005 // An hour.
	azureLoadBalancer    = 0.025 // An hour, up to five rules.
	azureEndpoint        = 0.01  // An hour of a private endpoint.
	azureEndpointTraffic = 0.01  // A GiB, each way.
	azureZone            = 0.50  // A month of a private DNS zone.
	azureDefender        = 6.87  // A month of a vCPU of Defender for Containers (azure.microsoft.com/pricing/details/defender-for-cloud).
	azureEgress          = 0.087 // A GiB after the first azureFreeEgress of a month.
	azureFreeEgress      = 100
	azureFreeLogs        = 5 // GiB of a month.
)

// azurePrices are Azure's list prices by region. They are those of the Retail Prices
// API (prices.azure.com/api/retail/prices,
// learn.microsoft.com/rest/api/cost-management/retail-prices), read in published
// copies of it: virtual machines of June 2026, the rest of August 2026, where two
// copies were found they agree. In germanywestcentral the disks of 256 GiB, the
// object storage and the size E2ds_v5 of the database are
// westeurope's, as all its other prices are.
var azurePrices = map[string]azurePrice{
	"eastus2": {
		nodes: americanNodes, databases: americanDatabases,
		disk64: 9.2801, disk128: 17.92, disk256: 34.56, databaseDisk: 0.115, object: 0.023, log: 2.76,
	},
	"westus2": {
		nodes: americanNodes, databases: americanDatabases,
		disk64: 9.2801, disk128: 17.92, disk256: 34.56, databaseDisk: 0.115, object: 0.023, log: 2.30,
	},
	"northeurope": {
		nodes: map[string]float64{
			"Standard_D4s_v3": 0.214, "Standard_D4s_v5": 0.214, "Standard_D4as_v5": 0.192, "Standard_D4ds_v5": 0.252,
			"Standard_D4s_v6": 0.225, "Standard_D4as_v6": 0.202, "Standard_B4ms": 0.182, "Standard_E4s_v5": 0.282,
		},
		databases: map[string]float64{
			"Standard_B2s": 0.072, "Standard_D2ds_v5": 0.198, "Standard_D4ds_v5": 0.396, "Standard_E2ds_v5": 0.278,
		},
		disk64: 10.207, disk128: 19.71, disk256: 38.012142, databaseDisk: 0.1265, object: 0.023, log: 2.76,
	},
	"westeurope": {
		nodes:     continentalNodes(0.240),
		databases: continentalDatabases,
		disk64:    11.2272, disk128: 21.68, disk256: 41.811428, databaseDisk: 0.1369, object: 0.024, log: 2.99,
	},
	"germanywestcentral": {
		nodes:     continentalNodes(0.230),
		databases: continentalDatabases,
		disk64:    11.227, disk128: 21.68, disk256: 41.81, databaseDisk: 0.137, object: 0.024, log: 2.99,
	},
}

var americanNodes = map[string]float64{
	"Standard_D4s_v3": 0.192, "Standard_D4s_v5": 0.192, "Standard_D4as_v5": 0.172, "Standard_D4ds_v5": 0.226,
	"Standard_D4s_v6": 0.202, "Standard_D4as_v6": 0.182, "Standard_B4ms": 0.166, "Standard_E4s_v5": 0.252,
}

var americanDatabases = map[string]float64{
	"Standard_B2s": 0.068, "Standard_D2ds_v5": 0.178, "Standard_D4ds_v5": 0.356, "Standard_E2ds_v5": 0.25,
}

// continentalNodes differ in D4s_v3 only.
func continentalNodes(d4sv3 float64) map[string]float64 {
	return map[string]float64{
		"Standard_D4s_v3": d4sv3, "Standard_D4s_v5": 0.230, "Standard_D4as_v5": 0.208, "Standard_D4ds_v5": 0.272,
		"Standard_D4s_v6": 0.242, "Standard_D4as_v6": 0.220, "Standard_B4ms": 0.192, "Standard_E4s_v5": 0.304,
	}
}

var continentalDatabases = map[string]float64{
	"Standard_B2s": 0.0796, "Standard_D2ds_v5": 0.212, "Standard_D4ds_v5": 0.424, "Standard_E2ds_v5": 0.302,
}

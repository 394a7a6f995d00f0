package estimate

// awsPricesOf says when the prices below were AWS' list prices.
const awsPricesOf = "September 2026"

// awsPrice is a region's list prices for Linux on demand, in US dollars.
type awsPrice struct {
	// An hour of an EC2 type or of an RDS class (PostgreSQL, one instance).
	hourly map[string]float64
	// An hour.
	controlPlane, nat, loadBalancer, address float64
	// A GiB for a month.
	disk, databaseDisk, object, logKept float64
	// A GiB.
	natTraffic, egress, log float64
	// A month.
	key, secret, alarm float64
}

// awsPrices are AWS' list prices by region, of August and September 2026. They
// are those of the Price List (pricing.us-east-1.amazonaws.com/offers/v1.0/aws,
// offers AmazonEC2, AmazonEKS, AmazonRDS, AmazonVPC, AWSELB, AmazonS3, awskms,
// AWSSecretsManager and AmazonCloudWatch), read in published copies and extracts
// of it, most in two that agree; the same numbers are on
// aws.amazon.com/SERVICE/pricing.
//
// Weaker are, from a copy of August 2024 only: t3.xlarge and t3a.xlarge in
// eu-central-1, t3a.xlarge in us-west-2, RDS in us-west-2, and RDS larger than
// db.t4g.medium in eu-central-1. No RDS price that could be compared had changed
// since then. The RDS volume in us-west-2 is taken from us-east-1, whose prices
// that region shares wherever both are known.
var awsPrices = map[string]awsPrice{
	"us-east-1": northVirginia,
	"us-west-2": northVirginia,
	"eu-west-1": {
		hourly: map[string]float64{
			"m7i.xlarge": 0.2247, "m7i-flex.xlarge": 0.21346, "m6i.xlarge": 0.214, "m7a.xlarge": 0.2584, "m6a.xlarge": 0.1926,
			"m5.xlarge": 0.214, "t3.xlarge": 0.1824, "t3a.xlarge": 0.1632,
			"db.t4g.micro": 0.017, "db.t4g.small": 0.035, "db.t4g.medium": 0.069, "db.t4g.large": 0.138, "db.m6g.large": 0.176,
			"db.m7g.large": 0.186, "db.m7g.xlarge": 0.372, "db.m6i.large": 0.197, "db.r7g.large": 0.268,
		},
		controlPlane: 0.10, nat: 0.048, loadBalancer: 0.0252, address: 0.005,
		disk: 0.088, databaseDisk: 0.127, object: 0.023, logKept: 0.03,
		natTraffic: 0.048, egress: 0.09, log: 0.57, key: 1, secret: 0.40, alarm: 0.10,
	},
	"eu-central-1": {
		hourly: map[string]float64{
			"m7i.xlarge": 0.2415, "m7i-flex.xlarge": 0.22942, "m6i.xlarge": 0.230, "m7a.xlarge": 0.27772, "m6a.xlarge": 0.207,
			"m5.xlarge": 0.230, "t3.xlarge": 0.192, "t3a.xlarge": 0.1728,
			"db.t4g.micro": 0.019, "db.t4g.small": 0.037, "db.t4g.medium": 0.074, "db.t4g.large": 0.149, "db.m6g.large": 0.189,
			"db.m7g.large": 0.200, "db.m7g.xlarge": 0.401, "db.m6i.large": 0.212, "db.r7g.large": 0.291,
		},
		controlPlane: 0.10, nat: 0.052, loadBalancer: 0.027, address: 0.005,
		disk: 0.0952, databaseDisk: 0.137, object: 0.0245, logKept: 0.0324,
		natTraffic: 0.052, egress: 0.09, log: 0.63, key: 1, secret: 0.40, alarm: 0.10,
	},
}

// northVirginia is us-east-1.
var northVirginia = awsPrice{
	hourly: map[string]float64{
		"m7i.xlarge": 0.2016, "m7i-flex.xlarge": 0.19152, "m6i.xlarge": 0.192, "m7a.xlarge": 0.23184, "m6a.xlarge": 0.1728,
		"m5.xlarge": 0.192, "t3.xlarge": 0.1664, "t3a.xlarge": 0.1504,
		"db.t4g.micro": 0.016, "db.t4g.small": 0.032, "db.t4g.medium": 0.065, "db.t4g.large": 0.129, "db.m6g.large": 0.159,
		"db.m7g.large": 0.168, "db.m7g.xlarge": 0.337, "db.m6i.large": 0.178, "db.r7g.large": 0.239,
	},
	controlPlane: 0.10, nat: 0.045, loadBalancer: 0.0225, address: 0.005,
	disk: 0.08, databaseDisk: 0.115, object: 0.023, logKept: 0.03,
	natTraffic: 0.045, egress: 0.09, log: 0.50, key: 1, secret: 0.40, alarm: 0.10,
}

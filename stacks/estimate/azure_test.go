package estimate

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
)

// azureDev and azureProduction are the defaults of platform azure.
func azureDev(region string) Azure {
	return Azure{
		Region: region, Nodes: 2, NodeType: "Standard_D4as_v5", NodeDiskGiB: 64, Database: "Standard_B2s", DatabaseGiB: 32, NATGateway: true, BlobZone: true,
		Usage: Usage{StoredGiB: 50, NATGiB: 20, DownloadedGiB: 10, LoggedGiB: 5},
	}
}

func azureProduction(region string) Azure {
	return Azure{
		Region: region, Agreement: true, Nodes: 3, NodeType: "Standard_D4s_v5", NodeDiskGiB: 128, Database: "Standard_D2ds_v5", Standby: true, DatabaseGiB: 256,
		NATGateway: true, BlobZone: true, LoadBalancer: true, PublicLoadBalancer: true, Usage: Usage{StoredGiB: 500, NATGiB: 100, DownloadedGiB: 100, LoggedGiB: 20},
	}
}

// TestTotalsOfAzure compares with sums made by hand from the price list.
func TestTotalsOfAzure(t *testing.T) {
	for _, c := range []struct {
		azure Azure
		want  float64
	}{
		{azureDev("eastus2"), 369.95}, {azureDev("westus2"), 369.95}, {azureDev("westeurope"), 435.62},
		{azureProduction("eastus2"), 991.10}, {azureProduction("westeurope"), 1150.40}, {azureProduction("germanywestcentral"), 1150.45},
	} {
		assert.InDelta(t, c.want, c.azure.Estimate().Total(), 0.01, "%+v", c.azure)
	}
	more := azureProduction("eastus2")
	more.Usage.DownloadedGiB, more.Usage.LoggedGiB = 200, 21
	assert.InDelta(t, 991.10+100*(0.087+0.01)+2.76, more.Estimate().Total(), 0.01, "the first 100 GiB and 5 GiB are free")
	system := azureProduction("eastus2")
	system.SystemNodes, system.SystemType, system.DefenderVCPUs = 2, "Standard_D4as_v5", 20
	assert.InDelta(t, 991.10+2*(730*0.172+9.2801)+20*6.87, system.Estimate().Total(), 0.01)
	inside := azureProduction("eastus2")
	inside.Database, inside.Standby, inside.DatabaseVolumes = "", false, 3
	assert.InDelta(t, 991.10-2*730*0.178-2*256*0.115-0.5+3*34.56, inside.Estimate().Total(), 0.01)
	there := azureProduction("eastus2")
	there.NATGateway, there.BlobZone, there.PublicLoadBalancer = false, false, false
	assert.InDelta(t, 991.10-730*(0.045+2*0.005)-0.5-100*0.045, there.Estimate().Total(), 0.01, "an existing network")
	large := azureProduction("eastus2")
	large.NodeDiskGiB = 512
	assert.InDelta(t, 991.10+3*(2*34.56-17.92), large.Estimate().Total(), 0.01)
}

// azureGaps are prices that a region lacks, and sizes that not all of them have.
func azureGaps(prices map[string]azurePrice) []string {
	var bad []string
	for region, price := range prices {
		v := reflect.ValueOf(price)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				bad = append(bad, region+" lacks "+v.Type().Field(i).Name)
			}
		}
		for size := range azurePrices["eastus2"].nodes {
			if price.nodes[size] <= 0 {
				bad = append(bad, region+" lacks "+size)
			}
		}
		for size := range azurePrices["eastus2"].databases {
			if price.databases[size] <= 0 {
				bad = append(bad, region+" lacks a database of "+size)
			}
		}
	}
	return bad
}

func TestEveryRegionOfAzureHasEveryPrice(t *testing.T) {
	assert.Empty(t, azureGaps(azurePrices))
	assert.NotEmpty(t, azureGaps(map[string]azurePrice{"nowhere": {}}))
}

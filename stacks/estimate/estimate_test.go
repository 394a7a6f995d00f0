package estimate

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dev and production are the defaults of platform aws.
func dev(region string) AWS {
	return AWS{
		Region: region, Nodes: 3, NodeType: "t3a.xlarge", NodeDiskGiB: 80, NATGateways: 1, Database: "db.t4g.small", DatabaseGiB: 20,
		Usage: Usage{StoredGiB: 50, NATGiB: 20, DownloadedGiB: 10, LoggedGiB: 5},
	}
}

func production(region string) AWS {
	return AWS{
		Region: region, Nodes: 3, NodeType: "m7i.xlarge", NodeDiskGiB: 80, NATGateways: 3, Database: "db.m7g.large", Standby: true, DatabaseGiB: 200,
		LoadBalancer: true, LoadBalancerAddresses: 3, Usage: Usage{StoredGiB: 500, NATGiB: 100, DownloadedGiB: 100, LoggedGiB: 20},
	}
}

// TestTotals compares with sums made by hand from the price list.
func TestTotals(t *testing.T) {
	for _, c := range []struct {
		aws  AWS
		want float64
	}{
		{dev("us-east-1"), 496.34}, {dev("us-west-2"), 496.34}, {dev("eu-west-1"), 531.32}, {dev("eu-central-1"), 559.14},
		{production("us-east-1"), 1005.36}, {production("eu-central-1"), 1174.72},
	} {
		assert.InDelta(t, c.want, c.aws.Estimate().Total(), 0.01, "%+v", c.aws)
	}
}

func TestOwnPricesReplaceTheTable(t *testing.T) {
	a := dev("us-east-1")
	a.HourlyUSD = map[string]float64{"t3a.xlarge": 0.1}
	assert.InDelta(t, 496.336-3*HoursAMonth*0.0504, a.Estimate().Total(), 0.01)
}

func TestByItemAddsUp(t *testing.T) {
	items := production("eu-west-1").Estimate().ByItem()
	sum := 0.0
	for item, usd := range items {
		if item != "total" {
			sum += usd
		}
	}
	require.NotZero(t, sum)
	assert.InDelta(t, items["total"], sum, 0.001)
}

// gaps are prices that a region lacks, and those that no service has.
func gaps(prices map[string]awsPrice) []string {
	var bad []string
	types := prices["us-east-1"].hourly
	for region, p := range prices {
		v := reflect.ValueOf(p)
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Float64 && f.Float() <= 0 {
				bad = append(bad, region+" has no price of "+v.Type().Field(i).Name)
			}
		}
		for name := range types {
			// A dearer hour than these is a misplaced point.
			if usd := p.hourly[name]; usd < 0.01 || usd > 0.5 {
				bad = append(bad, region+" has no likely price of "+name)
			}
		}
		if len(p.hourly) != len(types) {
			bad = append(bad, region+" has prices of other types")
		}
	}
	return bad
}

func TestEveryRegionHasEveryPrice(t *testing.T) {
	assert.Empty(t, gaps(awsPrices))
	dublin := awsPrices["eu-west-1"]
	dublin.nat = 0
	dublin.hourly = map[string]float64{"t3a.xlarge": 1.632}
	found := strings.Join(gaps(map[string]awsPrice{"us-east-1": northVirginia, "eu-west-1": dublin}), "\n")
	for _, twin := range []string{"no price of nat", "no likely price of t3a.xlarge", "no likely price of m7i.xlarge", "prices of other types"} {
		assert.Contains(t, found, twin)
	}
}

package gcp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mlflow-platform/mlflow-platform/stacks/estimate"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// unbilled lists where the graph has more or less than the estimate counts.
func unbilled(g *graph.Graph, e estimate.Estimate) []string {
	count := func(typ string) float64 { return float64(len(g.OfType(typ))) }
	made := map[string]float64{
		"GKE control plane": count(cluster), "public IPv4 addresses": count("gcp:compute/address:Address"),
		"private DNS zone": count("gcp:dns/managedZone:ManagedZone"), "KMS keys": count(key),
	}
	if secrets := count("gcp:secretmanager/secret:Secret"); secrets > 6 {
		made["secrets beyond the free ones"] = secrets - 6
	}
	units := map[string]string{}
	for _, n := range g.OfType(pool) {
		made["nodes"] += number(n, "initialNodeCount") * float64(len(value(n, "nodeLocations").ArrayValue()))
		made["disks of the nodes"] += made["nodes"] * number(n, "nodeConfig.diskSizeGb")
		units["nodes"] = text(n, "nodeConfig.machineType")
	}
	if count("gcp:compute/routerNat:RouterNat") > 0 {
		made["Cloud NAT"] = made["nodes"]
	}
	for _, n := range g.OfType(instance) {
		copies := 1.0
		if text(n, "settings.availabilityType") == "REGIONAL" {
			copies = 2
		}
		made["database"] += copies
		made["database storage"] += copies * number(n, "settings.diskSize")
		units["database"] = text(n, "settings.tier")
	}
	for _, n := range g.OfType("kubernetes:postgresql.cnpg.io/v1:Cluster") {
		made["database volumes"] = number(n, "spec.instances") * gibibytes(text(n, "spec.storage.size"))
	}
	for _, n := range g.OfType("kubernetes:core/v1:Service") {
		if text(n, "spec.type") == "LoadBalancer" {
			made["load balancer"]++
		}
	}
	return graph.Unbilled(e, made, units)
}

func gibibytes(quantity string) float64 {
	count := 0.0
	for _, digit := range strings.TrimSuffix(quantity, "Gi") {
		count = count*10 + float64(digit-'0')
	}
	return count
}

func TestTheEstimateCountsTheGraph(t *testing.T) {
	onGCP.CheckEstimate(t, unbilled, map[string]func(*graph.Graph){
		"another zone":  copying("network-googleapis", "more-zone"),
		"another key":   copying("bucket-key", "more-key"),
		"more nodes":    set("cluster-nodes-pool", "initialNodeCount", 2),
		"fewer zones":   set("cluster-nodes-pool", "nodeLocations", []any{"europe-west3-a"}),
		"larger nodes":  set("cluster-nodes-pool", "nodeConfig.machineType", "n2-standard-8"),
		"larger disks":  set("cluster-nodes-pool", "nodeConfig.diskSizeGb", 200),
		"no standby":    set("database-instance", "settings.availabilityType", "ZONAL"),
		"more storage":  set("database-instance", "settings.diskSize", 1000),
		"another size":  set("database-instance", "settings.tier", "db-custom-8-32768"),
		"no way out":    remove("network-nat"),
		"an address":    copying("network-nat-address", "more-address"),
		"inside only":   set("exposure-loadbalancer", "spec.type", "ClusterIP"),
		"no management": remove("cluster-gke"),
	})
}

// TestTheDefaultsFitTheirBudget: dev within the 500 USD of the default budget.
func TestTheDefaultsFitTheirBudget(t *testing.T) {
	assert.LessOrEqual(t, onGCP.Bill(t, dev).Total(), 500.0)
}

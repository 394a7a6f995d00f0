package azure_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mlflow-platform/mlflow-platform/stacks/estimate"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// unbilled lists where the graph has more or less than the estimate counts.
func unbilled(g *graph.Graph, e estimate.Estimate) []string {
	count := func(typ string) float64 { return float64(len(g.OfType("azure-native:" + typ))) }
	made := map[string]float64{
		"NAT gateway": count("network:NatGateway"), "private endpoint": count("network:PrivateEndpoint"), "private DNS zones": count("privatedns:PrivateZone"),
		"public IPv4 addresses": count("network:PublicIPAddress"),
	}
	units := map[string]string{}
	nodes := func(item string, n graph.Node, at string) {
		made[item] += number(n, at+"count")
		made["disks of the "+item] = made[item]
		units[item] = text(n, at+"vmSize")
	}
	for _, n := range g.OfType("azure-native:containerservice:ManagedCluster") {
		if text(n, "sku.tier") == "Standard" {
			made["AKS control plane"]++
		}
		item := "nodes"
		if text(n, "agentPoolProfiles[0].nodeTaints[0]") != "" {
			item = "system nodes"
		}
		nodes(item, n, "agentPoolProfiles[0].")
	}
	for _, n := range g.OfType("azure-native:containerservice:AgentPool") {
		nodes("nodes", n, "")
	}
	for _, n := range g.OfType("azure-native:dbforpostgresql:Server") {
		copies := 1.0
		if text(n, "highAvailability.mode") == "ZoneRedundant" {
			copies = 2
		}
		made["database"] += copies
		made["database storage"] += copies * number(n, "storage.storageSizeGB")
		units["database"] = text(n, "sku.name")
	}
	for _, n := range g.OfType("kubernetes:postgresql.cnpg.io/v1:Cluster") {
		made["database volumes"] = number(n, "spec.instances")
	}
	for _, n := range g.OfType("kubernetes:core/v1:Service") {
		if text(n, "spec.type") == "LoadBalancer" {
			made["load balancer"]++
			if text(n, `metadata.annotations["service.beta.kubernetes.io/azure-load-balancer-internal"]`) != "true" {
				made["public IPv4 addresses"]++
			}
		}
	}
	// Defender bills every vCPU of the nodes that begin with the stack.
	for _, n := range g.OfType("azure-native:containerservice:ManagedCluster") {
		if isTrue(n, "securityProfile.defender.securityMonitoring.enabled") {
			made["Defender for Containers"] = 4 * (made["nodes"] + made["system nodes"])
		}
	}
	return graph.Unbilled(e, made, units)
}

func TestTheEstimateCountsTheGraph(t *testing.T) {
	onAzure.CheckEstimate(t, unbilled, map[string]func(*graph.Graph){
		"another zone":   copying("bucket-zone", "more-zone"),
		"more nodes":     set("cluster-nodes-pool", "count", 5),
		"larger nodes":   set("cluster-nodes-pool", "vmSize", "Standard_D8s_v5"),
		"a system node":  set("cluster-aks", "agentPoolProfiles[0].count", 5),
		"Defender":       set("cluster-aks", "securityProfile.defender", map[string]any{"securityMonitoring": map[string]any{"enabled": true}}),
		"no standby":     set("database-server", "highAvailability.mode", "Disabled"),
		"more storage":   set("database-server", "storage.storageSizeGB", 1024),
		"no NAT gateway": remove("network-nat"),
		"the free tier":  set("cluster-aks", "sku.tier", "Free"),
	})
}

// TestTheDefaultsFitTheirBudget: dev within the 500 USD of the default budget.
func TestTheDefaultsFitTheirBudget(t *testing.T) {
	assert.LessOrEqual(t, onAzure.Bill(t, dev).Total(), 500.0)
}

package azure_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/estimate"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

func bill(t *testing.T, file string) estimate.Estimate {
	t.Helper()
	r := run(t, file)
	s, err := settings.Load(r.Stack, r.Config, r.SecretKeys)
	require.NoError(t, err)
	e := s.Estimate()
	require.NotNil(t, e)
	return *e
}

// unbilled lists where the graph has more or less than the estimate counts.
func unbilled(g *graph.Graph, e estimate.Estimate) []string {
	count := func(typ string) float64 { return float64(len(g.OfType("azure-native:" + typ))) }
	made := map[string]float64{
		"NAT gateway": count("network:NatGateway"), "private endpoint": count("network:PrivateEndpoint"), "private DNS zones": count("privatedns:PrivateZone"),
		"public IPv4 addresses": count("network:PublicIPAddress"),
	}
	units := map[string]string{}
	for _, n := range g.OfType("azure-native:containerservice:ManagedCluster") {
		if text(n, "sku.tier") == "Standard" {
			made["AKS control plane"]++
		}
		made["nodes"] += number(n, "agentPoolProfiles[0].count")
		made["disks of the nodes"] = made["nodes"]
		units["nodes"] = text(n, "agentPoolProfiles[0].vmSize")
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
	for _, n := range g.OfType("kubernetes:core/v1:Service") {
		if text(n, "spec.type") == "LoadBalancer" {
			made["load balancer"]++
			made["public IPv4 addresses"]++
		}
	}
	var bad []string
	for _, l := range e.Lines {
		if len(l.Item) > 6 && l.Item[:6] == "usage:" {
			continue
		}
		if l.Quantity != made[l.Item] {
			bad = append(bad, fmt.Sprintf("%s: %v in the estimate, %v in the graph", l.Item, l.Quantity, made[l.Item]))
		}
		if unit := units[l.Item]; unit != "" && unit != l.Unit {
			bad = append(bad, fmt.Sprintf("%s: %s in the estimate, %s in the graph", l.Item, l.Unit, unit))
		}
		delete(made, l.Item)
	}
	for item, quantity := range made {
		if quantity > 0 {
			bad = append(bad, item+" is not in the estimate")
		}
	}
	return bad
}

func TestTheEstimateCountsTheGraph(t *testing.T) {
	for _, file := range files {
		assert.Empty(t, unbilled(record(t, file), bill(t, file)), file)
	}
	for name, sabotage := range map[string]func(*graph.Graph){
		"another zone":   func(g *graph.Graph) { g.Nodes = append(g.Nodes, copyOf(g, "bucket-zone", "more-zone")) },
		"more nodes":     set("cluster-aks", "agentPoolProfiles[0].count", 5),
		"larger nodes":   set("cluster-aks", "agentPoolProfiles[0].vmSize", "Standard_D8s_v5"),
		"no standby":     set("database-server", "highAvailability.mode", "Disabled"),
		"more storage":   set("database-server", "storage.storageSizeGB", 1024),
		"no NAT gateway": remove("network-nat"),
		"the free tier":  set("cluster-aks", "sku.tier", "Free"),
	} {
		broken := record(t, prod).Clone()
		sabotage(broken)
		assert.NotEmpty(t, unbilled(broken, bill(t, prod)), name)
	}
}

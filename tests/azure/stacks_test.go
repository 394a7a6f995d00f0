// Package azure_test checks the graph of stacks on Azure without Azure: what every
// graph must have, and what a reviewer of a subscription looks for.
package azure_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/mlflow-platform/mlflow-platform/components/azure"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

const (
	subscription = "11111111-2222-3333-4444-555555555555"
	tenant       = "99999999-2222-3333-4444-555555555555"
	admin        = "aaaaaaaa-0000-4000-8000-000000000001"
)

const (
	dev             = "stacks/examples/azure-dev.yaml"
	prod            = "stacks/examples/azure-prod.yaml"
	inCluster       = "stacks/examples/azure-incluster.yaml"
	existingNetwork = "stacks/examples/azure-network.yaml"
)

// files are the stack files that run on Azure.
var files = []string{dev, prod, inCluster, existingNetwork}

func newProgram() graph.Program {
	return &stacks.Program{Platforms: stacks.Platforms{settings.Azure: azure.New}}
}

var onAzure = &graph.Stacks{
	Program: newProgram, Files: files, Prod: prod,
	Cloud: func(graph.Run) graph.Cloud { return cloud{network: newSpoke()} },
}

var run, record = onAzure.Run, onAzure.Record

func TestPreviewRegistersWhatTheUpdateDoes(t *testing.T) { onAzure.CheckPreview(t) }

func TestGolden(t *testing.T) { onAzure.CheckGolden(t) }

func TestNoSecretShows(t *testing.T) { onAzure.CheckSecrets(t) }

func TestProtection(t *testing.T) { onAzure.CheckProtection(t) }

func TestProperties(t *testing.T) {
	onAzure.CheckCommon(t, "network-vnet")
	for _, p := range properties() {
		onAzure.CheckProperty(t, graph.Property(p))
	}
}

func TestSubnets(t *testing.T) {
	onAzure.CheckSubnets(t, overlaps, map[string]func(*graph.Graph){
		"the same addresses":     set("network-endpoints", "addressPrefix", "10.40.0.0/26"),
		"outside of the network": set("network-endpoints", "addressPrefix", "10.41.0.0/26"),
		"one less":               remove("network-endpoints"),
	})
}

func overlaps(g *graph.Graph) []string {
	if !own(g) {
		return nil
	}
	subnets, want := g.OfType("azure-native:network:Subnet"), 3
	if managed(g) {
		want++
	}
	bad := graph.Overlapping(text(g.OfType("azure-native:network:VirtualNetwork")[0], "addressSpace.addressPrefixes[0]"), subnets, "addressPrefix")
	if len(subnets) != want {
		bad = append(bad, fmt.Sprintf("%d subnets; want those of nodes, API server, endpoints and a server", len(subnets)))
	}
	return bad
}

// Budgets begin in the month of their making, and roles need time.
func init() {
	azure.Now = func() time.Time { return time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC) }
	azure.Sleep = func(time.Duration) {}
}

// Package gcp_test checks the graph of stacks on Google Cloud without Google Cloud:
// what every graph must have, and what a reviewer of a project looks for.
package gcp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/mlflow-platform/mlflow-platform/components/gcp"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

const (
	dev       = "stacks/examples/gcp-dev.yaml"
	prod      = "stacks/examples/gcp-prod.yaml"
	inCluster = "stacks/examples/gcp-incluster.yaml"

	existingNetwork = "stacks/examples/gcp-network.yaml"
)

// files are the stack files that run on Google Cloud.
var files = []string{dev, prod, inCluster, existingNetwork}

func newProgram() graph.Program {
	return &stacks.Program{Platforms: stacks.Platforms{settings.GCP: gcp.New}}
}

var onGCP = &graph.Stacks{
	Program: newProgram, Files: files, Prod: prod,
	Cloud: func(graph.Run) graph.Cloud { return cloud{network: newCorporate()} },
}

var run, record = onGCP.Run, onGCP.Record

func TestPreviewRegistersWhatTheUpdateDoes(t *testing.T) { onGCP.CheckPreview(t) }

func TestGolden(t *testing.T) { onGCP.CheckGolden(t) }

func TestNoSecretShows(t *testing.T) { onGCP.CheckSecrets(t) }

func TestProtection(t *testing.T) { onGCP.CheckProtection(t) }

func TestProperties(t *testing.T) {
	onGCP.CheckCommon(t, "network-vpc")
	for _, p := range properties() {
		onGCP.CheckProperty(t, p)
	}
}

func TestSubnets(t *testing.T) {
	onGCP.CheckSubnets(t, overlaps, map[string]func(*graph.Graph){
		"the same addresses":     set("network-subnet", "secondaryIpRanges[0].ipCidrRange", "10.40.0.0/18"),
		"the control plane's":    set("cluster-gke", "privateClusterConfig.masterIpv4CidrBlock", "10.40.0.0/28"),
		"the database's":         set("network-database-range", "address", "10.40.128.0"),
		"the services'":          set("network-subnet", "secondaryIpRanges[1].ipCidrRange", "10.40.0.0/20"),
		"a larger control plane": set("cluster-gke", "privateClusterConfig.masterIpv4CidrBlock", "10.40.64.0/18"),
	})
}

// overlaps lists ranges of the network that touch each other.
func overlaps(g *graph.Graph) []string {
	var parts []graph.Node
	add := func(n graph.Node, cidr string) {
		parts = append(parts, graph.Node{Name: n.Name + " " + cidr, Inputs: resource.PropertyMap{"range": resource.NewProperty(cidr)}})
	}
	for _, n := range g.OfType("gcp:compute/subnetwork:Subnetwork") {
		add(n, text(n, "ipCidrRange"))
		add(n, text(n, "secondaryIpRanges[0].ipCidrRange"))
		add(n, text(n, "secondaryIpRanges[1].ipCidrRange"))
	}
	for _, n := range g.OfType("gcp:container/cluster:Cluster") {
		add(n, text(n, "privateClusterConfig.masterIpv4CidrBlock"))
	}
	for _, n := range g.OfType("gcp:compute/globalAddress:GlobalAddress") {
		add(n, fmt.Sprintf("%s/%.0f", text(n, "address"), number(n, "prefixLength")))
	}
	// Services have a range of their own, so the whole is everything.
	return graph.Overlapping("0.0.0.0/0", parts, "range")
}

func init() { gcp.Sleep = func(time.Duration) {} }

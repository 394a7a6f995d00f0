package aws_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"

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
	count := func(typ string) float64 { return float64(len(g.OfType(typ))) }
	number := func(n graph.Node, path string) float64 { return value(n, path).NumberValue() }
	made := map[string]float64{
		"EKS control plane": count("aws:eks/cluster:Cluster"),
		"NAT gateways":      count("aws:ec2/natGateway:NatGateway"),
		"KMS keys":          count("aws:kms/key:Key"),
		"secrets":           count("aws:secretsmanager/secret:Secret"),
		"alarms":            count("aws:cloudwatch/metricAlarm:MetricAlarm"),
		// The load balancer has one in every public subnet, if it is public.
		"public IPv4 addresses": count("aws:ec2/eip:Eip"),
	}
	units := map[string]string{}
	for _, n := range g.OfType("aws:eks/nodeGroup:NodeGroup") {
		made["nodes"] += number(n, "scalingConfig.desiredSize")
		units["nodes"] = text(n, "instanceTypes[0]")
	}
	for _, n := range g.OfType("aws:ec2/launchTemplate:LaunchTemplate") {
		made["disks of the nodes"] += made["nodes"] * number(n, "blockDeviceMappings[0].ebs.volumeSize")
	}
	for _, n := range g.OfType("aws:rds/instance:Instance") {
		copies := 1.0
		if isTrue(n, "multiAz") {
			copies = 2
		}
		made["database"] += copies
		units["database"] = text(n, "instanceClass")
		made["database storage"] += copies * number(n, "allocatedStorage")
	}
	for _, n := range g.OfType(cnpg) {
		size, err := resource.ParseQuantity(text(n, "spec.storage.size"))
		if err != nil {
			return []string{n.Key() + " has volumes of no size"}
		}
		made["database volumes"] += number(n, "spec.instances") * float64(size.Value()) / (1 << 30)
	}
	for _, n := range g.OfType("kubernetes:core/v1:Service") {
		if text(n, "spec.type") == "LoadBalancer" {
			made["load balancer"]++
			switch in := text(n, `metadata.annotations["`+loadBalancer+`subnets"]`); {
			case text(n, `metadata.annotations["`+settings.AWSInternalLoadBalancer+`"]`) == "true":
			case in != "":
				made["public IPv4 addresses"] += float64(1 + strings.Count(in, ","))
			default:
				made["public IPv4 addresses"] += count("aws:ec2/subnet:Subnet") / 3
			}
		}
	}
	var bad []string
	for _, n := range g.OfType("aws:cloudwatch/logGroup:LogGroup") {
		// Three months are in the price of a logged GiB.
		if days := number(n, "retentionInDays"); days < 1 || days > 92 {
			bad = append(bad, fmt.Sprintf("%s keeps logs for %g days", n.Key(), days))
		}
	}
	for _, l := range e.Lines {
		want, ok := made[l.Item]
		delete(made, l.Item)
		if ok && (l.Quantity != want || units[l.Item] != "" && units[l.Item] != l.Unit) {
			bad = append(bad, fmt.Sprintf("%s: the stack has %g %s, the estimate %g %s", l.Item, want, units[l.Item], l.Quantity, l.Unit))
		}
	}
	for item, quantity := range made {
		if quantity > 0 {
			bad = append(bad, item+" is not in the estimate")
		}
	}
	return bad
}

func TestTheEstimateCountsWhatIsMade(t *testing.T) {
	for _, file := range files {
		assert.Empty(t, unbilled(record(t, file), bill(t, file)), file)
	}
	for name, sabotage := range map[string]func(*graph.Graph){
		"one more key": func(g *graph.Graph) {
			g.Nodes = append(g.Nodes, g.OfType("aws:kms/key:Key")[0])
		},
		"one NAT gateway less": func(g *graph.Graph) { g.Remove(g.OfType("aws:ec2/natGateway:NatGateway")[0].Name) },
		"larger disks":         set("cluster-template", "blockDeviceMappings[0].ebs.volumeSize", 200),
		"other nodes":          set("cluster-nodes", "instanceTypes[0]", "p5.48xlarge"),
		"no standby":           set("database-instance", "multiAz", false),
		"a public way in less": set("exposure-loadbalancer", "spec.type", "ClusterIP"),
		"logs for ever":        set("cluster-logs", "retentionInDays", 0),
	} {
		broken := record(t, "Pulumi.prod.yaml").Clone()
		sabotage(broken)
		assert.NotEmpty(t, unbilled(broken, bill(t, "Pulumi.prod.yaml")), name)
	}
	public := record(t, existingNetwork).Clone()
	public.Set(balancerOf(public), `metadata.annotations["`+settings.AWSInternalLoadBalancer+`"]`, nil)
	assert.NotEmpty(t, unbilled(public, bill(t, existingNetwork)), "public addresses")
	for path, value := range map[string]any{"spec.instances": 5, "spec.storage.size": "200Gi"} {
		broken := record(t, inCluster).Clone()
		broken.Set("database-postgresql-cluster", path, value)
		assert.NotEmpty(t, unbilled(broken, bill(t, inCluster)), path)
	}
}

// TestTheDefaultsFitTheirBudgets: dev within the 500 USD of the default budget,
// production within what its file says.
func TestTheDefaultsFitTheirBudgets(t *testing.T) {
	assert.LessOrEqual(t, bill(t, "Pulumi.dev.yaml").Total(), 500.0)
	for _, file := range []string{"Pulumi.dev.yaml", "Pulumi.prod.yaml"} {
		out := record(t, file).Outputs["monthlyEstimateUsd"].Value
		assert.InDelta(t, bill(t, file).Total(), out.(map[string]any)["total"], 0.001)
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", "platforms", "aws.md"))
		require.NoError(t, err)
		assert.Contains(t, string(page), bill(t, file).String(), "docs/platforms/aws.md says what %s costs", file)
	}
}

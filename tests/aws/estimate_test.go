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

// unbilled lists where the graph has more or less than the estimate counts.
func unbilled(g *graph.Graph, e estimate.Estimate) []string {
	count := func(typ string) float64 { return float64(len(g.OfType(typ))) }
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
	return append(bad, graph.Unbilled(e, made, units)...)
}

func TestTheEstimateCountsWhatIsMade(t *testing.T) {
	onAWS.CheckEstimate(t, unbilled, map[string]func(*graph.Graph){
		"one more key":         copying("cluster-key", "another-key"),
		"one NAT gateway less": func(g *graph.Graph) { g.Remove(g.OfType("aws:ec2/natGateway:NatGateway")[0].Name) },
		"larger disks":         set("cluster-template", "blockDeviceMappings[0].ebs.volumeSize", 200),
		"other nodes":          set("cluster-nodes", "instanceTypes[0]", "p5.48xlarge"),
		"no standby":           set("database-instance", "multiAz", false),
		"a public way in less": set("exposure-loadbalancer", "spec.type", "ClusterIP"),
		"logs for ever":        set("cluster-logs", "retentionInDays", 0),
	})
	public := record(t, existingNetwork).Clone()
	public.Set(balancerOf(public), `metadata.annotations["`+settings.AWSInternalLoadBalancer+`"]`, nil)
	assert.NotEmpty(t, unbilled(public, onAWS.Bill(t, existingNetwork)), "public addresses")
	for path, value := range map[string]any{"spec.instances": 5, "spec.storage.size": "200Gi"} {
		broken := record(t, inCluster).Clone()
		broken.Set("database-postgresql-cluster", path, value)
		assert.NotEmpty(t, unbilled(broken, onAWS.Bill(t, inCluster)), path)
	}
}

// TestTheDefaultsFitTheirBudgets: dev within the 500 USD of the default budget,
// production within what its file says.
func TestTheDefaultsFitTheirBudgets(t *testing.T) {
	assert.LessOrEqual(t, onAWS.Bill(t, "Pulumi.dev.yaml").Total(), 500.0)
	for _, file := range []string{"Pulumi.dev.yaml", "Pulumi.prod.yaml"} {
		page, err := os.ReadFile(filepath.Join("..", "..", "docs", "platforms", "aws.md"))
		require.NoError(t, err)
		assert.Contains(t, string(page), onAWS.Bill(t, file).String(), "docs/platforms/aws.md says what %s costs", file)
	}
}

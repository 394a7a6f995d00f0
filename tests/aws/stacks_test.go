// Package aws_test checks the graph of stacks on AWS without AWS: what every
// graph must have, and what a reviewer of an AWS account looks for.
package aws_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/components/aws"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// account is the one of the stack files.
const account = "111122223333"

// inCluster is the stack file whose database is not RDS.
const inCluster = "stacks/examples/aws-incluster.yaml"

// files are the stack files that run on AWS.
var files = []string{"Pulumi.dev.yaml", "Pulumi.prod.yaml", "stacks/examples/aws-dev.yaml", "stacks/examples/aws-prod.yaml", inCluster, existingNetwork}

func newProgram() graph.Program {
	return &stacks.Program{Platforms: stacks.Platforms{settings.AWS: aws.New}}
}

var onAWS = &graph.Stacks{
	Program: newProgram, Files: files, Prod: "Pulumi.prod.yaml",
	Cloud: func(r graph.Run) graph.Cloud { return cloud{region: r.Config[settings.Project+":region"]} },
}

var run, record = onAWS.Run, onAWS.Record

func TestPreviewRegistersWhatTheUpdateDoes(t *testing.T) { onAWS.CheckPreview(t) }

func TestGolden(t *testing.T) { onAWS.CheckGolden(t) }

func TestNoSecretShows(t *testing.T) { onAWS.CheckSecrets(t) }

func TestProtection(t *testing.T) { onAWS.CheckProtection(t) }

func TestProperties(t *testing.T) {
	onAWS.CheckCommon(t, "network-vpc")
	for _, p := range properties() {
		onAWS.CheckProperty(t, graph.Property(p))
	}
}

// TestAnotherRegionNeedsItsAuthority: a region without a known authority of RDS
// is refused before anything is registered.
func TestAnotherRegionNeedsItsAuthority(t *testing.T) {
	r := run(t, "Pulumi.dev.yaml")
	r.Config[settings.Project+":region"] = "mx-central-1"
	r.Config[settings.Project+":budget"] = `{"enforceEstimate": false, "emails": ["platform@example.com"]}`
	g, err := graph.Record(r, newProgram())
	assert.Empty(t, g.Nodes)
	assert.ErrorContains(t, err, `region is "mx-central-1", whose RDS certificate authority this release does not have`)
}

// TestSomebodyElseIsRefused: who is not among cluster.admins may preview, and
// changes nothing.
func TestSomebodyElseIsRefused(t *testing.T) {
	const sts, iam = "arn:aws:sts::" + account, "arn:aws:iam::" + account
	for _, c := range []struct {
		caller, admin string
		admitted      bool
	}{
		{sts + ":assumed-role/deploy/alice", iam + ":role/deploy", true},
		{sts + ":assumed-role/deploy/alice", iam + ":role/aws-reserved/sso.amazonaws.com/eu-central-1/deploy", true},
		{iam + ":user/team/bob", iam + ":user/team/bob", true},
		{sts + ":assumed-role/deploy2/alice", iam + ":role/deploy", false},
		{sts + ":assumed-role/alice/deploy", iam + ":role/deploy", false},
		{"arn:aws:sts::444455556666:assumed-role/deploy/alice", iam + ":role/deploy", false},
		{sts + ":assumed-role/deploy/alice", iam + ":user/deploy", false},
		{sts + ":federated-user/deploy", iam + ":role/deploy", false},
		{iam + ":user/bob", iam + ":user/team/bob", false},
		{iam + ":root", iam + ":role/deploy", false},
	} {
		r := run(t, "Pulumi.dev.yaml")
		r.Cloud = cloud{region: "us-east-1", caller: c.caller}
		r.Config[settings.Project+":cluster"] = `{"apiAccessCIDRs": ["198.51.100.0/24"], "admins": ["` + c.admin + `"]}`
		g, err := graph.Record(r, newProgram())
		if c.admitted {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, `cluster.admins is ["`+c.admin+`"]; want `+c.caller+" in it")
		assert.Empty(t, g.OfType("aws:ec2/vpc:Vpc"))
		r.Preview = true
		g, err = graph.Record(r, newProgram())
		require.NoError(t, err)
		assert.NotEmpty(t, g.OfType("aws:ec2/vpc:Vpc"))
	}
}

// unsafe lists what is wrong with a database in the cluster.
func unsafe(t *testing.T, g *graph.Graph) []string {
	t.Helper()
	var bad []string
	for _, n := range g.Nodes {
		if strings.HasPrefix(n.Type, "aws:rds/") || strings.HasPrefix(n.Name, "secrets-database-admin") {
			bad = append(bad, n.Key()+" is for RDS")
		}
	}
	classes := map[string]graph.Node{}
	for _, n := range g.OfType("kubernetes:storage.k8s.io/v1:StorageClass") {
		classes[text(n, "metadata.name")] = n
	}
	bad = append(bad, each(g, cnpg, func(n graph.Node) string {
		class, ok := classes[text(n, "spec.storage.storageClass")]
		if !ok || text(class, "parameters.kmsKeyId") == "" || !isTrue(class, "allowVolumeExpansion") || text(class, "reclaimPolicy") != "Retain" ||
			text(class, "volumeBindingMode") != "WaitForFirstConsumer" {
			return "is on volumes of another key, of a fixed size, gone with their claims or in any zone"
		}
		if !slices.Contains(n.Dependencies, class.URN) {
			return "does not wait for its storage class"
		}
		tags := map[string]bool{}
		for i := range 16 {
			key, _, _ := strings.Cut(text(class, fmt.Sprintf("parameters.tagSpecification_%d", i)), "=")
			tags[key] = true
		}
		for _, tag := range []string{"project", "stack", "environment", "owner", "cost-centre", "Name"} {
			if !tags[tag] {
				return "is on volumes without the tag " + tag
			}
		}
		if !n.Protect || !n.Retain {
			return "is not protected and retained"
		}
		return ""
	})...)
	bad = append(bad, each(g, "kubernetes:networking.k8s.io/v1:NetworkPolicy", func(n graph.Node) string {
		if !slices.Contains([]string{"workspace-netpol-postgresql", "database-operator-netpol-cloudnative-pg"}, n.Name) {
			return ""
		}
		egress := fmt.Sprint(value(n, "spec.egress"))
		for _, address := range []string{"172.20.0.1/32", "10.20.64.0/18"} {
			if !strings.Contains(egress, address) {
				return "does not reach the API server at " + address
			}
		}
		return ""
	})...)
	driver := read(t, g, "database-volumes-policy", "policy")
	const key = "arn:aws:kms:us-west-2:111122223333:key/database-volumes-key"
	forAWS := map[string]string{"kms:GrantIsForAWSResource": "true"}
	for _, r := range []struct {
		request
		allowed bool
	}{
		{request{action: "kms:GenerateDataKeyWithoutPlaintext", resource: key}, true},
		{request{action: "kms:Decrypt", resource: key}, true},
		{request{action: "kms:CreateGrant", resource: key, context: forAWS}, true},
		{request{action: "kms:CreateGrant", resource: key}, false},
		{request{action: "kms:ScheduleKeyDeletion", resource: key, context: forAWS}, false},
		{request{action: "kms:Decrypt", resource: "arn:aws:kms:us-west-2:111122223333:key/bucket-key"}, false},
	} {
		if driver.allows(t, r.request) != r.allowed {
			bad = append(bad, fmt.Sprintf("the driver's %s on %s is decided wrongly", r.action, r.resource))
		}
	}
	return bad
}

func TestDatabaseInTheCluster(t *testing.T) {
	assert.Empty(t, unsafe(t, record(t, inCluster)))
	for name, sabotage := range map[string]func(*graph.Graph){
		"default class":    set("database-postgresql-cluster", "spec.storage.storageClass", "gp3"),
		"AWS' own key":     set("database-volumes-storage", "parameters.kmsKeyId", nil),
		"fixed size":       set("database-volumes-storage", "allowVolumeExpansion", false),
		"gone with claims": set("database-volumes-storage", "reclaimPolicy", "Delete"),
		"any zone":         set("database-volumes-storage", "volumeBindingMode", "Immediate"),
		"no tags":          set("database-volumes-storage", "parameters.tagSpecification_3", nil),
		"no class to wait": edit("database-postgresql-cluster", func(n *graph.Node) { n.Dependencies = nil }),
		"not retained":     edit("database-postgresql-cluster", func(n *graph.Node) { n.Retain = false }),
		"RDS as well": func(g *graph.Graph) {
			g.Nodes = append(g.Nodes, record(t, "Pulumi.prod.yaml").OfType("aws:rds/instance:Instance")...)
		},
		"no API server":     set("workspace-netpol-postgresql", "spec.egress", []any{}),
		"an operator alone": set("database-operator-netpol-cloudnative-pg", "spec.egress", []any{}),
		"grants to anybody": set("database-volumes-policy", "policy", `{"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}`),
	} {
		broken := record(t, inCluster).Clone()
		sabotage(broken)
		assert.NotEmpty(t, unsafe(t, broken), name)
	}
}

func TestAddonsArePinned(t *testing.T) {
	r := run(t, "Pulumi.dev.yaml")
	r.Config[settings.Project+":cluster"] = `{"apiAccessCIDRs": ["198.51.100.0/24"], "admins": ["arn:aws:iam::111122223333:role/platform-deploy"], "addons": {"coredns": "v1.12.0-eksbuild.3"}}`
	g, err := graph.Record(r, newProgram())
	require.NoError(t, err)
	versions := map[string]string{}
	for _, n := range g.OfType("aws:eks/addon:Addon") {
		versions[text(n, "addonName")] = text(n, "addonVersion")
	}
	assert.Len(t, versions, 7)
	assert.Equal(t, "v1.12.0-eksbuild.3", versions["coredns"], "the pinned one")
	assert.Equal(t, "v1.0.0-eksbuild.1", versions["vpc-cni"], "AWS' default")
}

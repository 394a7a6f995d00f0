// Package tests checks the whole program without a cluster: the graph of
// resources that every shape of a stack registers, and the manifests in it.
package tests

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// property is a rule for every graph, with graphs that must break it.
type property struct {
	name  string
	holds func(*graph.Graph) []string
	// twins break the rule in the variant on; local when it is empty.
	twins map[string]func(*graph.Graph)
	on    string
}

// TestProperties holds every property against every variant, and shows that it
// finds each of its broken twins.
func TestProperties(t *testing.T) {
	for _, p := range properties() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for _, v := range variants(t) {
				assert.Empty(t, p.holds(v.update(t)), v.name)
			}
			require.NotEmpty(t, p.twins)
			base := find(t, "local")
			if p.on != "" {
				base = find(t, p.on)
			}
			clean := p.holds(base.update(t))
			for name, sabotage := range p.twins {
				broken := base.update(t).Clone()
				if !assert.NotPanics(t, func() { sabotage(broken) }, "the broken twin %q", name) {
					continue
				}
				assert.Greater(t, len(p.holds(broken)), len(clean), "the broken twin %q is not found", name)
			}
		})
	}
}

func TestPreviewRegistersWhatTheUpdateDoes(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		r := v.run(t)
		r.Preview = true
		preview, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		assert.Empty(t, graph.DifferentKeys(preview, v.update(t)))
		late := v.update(t).Clone()
		late.Nodes = append(late.Nodes, graph.Node{Type: "kubernetes:core/v1:Secret", Name: "late"})
		assert.Len(t, graph.DifferentKeys(preview, late), 1, "a resource made in a callback is found")
		late.Remove("gateway-users")
		assert.Len(t, graph.DifferentKeys(preview, late), 2, "so is one that only the preview has")
	})
}

func TestNoSecretShows(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		g := v.update(t)
		assert.Empty(t, graph.Leaks(g, v.secretValues()))
		for name, leak := range map[string]func(*graph.Graph){
			"an input": func(g *graph.Graph) { g.Set("gateway-config", "data.Caddyfile", "user "+graph.Canary+"x") },
			"a list": func(g *graph.Graph) {
				g.Set("mlflow-server", "spec.template.spec.containers[0].command[0]", graph.Canary+"x")
			},
			"a name":     func(g *graph.Graph) { g.Edit("gateway-config", func(n *graph.Node) { n.Name += graph.Canary }) },
			"an output":  func(g *graph.Graph) { g.Outputs["address"] = graph.Output{Value: graph.Canary + "x"} },
			"the output": func(g *graph.Graph) { g.Outputs["passwords"] = graph.Output{Value: g.Outputs["passwords"].Value} },
		} {
			broken := g.Clone()
			leak(broken)
			assert.NotEmpty(t, graph.Leaks(broken, v.secretValues()), "a leak through %s is found", name)
		}
	})
}

// holders are the objects that name a Secret in a pod of theirs.
func holders(g *graph.Graph, secret string) []string {
	var all []string
	for _, o := range g.Objects() {
		if o.GetKind() != "Secret" && regexp.MustCompile(`(?i)name:`+secret+`\b[^-]`).MatchString(fmt.Sprint(o.Unstructured.Object)) {
			all = append(all, o.GetName())
		}
	}
	slices.Sort(all)
	return all
}

// TestTheServerCannotReachTheDumps: with admin credentials only the platform's
// own jobs have them.
func TestTheServerCannotReachTheDumps(t *testing.T) {
	g := find(t, "own-passwords").update(t)
	assert.Equal(t, []string{"mlflow"}, holders(g, "object-store-credentials"))
	jobs := []string{"bucket-setup", "database-backup", "database-dumps", "database-restore", "mlflow-migration"}
	admins := holders(g, "object-store-admin-credentials")
	require.Len(t, admins, len(jobs))
	for i, job := range jobs {
		assert.True(t, strings.HasPrefix(admins[i], job), "%s is %s", admins[i], job)
	}
	broken := g.Clone()
	broken.Set("mlflow-server", container+"env[0].valueFrom.secretKeyRef.name", "object-store-admin-credentials")
	assert.Contains(t, holders(broken, "object-store-admin-credentials"), "mlflow", "the server with the jobs' credentials is found")
	broken = g.Clone()
	broken.Set("mlflow-server", "spec.template.spec.volumes[0]", map[string]any{"name": "x", "secret": map[string]any{"secretName": "object-store-admin-credentials"}})
	assert.Contains(t, holders(broken, "object-store-admin-credentials"), "mlflow", "and as a volume")
	assert.Contains(t, holders(find(t, "gateway-api").update(t), "object-store-credentials"), "database-backup", "without them everybody shares")
}

// TestSecretsArrive is the other half: the canaries are in the graph, so a leak
// would have been seen.
func TestSecretsArrive(t *testing.T) {
	for name, canaries := range map[string][]string{
		"own-passwords": {canaryID, canaryKey, canaryHash, graph.Canary + "admin-id", graph.Canary + "admin-key"}, "production": {find(t, "production").secretValues()[2]},
	} {
		raw := ""
		for _, o := range find(t, name).update(t).Objects() {
			if o.GetKind() == "Secret" {
				raw += fmt.Sprint(o.Unstructured.Object)
			}
		}
		for _, canary := range canaries {
			assert.Contains(t, raw, canary, name)
		}
		assert.Contains(t, raw, graph.Canary+"gateway-password-", name)
	}
}

func TestProtection(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		g := v.update(t)
		if !v.protected {
			assert.Empty(t, graph.Protected(g))
			g = g.Clone()
			g.Edit("workspace-namespace", func(n *graph.Node) { n.Retain = true })
			assert.NotEmpty(t, graph.Protected(g))
			return
		}
		assert.Empty(t, graph.Unprotected(g))
		for _, name := range []string{"workspace-namespace", "database-postgresql-cluster", "database-postgresql-password", "mlflow-crypto-key"} {
			for layer, drop := range map[string]func(*graph.Node){
				"protect": func(n *graph.Node) { n.Protect = false }, "retain": func(n *graph.Node) { n.Retain = false },
			} {
				broken := g.Clone()
				broken.Edit(name, drop)
				assert.Greater(t, len(graph.Unprotected(broken)), len(graph.Unprotected(g)), "%s without %s is found", name, layer)
			}
		}
	})
}

// TestOneFailureFailsTheProgram lets registrations fail, one at a time: one of
// every type in every component, in the first variant that has it. The variant
// without the operator, whose manifest takes long to read, comes first.
func TestOneFailureFailsTheProgram(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	all := variants(t)
	slices.Reverse(all)
	for _, v := range all {
		var keys []string
		for _, n := range v.update(t).Nodes {
			if kind := n.Type + " in " + n.Parent[strings.LastIndex(n.Parent, "::"):]; !tried[kind] {
				tried[kind] = true
				keys = append(keys, n.Key())
			}
		}
		assert.Empty(t, swallowed(t, v, keys), v.name)
	}
	assert.Greater(t, len(tried), 60)
	assert.Len(t, swallowed(t, all[0], []string{"mlflow:tests:None::none"}), 1, "a run without a failure is told apart")
}

// swallowed lists the registrations whose failure the program does not report.
func swallowed(t *testing.T, v variant, keys []string) []string {
	t.Helper()
	var bad []string
	for _, key := range keys {
		r := v.run(t)
		r.Fail = key
		if _, err := graph.Record(r, newProgram()); err == nil {
			bad = append(bad, key)
		}
	}
	return bad
}

func TestKeyOrderChangesNothing(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		want, err := v.update(t).YAML()
		require.NoError(t, err)
		r := v.run(t)
		changed := false
		for key, text := range r.Config {
			r.Config[key] = reversed(t, text)
			changed = changed || r.Config[key] != text
		}
		require.True(t, changed)
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		got, err := g.YAML()
		require.NoError(t, err)
		assert.Empty(t, graph.Difference(string(want), string(got)))
		g.Set("mlflow-server", "spec.replicas", 17)
		got, err = g.YAML()
		require.NoError(t, err)
		assert.NotEmpty(t, graph.Difference(string(want), string(got)), "another graph is told apart")
	})
}

func TestInvalidSettingsRegisterNothing(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		for name, change := range map[string]func(map[string]string){
			"unknown key":   func(c map[string]string) { c[settings.Project+":clutser"] = "{}" },
			"bad value":     func(c map[string]string) { c[settings.Project+":namespace"] = "UP" },
			"bad platform":  func(c map[string]string) { c[settings.Project+":platform"] = "aws" },
			"plain secret":  func(c map[string]string) { c[settings.Project+":tlsPrivateKey"] = "x" },
			"nothing there": func(c map[string]string) { clear(c) },
		} {
			r := v.run(t)
			change(r.Config)
			r.SecretKeys = slices.DeleteFunc(r.SecretKeys, func(k string) bool { return strings.HasSuffix(k, ":tlsPrivateKey") })
			g, err := graph.Record(r, newProgram())
			require.ErrorContains(t, err, "nothing was changed", name)
			assert.Empty(t, g.Nodes, name)
		}
	})
}

func TestAnotherProjectIsRefused(t *testing.T) {
	r := find(t, "local").run(t)
	r.Project = "something-else"
	g, err := graph.Record(r, newProgram())
	require.ErrorContains(t, err, `the Pulumi project is "something-else"; want "mlflow-platform"`)
	assert.Empty(t, g.Nodes)
}

// contract is every output of a stack and whether it is secret. A name that
// goes away raises stacks.ContractVersion.
var contract = map[string]bool{
	"contractVersion": false, "trackingUrl": false, "internalTrackingUrl": false, "address": false,
	"caCertificate": false, "internalCaCertificate": false, "namespace": false, "artifactRoot": false, "backupRoot": false,
	"databaseHost": false, "databaseName": false, "databaseSecretName": false, "passwordsSecretName": false,
	"mlflowVersion": false, "monthlyEstimateUsd": false, "passwords": true,
}

// breaches lists where outputs differ from the contract.
func breaches(outputs map[string]graph.Output) []string {
	var bad []string
	for name, secret := range contract {
		o, ok := outputs[name]
		switch {
		case !ok:
			bad = append(bad, name+" is missing")
		case !o.Known:
			bad = append(bad, name+" is not known after an update")
		case o.Secret != secret:
			bad = append(bad, fmt.Sprintf("%s: secret is %v", name, o.Secret))
		}
	}
	for name := range outputs {
		if _, ok := contract[name]; !ok {
			bad = append(bad, name+" is not in the contract")
		}
	}
	slices.Sort(bad)
	return bad
}

func TestOutputs(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		out := v.update(t).Outputs
		assert.Empty(t, breaches(out))
		assert.InDelta(t, stacks.ContractVersion, out["contractVersion"].Value, 0)
		broken := map[string]graph.Output{"passwords": {Known: true}, "kubeconfig": {Known: true}, "address": {}}
		assert.Subset(t, breaches(broken), []string{
			"passwords: secret is false", "kubeconfig is not in the contract", "address is not known after an update", "namespace is missing",
		})
	})
}

func TestOutputValues(t *testing.T) {
	value := func(name, output string) any { return find(t, name).update(t).Outputs[output].Value }
	assert.Equal(t, "https://localhost:8443", value("local", "trackingUrl"))
	assert.Equal(t, "https://mlflow.example.com", value("production", "trackingUrl"))
	assert.Equal(t, "", value("no-login", "trackingUrl"))
	assert.Equal(t, "https://gateway.ml-platform.svc", value("own-operator", "internalTrackingUrl"))
	assert.Equal(t, "192.0.2.10", value("local", "address"))
	assert.Equal(t, "", value("production", "address"))
	assert.Equal(t, "authority-certificate.certPem", value("local", "caCertificate"))
	assert.Equal(t, "", value("production", "caCertificate"), "a public certificate needs no authority")
	assert.Equal(t, "authority-certificate.certPem", value("production", "internalCaCertificate"))
	assert.Empty(t, value("local", "monthlyEstimateUsd"), "nobody knows the price of a cluster that is there")
	assert.Equal(t, map[string]any{
		"bob": graph.Canary + "gateway-password-bob.result", "mlflow-retention": graph.Canary + "gateway-password-mlflow-retention.result",
	}, value("own-passwords", "passwords"), "who has a hash of their own has no generated password")
}

// TestExamples reads the files that people copy, with the secrets that their
// comments ask for.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "stacks", "examples", "kubernetes-*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		r, err := graph.StackFile(filepath.Join("..", "Pulumi.yaml"), file)
		require.NoError(t, err)
		_, err = graph.Record(r, newProgram())
		assert.ErrorContains(t, err, "pulumi config set --secret s3AccessKeyId", "without secrets the file is not complete")
		for _, key := range []string{"s3AccessKeyId", "s3SecretAccessKey", "s3AdminAccessKeyId", "s3AdminSecretAccessKey"} {
			r.Config[settings.Project+":"+key] = graph.Canary + key
			r.SecretKeys = append(r.SecretKeys, settings.Project+":"+key)
		}
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err, file)
		for _, p := range properties() {
			assert.Empty(t, p.holds(g), "%s: %s", file, p.name)
		}
	}
}

func TestGolden(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		got := graph.Golden(t, v.update(t), filepath.Join("testdata", "golden", v.name+".yaml"))
		for _, secret := range v.secretValues() {
			assert.NotContains(t, got, secret)
		}
	})
}

func TestDifferenceIsFound(t *testing.T) {
	assert.Empty(t, graph.Difference("a\nb", "a\nb"))
	assert.Equal(t, "line 2, in the file:\na\nb\nnow:\na\nc", graph.Difference("a\nb", "a\nc"))
	assert.NotEmpty(t, graph.Difference("a", "a\nb"))
}

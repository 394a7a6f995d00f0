package graph

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// root is the repository's from the directory of a cloud's tests.
var root = filepath.Join("..", "..")

// Stacks are the stack files of a cloud, with the checks that those of every cloud
// go through.
type Stacks struct {
	// Program runs a stack.
	Program func() Program
	// Cloud answers for the cloud's provider in a run.
	Cloud func(Run) Cloud
	// Files are the stacks', from the repository's root. Graphs of Prod, one of them,
	// are broken to show that a check finds it.
	Files []string
	Prod  string

	recorded sync.Map
}

// Run is an update of a file's stack.
func (s *Stacks) Run(t *testing.T, file string) Run {
	t.Helper()
	r, err := StackFile(filepath.Join(root, "Pulumi.yaml"), filepath.Join(root, file))
	require.NoError(t, err)
	r.Cloud = s.Cloud(r)
	return r
}

// settings are those of a file's stack.
func (s *Stacks) settings(t *testing.T, file string) *settings.Settings {
	t.Helper()
	r := s.Run(t, file)
	loaded, err := settings.Load(r.Stack, r.Config, r.SecretKeys)
	require.NoError(t, err)
	return loaded
}

// Record is the graph of an update, made once and only read by tests.
func (s *Stacks) Record(t *testing.T, file string) *Graph {
	t.Helper()
	r := s.Run(t, file)
	once, _ := s.recorded.LoadOrStore(file, sync.OnceValues(func() (*Graph, error) { return Record(r, s.Program()) }))
	g, err := once.(func() (*Graph, error))()
	require.NoError(t, err)
	return g
}

// CheckPreview compares what previews register with what updates do.
func (s *Stacks) CheckPreview(t *testing.T) {
	t.Helper()
	for _, file := range s.Files {
		r := s.Run(t, file)
		r.Preview = true
		preview, err := Record(r, s.Program())
		require.NoError(t, err)
		assert.Empty(t, DifferentKeys(preview, s.Record(t, file)), file)
	}
}

// CheckGolden compares the graphs with those that a reviewer has accepted.
func (s *Stacks) CheckGolden(t *testing.T) {
	t.Helper()
	for _, file := range s.Files {
		Golden(t, s.Record(t, file), filepath.Join("testdata", "golden", strings.TrimPrefix(filepath.Base(file), "Pulumi.")))
	}
}

// CheckSecrets looks for secrets that are visible.
func (s *Stacks) CheckSecrets(t *testing.T) {
	t.Helper()
	for _, file := range s.Files {
		g := s.Record(t, file)
		assert.Empty(t, Leaks(g, []string{Canary}), file)
		leaking := g.Clone()
		leaking.Set("gateway-config", "data.Caddyfile", "user "+Canary+"x")
		assert.NotEmpty(t, Leaks(leaking, []string{Canary}), file)
	}
}

// CheckProtection: the cluster's objects and the passwords on which data hangs are
// guarded where the settings ask for it; a stack without protection can be torn
// down.
func (s *Stacks) CheckProtection(t *testing.T) {
	t.Helper()
	for _, file := range s.Files {
		if g := s.Record(t, file); s.settings(t, file).Protect {
			assert.Empty(t, Unprotected(g), file)
		} else {
			assert.Empty(t, Protected(g), file)
		}
	}
	require.True(t, s.settings(t, s.Prod).Protect)
	s.CheckTwins(t, Unprotected, map[string]func(*Graph){
		"not protected": Editing("database-role-password", func(n *Node) { n.Protect = false }),
		"not retained":  Editing("workspace-namespace", func(n *Node) { n.Retain = false }),
	})
	s.CheckTwins(t, Protected, map[string]func(*Graph){"as it is": func(*Graph) {}})
}

// Property is a rule for every graph, with changes of Prod's that must break it.
type Property struct {
	Name  string
	Holds func(*Graph) []string
	Twins map[string]func(*Graph)
}

// CheckProperty holds every graph to a rule, and shows that broken ones are found.
func (s *Stacks) CheckProperty(t *testing.T, p Property) {
	t.Run(p.Name, func(t *testing.T) {
		for _, file := range s.Files {
			assert.Empty(t, p.Holds(s.Record(t, file)), file)
		}
		require.NotEmpty(t, p.Twins)
		s.CheckTwins(t, p.Holds, p.Twins)
	})
}

// CheckTwins shows that a rule finds graphs of Prod that break it.
func (s *Stacks) CheckTwins(t *testing.T, holds func(*Graph) []string, twins map[string]func(*Graph)) {
	t.Helper()
	for name, sabotage := range twins {
		broken := s.Record(t, s.Prod).Clone()
		sabotage(broken)
		assert.NotEmpty(t, holds(broken), "the broken twin %q is not found", name)
	}
}

// CheckCommon holds the graphs to the rules of every platform; node is a resource
// of the cloud's own.
func (s *Stacks) CheckCommon(t *testing.T, node string) {
	t.Helper()
	for _, p := range []Property{
		{"everything descends from the stack's two groups", Orphans, map[string]func(*Graph){
			"no parent": Editing(node, func(n *Node) { n.Parent = "" }),
		}},
		{"every custom resource has an explicit provider", WithoutProvider, map[string]func(*Graph){
			"default provider": Editing(node, func(n *Node) { n.Provider = "" }),
		}},
		{"names are unique", Duplicates, map[string]func(*Graph){
			"a node twice": func(g *Graph) { g.Nodes = append(g.Nodes, g.Nodes[3]) },
		}},
		{"what pods refer to exists", Dangling, map[string]func(*Graph){
			"no authority": Removing("database-ca"), "no role Secret": Removing("database-role-secret"),
		}},
		{"every namespace denies by default", OpenNamespaces, map[string]func(*Graph){
			"no policy": Removing("workspace-netpol-default-deny"),
		}},
		{"nothing bypasses the gateway", Bypasses, map[string]func(*Graph){
			"load balancer": Setting("mlflow-service", "spec.type", "LoadBalancer"),
		}},
		{"children are named after their component", Misnamed, map[string]func(*Graph){
			"another name": Editing(node, func(n *Node) { n.Name = "another" }),
		}},
		{"what others may have is never taken over", Adopting, map[string]func(*Graph){
			"applies on the server": Setting("cluster-creator", "enableServerSideApply", true),
		}},
		{"names are what the API server accepts", BadNames, map[string]func(*Graph){
			"underscore": Setting("mlflow-server", "metadata.name", "ml_flow"),
		}},
		{"Services and budgets find their pods", Unserved, map[string]func(*Graph){
			"selector": Setting("mlflow-service", "spec.selector", map[string]any{"app": "x"}),
		}},
		{"every listening port is opened by exactly one policy", WrongPorts, map[string]func(*Graph){
			"closed": Removing("workspace-netpol-gateway"),
		}},
		{"pods are restricted, bounded, probed and pinned", UnsafePods, map[string]func(*Graph){
			"root": Setting("mlflow-server", "spec.template.spec.securityContext.runAsNonRoot", false),
		}},
	} {
		s.CheckProperty(t, p)
	}
}

package tests

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// TestEdgesOfTheSettings takes values that the settings accept to their limits:
// what passes validation must not fail on the API server, halfway through.
func TestEdgesOfTheSettings(t *testing.T) {
	long := strings.Repeat("n", 63)
	for name, c := range map[string]struct {
		change map[string]any
		// refused is what the settings say; empty where the stack must load.
		refused string
	}{
		"a long namespace": {change: map[string]any{"namespace": long}},
		"user names":       {change: map[string]any{"auth": map[string]any{"users": []string{"a", strings.Repeat("u", 63), "a-b.c_d"}}}},
		"an address for a user name": {
			change:  map[string]any{"auth": map[string]any{"users": []string{"alice@example.com"}}},
			refused: `auth.users is "alice@example.com"; want lower-case letters`,
		},
		"tags": {change: map[string]any{"tags": map[string]any{"cost-center": "42", "example.com/team": "ml"}}},
		"a pre-release": {
			change:  map[string]any{"mlflow": map[string]any{"version": "3.18.0-rc.1"}},
			refused: `mlflow.version is "3.18.0-rc.1"; want a release`,
		},
		"a build": {
			change:  map[string]any{"mlflow": map[string]any{"version": "3.18.0+cu121"}},
			refused: `mlflow.version is "3.18.0+cu121"; want a release`,
		},
		"tags with spaces": {
			change:  map[string]any{"tags": map[string]any{"cost center": "forty two"}},
			refused: `tags.cost center is "forty two"; want a Kubernetes label`,
		},
		"a privileged tag": {
			change:  map[string]any{"tags": map[string]any{"pod-security.kubernetes.io/enforce": "privileged"}},
			refused: `tags.pod-security.kubernetes.io/enforce is "privileged"; want a key that is not Kubernetes' own`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := find(t, "gateway-api")
			v.values = maps.Clone(v.values)
			maps.Copy(v.values, c.change)
			g, err := graph.Record(v.run(t), newProgram())
			if c.refused != "" {
				require.ErrorContains(t, err, c.refused)
				assert.Empty(t, g.Nodes)
				return
			}
			require.NoError(t, err)
			for _, holds := range []func(*graph.Graph) []string{graph.BadNames, graph.Duplicates, graph.Dangling, graph.Unserved, graph.WrongPorts, graph.UnsafePods, undecodable} {
				assert.Empty(t, holds(g))
			}
		})
	}
}

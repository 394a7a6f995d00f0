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
	for name, change := range map[string]map[string]any{
		"a long namespace": {"namespace": long},
		"user names":       {"auth": map[string]any{"users": []string{"a", strings.Repeat("u", 63), "a-b.c_d", "alice@example.com"}}},
		"tags":             {"tags": map[string]any{"cost-center": "42", "example.com/team": "ml"}},
		"a pre-release":    {"mlflow": map[string]any{"version": "3.18.0-rc.1"}},
		"a build":          {"mlflow": map[string]any{"version": "3.18.0+cu121"}},
		"tags with spaces": {"tags": map[string]any{"cost center": "forty two"}},
		"a privileged tag": {"tags": map[string]any{"pod-security.kubernetes.io/enforce": "privileged"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := find(t, "gateway-api")
			v.values = maps.Clone(v.values)
			maps.Copy(v.values, change)
			g, err := graph.Record(v.run(t), newProgram())
			if err != nil {
				require.ErrorContains(t, err, "nothing was changed")
				return
			}
			for _, holds := range []func(*graph.Graph) []string{graph.BadNames, graph.Duplicates, graph.Dangling, graph.Unserved, graph.WrongPorts, graph.UnsafePods, undecodable} {
				assert.Empty(t, holds(g))
			}
		})
	}
}

package graph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/estimate"
)

// Unbilled lists where an estimate counts more or less than is made: quantities by
// its items, and units where those are types. What usage costs no graph shows.
func Unbilled(e estimate.Estimate, made map[string]float64, units map[string]string) []string {
	var bad []string
	billed := map[string]bool{}
	for _, l := range e.Lines {
		if strings.HasPrefix(l.Item, "usage:") {
			continue
		}
		billed[l.Item] = true
		if unit := units[l.Item]; l.Quantity != made[l.Item] || unit != "" && l.Unit != unit {
			bad = append(bad, fmt.Sprintf("%s: the stack has %g %s, the estimate %g %s", l.Item, made[l.Item], unit, l.Quantity, l.Unit))
		}
	}
	for item, quantity := range made {
		if quantity > 0 && !billed[item] {
			bad = append(bad, item+" is not in the estimate")
		}
	}
	return bad
}

// Bill is the estimate of a file's stack.
func (s *Stacks) Bill(t *testing.T, file string) estimate.Estimate {
	t.Helper()
	e := s.settings(t, file).Estimate()
	require.NotNil(t, e)
	return *e
}

// CheckEstimate compares the estimates with the graphs and with the stacks' own
// outputs, and shows that changes of Prod's graph are found.
func (s *Stacks) CheckEstimate(t *testing.T, unbilled func(*Graph, estimate.Estimate) []string, twins map[string]func(*Graph)) {
	t.Helper()
	for _, file := range s.Files {
		g, e := s.Record(t, file), s.Bill(t, file)
		assert.Empty(t, unbilled(g, e), file)
		out, ok := g.Outputs["monthlyEstimateUsd"].Value.(map[string]any)
		require.True(t, ok, file)
		assert.InDelta(t, e.Total(), out["total"], 0.001, file)
	}
	s.CheckTwins(t, func(g *Graph) []string { return unbilled(g, s.Bill(t, s.Prod)) }, twins)
}

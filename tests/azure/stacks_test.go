// Package azure_test checks the graph of stacks on Azure without Azure: what every
// graph must have, and what a reviewer of a subscription looks for.
package azure_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	dev  = "tests/azure/testdata/azure-dev.yaml"
	prod = "tests/azure/testdata/azure-prod.yaml"
)

// files are the stack files that run on Azure.
var files = []string{dev, prod}

func run(t *testing.T, file string) graph.Run {
	t.Helper()
	r, err := graph.StackFile(filepath.Join("..", "..", "Pulumi.yaml"), filepath.Join("..", "..", file))
	require.NoError(t, err)
	r.Cloud = cloud{}
	return r
}

func newProgram() *stacks.Program {
	return &stacks.Program{Platforms: stacks.Platforms{settings.Azure: azure.New}}
}

var recorded sync.Map

// record is the graph of an update, made once.
func record(t *testing.T, file string) *graph.Graph {
	t.Helper()
	r := run(t, file)
	once, _ := recorded.LoadOrStore(file, sync.OnceValues(func() (*graph.Graph, error) { return graph.Record(r, newProgram()) }))
	g, err := once.(func() (*graph.Graph, error))()
	require.NoError(t, err)
	return g
}

func TestPreviewRegistersWhatTheUpdateDoes(t *testing.T) {
	for _, file := range files {
		r := run(t, file)
		r.Preview = true
		preview, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		assert.Empty(t, graph.DifferentKeys(preview, record(t, file)), file)
	}
}

// property is a rule for every graph, with graphs of prod that must break it.
type property struct {
	name  string
	holds func(*graph.Graph) []string
	twins map[string]func(*graph.Graph)
}

func TestProperties(t *testing.T) {
	for _, p := range properties() {
		t.Run(p.name, func(t *testing.T) {
			for _, file := range files {
				assert.Empty(t, p.holds(record(t, file)), file)
			}
			require.NotEmpty(t, p.twins)
			for name, sabotage := range p.twins {
				broken := record(t, prod).Clone()
				sabotage(broken)
				assert.NotEmpty(t, p.holds(broken), "the broken twin %q is not found", name)
			}
		})
	}
}

func TestGolden(t *testing.T) {
	for _, file := range files {
		graph.Golden(t, record(t, file), filepath.Join("testdata", "golden", strings.TrimPrefix(filepath.Base(file), "Pulumi.")))
	}
}

// Budgets begin in the month of their making.
func init() {
	azure.Now = func() time.Time { return time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC) }
}

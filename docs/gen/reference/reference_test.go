package reference_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/docs/gen/reference"
)

const root = "../../.."

func TestPagesAreCurrent(t *testing.T) {
	pages, err := reference.Pages(root)
	require.NoError(t, err)
	require.Len(t, pages, 2)
	for name, want := range pages {
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, want, string(got), "%s is old: run make docs", name)
	}
}

func TestEveryKeyHasAMeaning(t *testing.T) {
	pages, err := reference.Pages(root)
	require.NoError(t, err)
	for name, text := range pages {
		for line := range strings.Lines(text) {
			assert.False(t, strings.HasPrefix(line, "| `") && strings.HasSuffix(line, "|  |\n"), "%s: no meaning in %s", name, line)
		}
	}
}

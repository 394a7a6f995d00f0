package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUsageForWrongArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"nonsense"}, {"path"}, {"path", "a", "b"}, {"env"}, {"list", "x"}, {"clean", "x"}} {
		err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{})
		assert.ErrorContains(t, err, "usage: toolchain build", args)
	}
}

func TestListNamesEveryProgram(t *testing.T) {
	t.Setenv("MLFLOW_PLATFORM_CACHE", t.TempDir())
	// Go's own build cache takes long to measure.
	t.Setenv("GOCACHE", t.TempDir())
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"list"}, &out, &out))
	assert.Regexp(t, `(?m)^caddy +\d+\.\d+\.\d+ +not built$`, out.String())
	assert.Contains(t, out.String(), "Go build cache (go clean -cache)")
}

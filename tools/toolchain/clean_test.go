package toolchain

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCleanKeepsWhatThePinsLeadTo(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(CacheEnv, cache)
	builds, err := Lookup(t.Context(), "caddy")
	require.NoError(t, err)
	old := filepath.Join(cache, "tools", "caddy-2.0.0-000000000000")
	for _, dir := range []string{builds[0].Dir, old, filepath.Join(cache, "pulumi-home", "cli", "x"), filepath.Join(cache, "cluster", "local")} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	outdated, err := Outdated(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{old}, outdated)
	require.NoError(t, Clean(t.Context()))
	assert.True(t, builds[0].Ready())
	assert.NoDirExists(t, old)
	assert.NoDirExists(t, filepath.Join(cache, "pulumi-home", "cli"))

	for _, dir := range []string{"stacks", "client", "python-test", "images", "locks", "logs"} {
		require.NoError(t, os.MkdirAll(filepath.Join(cache, dir), 0o755))
	}
	require.NoError(t, CleanAll())
	entries, err := os.ReadDir(cache)
	require.NoError(t, err)
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	assert.Equal(t, []string{"cluster", "stacks"}, left, "what cannot be built again")
	assert.DirExists(t, filepath.Join(cache, "cluster", "local"))
}

func TestRootIsFoundFromBelow(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "tools", "upstream", "x")
	require.NoError(t, os.MkdirAll(below, 0o755))
	t.Chdir(below)
	found, err := Root()
	require.NoError(t, err)
	assert.Equal(t, root, found)

	t.Chdir(t.TempDir())
	_, err = Root()
	assert.ErrorContains(t, err, "run inside the checkout or set "+RootEnv)
	t.Setenv(RootEnv, root)
	found, err = Root()
	require.NoError(t, err)
	assert.Equal(t, root, found)
}

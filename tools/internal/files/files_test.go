package files

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func tree(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func hash(t *testing.T, contents map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Hash(&out, tree(t, contents)))
	return out.String()
}

func TestHashDependsOnNamesAndContentsOnly(t *testing.T) {
	want := hash(t, map[string]string{"a": "1", "d/b": "2"})
	assert.Equal(t, want, hash(t, map[string]string{"d/b": "2", "a": "1"}))
	for _, other := range []map[string]string{
		{"a": "1", "d/b": "3"},
		{"a": "1", "d/c": "2"},
		{"a": "1"},
		{"a": "12", "d/b": ""},
	} {
		assert.NotEqual(t, want, hash(t, other))
	}
}

func TestSize(t *testing.T) {
	size, err := Size(tree(t, map[string]string{"a": "12345", "d/b": "123"}))
	require.NoError(t, err)
	assert.EqualValues(t, 8, size)
	size, err = Size(filepath.Join(t.TempDir(), "absent"))
	require.NoError(t, err)
	assert.Zero(t, size)
}

func TestSizeText(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 kB", 1: "1 kB", 999_999: "1000 kB", 1_500_000: "2 MB", 145_400_000: "145 MB", 2_340_000_000: "2.3 GB"} {
		assert.Equal(t, want, SizeText(bytes))
	}
}

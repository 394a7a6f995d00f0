//go:build linux

package box

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	l, err := openLog(path)
	require.NoError(t, err)
	l.limit = 100
	line := strings.Repeat("x", 39) + "\n"
	for range 10 {
		_, err := l.Write([]byte(line))
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	for _, file := range []string{path, path + ".old"} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, int64(80), info.Size(), file)
	}
}

func TestLogIsContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	for _, text := range []string{"one\n", "two\n"} {
		l, err := openLog(path)
		require.NoError(t, err)
		_, err = l.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "one\ntwo\n", string(text))
}

package cluster

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLockIsExclusive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "lock")
	free, err := locked(path)
	require.NoError(t, err)
	assert.False(t, free, "a lock that does not exist is not held")
	held, err := tryLock(path)
	require.NoError(t, err)
	_, err = tryLock(path)
	require.ErrorIs(t, err, errLocked)
	is, err := locked(path)
	require.NoError(t, err)
	assert.True(t, is)
	require.NoError(t, held.Close())
	is, err = locked(path)
	require.NoError(t, err)
	assert.False(t, is)
}

func TestLockWaitsAndSaysSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := tryLock(path)
	require.NoError(t, err)
	waited := 0
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = lock(ctx, path, func() { waited++ })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, 1, waited)
	time.AfterFunc(100*time.Millisecond, func() { held.Close() })
	again, err := lock(t.Context(), path, func() {})
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestLockOnARemovedFileIsNoLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "lock")
	held, err := tryLock(path)
	require.NoError(t, err)
	defer held.Close()
	require.NoError(t, os.RemoveAll(filepath.Dir(path)))
	fresh, err := tryLock(path)
	require.NoError(t, err, "the old file is gone, so this is a new lock")
	defer fresh.Close()
	is, err := locked(path)
	require.NoError(t, err)
	assert.True(t, is)
}

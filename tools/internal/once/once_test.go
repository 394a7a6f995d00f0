package once

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// write returns a constructor that makes a file and counts its calls.
func write(calls *atomic.Int32) func(string) (string, error) {
	return func(tmp string) (string, error) {
		calls.Add(1)
		time.Sleep(50 * time.Millisecond)
		path := filepath.Join(tmp, "result")
		return path, os.WriteFile(path, []byte("done"), 0o644)
	}
}

func entryIn(dir string) Entry {
	return Entry{Path: filepath.Join(dir, "entries", "a"), Lock: filepath.Join(dir, "locks", "a.lock")}
}

func TestBuildRunsOnceForManyCallers(t *testing.T) {
	dir := t.TempDir()
	var calls, built, waited atomic.Int32
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			entry := entryIn(dir)
			entry.Waiting = func() { waited.Add(1) }
			did, err := entry.Build(t.Context(), write(&calls))
			assert.NoError(t, err)
			if did {
				built.Add(1)
			}
			text, err := os.ReadFile(entry.Path)
			assert.NoError(t, err)
			assert.Equal(t, "done", string(text))
		})
	}
	callers.Wait()
	assert.EqualValues(t, 1, calls.Load())
	assert.EqualValues(t, 1, built.Load())
	assert.EqualValues(t, 7, waited.Load())
}

func TestBuildLeavesNothingWhenItFails(t *testing.T) {
	dir := t.TempDir()
	entry := entryIn(dir)
	broken := errors.New("broken")
	_, err := entry.Build(t.Context(), func(tmp string) (string, error) {
		require.NoError(t, os.WriteFile(filepath.Join(tmp, "half"), nil, 0o644))
		// Root file systems have directories that nobody may write to.
		require.NoError(t, os.MkdirAll(filepath.Join(tmp, "closed", "x"), 0o755))
		require.NoError(t, os.Chmod(filepath.Join(tmp, "closed"), 0o555))
		return "", broken
	})
	require.ErrorIs(t, err, broken)
	left, err := os.ReadDir(filepath.Dir(entry.Path))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestBuildStartsFromNothingAfterAKilledBuild(t *testing.T) {
	entry := entryIn(t.TempDir())
	require.NoError(t, os.MkdirAll(entry.Path+tempSuffix, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(entry.Path+tempSuffix, "old"), nil, 0o644))
	_, err := entry.Build(t.Context(), func(tmp string) (string, error) {
		found, err := os.ReadDir(tmp)
		require.NoError(t, err)
		assert.Empty(t, found)
		path := filepath.Join(tmp, "result")
		return path, os.WriteFile(path, nil, 0o644)
	})
	require.NoError(t, err)
	assert.NoDirExists(t, entry.Path+tempSuffix)
	assert.FileExists(t, entry.Path)
}

func TestBuildStopsWaitingWhenCancelled(t *testing.T) {
	entry := entryIn(t.TempDir())
	unlock, err := lock(t.Context(), entry.Lock, nil)
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	entry.Waiting = cancel
	_, err = entry.Build(ctx, func(string) (string, error) {
		t.Error("built without the lock")
		return "", nil
	})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestBuildDropsAResultThatWasCancelled(t *testing.T) {
	entry := entryIn(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	_, err := entry.Build(ctx, func(tmp string) (string, error) {
		cancel()
		return tmp, nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.NoFileExists(t, entry.Path)
}

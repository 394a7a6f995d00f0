// Package once builds entries of a cache directory exactly once, also when
// several processes want the same entry at the same time or one of them dies.
package once

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// pollInterval is how often a waiting process tries the lock again. A blocking
// flock could not be interrupted by a context.
const pollInterval = 200 * time.Millisecond

// tempSuffix marks unfinished work beside the entry it is for.
const tempSuffix = ".building"

// Entry is a file or directory of a cache.
type Entry struct {
	// Path is where the finished entry is. Its directory is created.
	Path string
	// Lock is the file that is locked while the entry is built. Entries that
	// share a lock are built one after the other.
	Lock string
	// Waiting is called once if another process holds the lock; it may be nil.
	Waiting func()
}

// Build calls construct unless the entry exists. construct gets an empty temporary
// directory on the entry's file system and returns the path inside it that
// becomes the entry, in one rename. Whatever construct leaves behind is removed, as
// is the rest of an earlier attempt that was killed. Build reports whether it
// called construct.
func (e Entry) Build(ctx context.Context, construct func(tmp string) (string, error)) (bool, error) {
	if done, err := e.exists(); done || err != nil {
		return false, err
	}
	unlock, err := lock(ctx, e.Lock, e.Waiting)
	if err != nil {
		return false, err
	}
	defer unlock()
	if done, err := e.exists(); done || err != nil {
		return false, err
	}
	tmp := e.Path + tempSuffix
	if err := removeAll(tmp); err != nil {
		return false, err
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return false, err
	}
	result, err := construct(tmp)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(result, e.Path)
	}
	return true, errors.Join(err, removeAll(tmp))
}

// exists reports whether the entry is there: entries appear complete or not at
// all, so nothing else needs to be checked.
func (e Entry) exists() (bool, error) {
	_, err := os.Lstat(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// lock takes an exclusive lock on the file, which is created, and returns how
// to release it. The kernel releases it if the process dies.
func lock(ctx context.Context, path string, waiting func()) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			// Closing the file releases the lock.
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), file.Close())
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), file.Close())
		case <-time.After(pollInterval):
		}
	}
}

// removeAll removes a tree, also one with directories that are not writable:
// root file systems have those.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

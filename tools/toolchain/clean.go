package toolchain

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Part is a directory of the cache that can be built again.
type Part struct {
	// Dir is its name in the cache, What is in it.
	Dir, What string
}

// Parts are all parts of the cache but the state of local clusters and of the
// stacks on them.
func Parts() []Part {
	return []Part{
		{"tools", "programs"},
		{"images", "images"},
		{"client", "MLflow client"},
		{"python-test", "Python test environment"},
		{"pulumi-home", "Pulumi home, links to programs"},
		{"logs", "logs"},
		{"locks", "locks"},
	}
}

// Outdated returns the directories of builds that this checkout's pins do not
// lead to: earlier versions and what a killed build left.
func Outdated(ctx context.Context) ([]string, error) {
	builds, err := Lookup(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "tools")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var outdated []string
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if !slices.ContainsFunc(builds, func(b Build) bool { return b.Dir == path }) {
			outdated = append(outdated, path)
		}
	}
	return outdated, nil
}

// Clean removes the builds of [Outdated]. Neither a build nor Pulumi may be
// running.
func Clean(ctx context.Context) error {
	outdated, err := Outdated(ctx)
	if err != nil {
		return err
	}
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	// Links to the builds keep old ones on the disk or lead nowhere; [Pulumi]
	// makes them again.
	home := filepath.Join(cache, "pulumi-home")
	outdated = append(outdated, filepath.Join(home, "cli"), filepath.Join(home, "plugins"))
	for _, dir := range outdated {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// CleanAll removes all [Parts] of the cache, but not the state of a local cluster
// and not Go's own build cache. Neither a build nor Pulumi may be running.
func CleanAll() error {
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	for _, part := range Parts() {
		if err := os.RemoveAll(filepath.Join(cache, part.Dir)); err != nil {
			return err
		}
	}
	return nil
}

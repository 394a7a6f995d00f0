package images

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Outdated returns the archives that this checkout does not lead to: those of
// earlier versions and what a killed build left.
func Outdated(ctx context.Context) ([]string, error) {
	p, err := newPlan(ctx, Names())
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(p.cache, "images")
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
		current := slices.ContainsFunc(Names(), func(name string) bool { return p.paths[name] == path })
		if !current {
			outdated = append(outdated, path)
		}
	}
	return outdated, nil
}

// Clean removes the archives of [Outdated]. No build may be running.
func Clean(ctx context.Context) error {
	outdated, err := Outdated(ctx)
	if err != nil {
		return err
	}
	for _, path := range outdated {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

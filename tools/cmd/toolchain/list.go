package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mlflow-platform/mlflow-platform/tools/images"
	"github.com/mlflow-platform/mlflow-platform/tools/internal/files"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// list prints one line per program and the disk use of the cache.
func list(ctx context.Context, out io.Writer) error {
	builds, err := toolchain.Lookup(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tVERSION\tSIZE")
	for _, build := range builds {
		text := "not built"
		if build.Ready() {
			size, err := files.Size(build.Dir)
			if err != nil {
				return err
			}
			text = files.SizeText(size)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", build.Name, build.Version, text)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return diskUse(ctx, out)
}

// diskUse prints the size of each part of the cache and of Go's own cache.
func diskUse(ctx context.Context, out io.Writer) error {
	cache, err := toolchain.CacheDir()
	if err != nil {
		return err
	}
	programs, err := toolchain.Outdated(ctx)
	if err != nil {
		return err
	}
	archives, err := images.Outdated(ctx)
	if err != nil {
		return err
	}
	goCache, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return fmt.Errorf("asking go for its cache: %w", err)
	}
	type row struct {
		what string
		dirs []string
	}
	rows := []row{{"programs and images of earlier pins (cd tools && go run ./cmd/toolchain clean)", slices.Concat(programs, archives)}}
	for _, part := range toolchain.Parts() {
		rows = append(rows, row{part.What, []string{filepath.Join(cache, part.Dir)}})
	}
	rows = append(rows,
		row{"local clusters (make down)", []string{filepath.Join(cache, "cluster")}},
		row{"Go build cache (go clean -cache)", []string{strings.TrimSpace(string(goCache))}})
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\nDISK USE\t%s\n", cache)
	for _, row := range rows {
		var size int64
		for _, dir := range row.dirs {
			part, err := files.Size(dir)
			if err != nil {
				return err
			}
			size += part
		}
		fmt.Fprintf(table, "%s\t%s\n", row.what, files.SizeText(size))
	}
	return table.Flush()
}

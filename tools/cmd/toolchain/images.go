package main

import (
	"context"
	"fmt"
	"io"

	"github.com/mlflow-platform/mlflow-platform/tools/images"
)

// buildImages builds the named images, or all, and prints where each archive is.
func buildImages(ctx context.Context, names []string, out, log io.Writer) error {
	if len(names) == 0 {
		names = images.Names()
	}
	paths, err := images.Ensure(ctx, log, names...)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := fmt.Fprintln(out, name, paths[name]); err != nil {
			return err
		}
	}
	return nil
}

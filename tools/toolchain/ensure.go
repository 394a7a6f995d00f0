package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"sync"

	"github.com/mlflow-platform/mlflow-platform/tools/internal/once"
)

// builder builds tools of one checkout into one cache.
type builder struct {
	// root is the checkout, cache the cache directory.
	root, cache string
	out         io.Writer
}

func newBuilder(out io.Writer) (*builder, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	cache, err := CacheDir()
	if err != nil {
		return nil, err
	}
	return &builder{root: root, cache: cache, out: out}, nil
}

func (b *builder) moduleDir(t Tool) string {
	return filepath.Join(b.root, "tools", "upstream", t.moduleDir())
}

// Ensure builds the named programs that are absent, with progress on out, and
// returns for each name the directory of its binaries. Before the first build
// it checks what all of them need from the host and reports every problem at
// once. Builds that are finished are kept when a later one fails.
func Ensure(ctx context.Context, out io.Writer, names ...string) (map[string]string, error) {
	found, err := find(names)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(out)
	if err != nil {
		return nil, err
	}
	return b.ensure(ctx, found)
}

// Preflight checks what the builds of the named programs that are absent need
// from the host, and reports every problem at once. [Ensure] does the same; a
// caller that wants to know before anything starts asks here.
func Preflight(ctx context.Context, names ...string) error {
	found, err := find(names)
	if err != nil {
		return err
	}
	b, err := newBuilder(io.Discard)
	if err != nil {
		return err
	}
	builds, err := b.plan(ctx, found)
	if err != nil {
		return err
	}
	return b.preflight(ctx, slices.DeleteFunc(builds, Build.Ready))
}

func (b *builder) ensure(ctx context.Context, tools []Tool) (map[string]string, error) {
	builds, err := b.plan(ctx, tools)
	if err != nil {
		return nil, err
	}
	dirs := make(map[string]string, len(builds))
	var absent []Build
	var minutes float64
	for _, build := range builds {
		dirs[build.Name] = build.Dir
		if !build.Ready() {
			absent = append(absent, build)
			minutes += build.tool.Minutes
		}
	}
	if len(absent) == 0 {
		return dirs, nil
	}
	if err := b.preflight(ctx, absent); err != nil {
		return nil, err
	}
	fmt.Fprintf(b.out, "building %d of %d programs from their Go modules, once: up to %s on 2 idle cores, less with a warm Go build cache\n",
		len(absent), len(builds), minutesText(minutes))
	// Downloads wait for the network and compilers for the processor: the modules of
	// the programs to come arrive while the first ones compile.
	fetching, stop := context.WithCancel(ctx)
	var fetched sync.WaitGroup
	defer fetched.Wait()
	defer stop()
	fetched.Go(func() {
		for _, build := range absent[1:] {
			b.fetch(fetching, build)
		}
	})
	for i, build := range absent {
		if err := b.build(ctx, build, fmt.Sprintf("[%d/%d] %s", i+1, len(absent), build.Name)); err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// build builds one program, or waits for another process that does.
func (b *builder) build(ctx context.Context, build Build, title string) error {
	entry := once.Entry{
		Path: build.Dir,
		Lock: filepath.Join(b.cache, "locks", build.Name+".lock"),
		Waiting: func() {
			fmt.Fprintf(b.out, "%s: waiting for another process that builds it\n", title)
		},
	}
	built, err := entry.Build(ctx, func(tmp string) (string, error) {
		fmt.Fprintf(b.out, "%s: building %s, up to %s\n", title, build.Version, minutesText(build.tool.Minutes))
		return b.compile(ctx, build, title, tmp)
	})
	switch {
	case err == nil && !built:
		fmt.Fprintf(b.out, "%s: built by another process\n", title)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("building %s: %w; the next run continues with what is compiled", build.Name, err)
	case err != nil:
		return fmt.Errorf("building %s: %w", build.Name, err)
	}
	return nil
}

// minutesText says a time of the table in words.
func minutesText(minutes float64) string {
	if minutes < 1 {
		return "1 minute"
	}
	n := int(math.Ceil(minutes))
	if n == 1 {
		return "1 minute"
	}
	return fmt.Sprintf("%d minutes", n)
}

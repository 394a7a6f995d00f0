package toolchain

import (
	"context"
	"errors"
	"fmt"
	"go/version"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/mlflow-platform/mlflow-platform/tools/internal/files"
)

// goVersion returns the version of the go command on PATH, such as go1.26.8.
func (b *builder) goVersion(ctx context.Context) (string, error) {
	return b.goEnv(ctx, "GOVERSION")
}

// goEnv returns a setting of the go command.
func (b *builder) goEnv(ctx context.Context, name string) (string, error) {
	out, err := goCommand(ctx, b.root, []string{"GOWORK=off"}, "env", name).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("go is not on PATH: install Go 1.26 or newer")
	}
	if err != nil {
		return "", fmt.Errorf("asking go for %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// preflight checks what the builds need from the host and reports all problems
// at once.
func (b *builder) preflight(ctx context.Context, builds []Build) error {
	if len(builds) == 0 {
		return nil
	}
	have, err := b.goVersion(ctx)
	if err != nil {
		return err
	}
	toolchain, err := b.goEnv(ctx, "GOTOOLCHAIN")
	if err != nil {
		return err
	}
	var problems []error
	var packages []string
	for _, build := range builds {
		if err := b.checkGo(build.tool, have, toolchain); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", build.Name, err))
		}
		for _, need := range build.tool.Needs {
			if !need.met(ctx) {
				problems = append(problems, fmt.Errorf("%s needs %s", build.Name, need))
				packages = append(packages, need.Package)
			}
		}
	}
	if len(packages) > 0 {
		slices.Sort(packages)
		problems = append(problems, fmt.Errorf("run: apt-get install --no-install-recommends %s", strings.Join(slices.Compact(packages), " ")))
	}
	if len(problems) > 0 {
		return fmt.Errorf("this host cannot build the programs yet:\n%w", errors.Join(problems...))
	}
	return nil
}

// diskPerMinute is what a minute of building takes of Go's caches in bytes: all
// programs, 27 minutes on two idle cores, leave 16 GB of build cache and 7 GB of
// modules.
const diskPerMinute = 0.85e9

// DiskNeed is how much of a disk cold builds take at most and how much is free
// where Go's build cache is, in bytes. It is no rule: nobody knows how much of it
// is compiled already.
func DiskNeed(ctx context.Context, builds []Build) (need, free float64, err error) {
	b, err := newBuilder(io.Discard)
	if err != nil {
		return 0, 0, err
	}
	dir, err := b.goEnv(ctx, "GOCACHE")
	if err != nil {
		return 0, 0, err
	}
	for _, build := range builds {
		need += build.tool.Minutes * diskPerMinute
	}
	space, err := files.Free(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for the free disk space of %s: %w", dir, err)
	}
	return need, float64(space), nil
}

// checkGo compares the Go version with the one the tool's module asks for. With
// GOTOOLCHAIN=auto, Go's default, the go command fetches a newer one by itself.
func (b *builder) checkGo(t Tool, have, toolchain string) error {
	path := filepath.Join(b.moduleDir(t), "go.mod")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := modfile.ParseLax(path, text, nil)
	if err != nil {
		return err
	}
	if file.Go == nil {
		return fmt.Errorf("%s has no go directive", path)
	}
	if toolchain == "local" && version.Compare(have, "go"+file.Go.Version) < 0 {
		return fmt.Errorf("needs Go %s, found %s: install a newer Go or set GOTOOLCHAIN=auto", file.Go.Version, have)
	}
	return nil
}

// met reports whether the host has what is needed.
func (n Need) met(ctx context.Context) bool {
	if n.Library != "" {
		return exec.CommandContext(ctx, "pkg-config", "--exists", n.Library).Run() == nil
	}
	_, err := exec.LookPath(n.Command)
	return err == nil
}

// String names the need.
func (n Need) String() string {
	if n.Library != "" {
		return "the C library " + n.Library
	}
	return "the program " + n.Command
}

package toolchain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/mlflow-platform/mlflow-platform/tools/internal/files"
)

// keyLength is the number of hexadecimal digits of a key in a directory name.
const keyLength = 12

// Build is the build of one program from the pins of this checkout.
type Build struct {
	// Name is the program's name in the table.
	Name string
	// Version is the pinned upstream version without its leading v; for a
	// commit without a release it is the commit's date and 12 digits of its
	// hash, such as 20260212201848-7aac2a2c5b7c.
	Version string
	// Key changes with everything that can change the binaries.
	Key string
	// Dir is where the binaries are or will be.
	Dir string

	tool Tool
	args []string
}

// Minutes is the time of a cold build on two idle cores.
func (b Build) Minutes() float64 { return b.tool.Minutes }

// Ready reports whether the binaries are there.
func (b Build) Ready() bool {
	_, err := os.Stat(b.Dir)
	return err == nil
}

// Lookup returns the builds of the named programs, or of all if none is named,
// in the order of the table. It builds nothing.
func Lookup(ctx context.Context, names ...string) ([]Build, error) {
	b, err := newBuilder(io.Discard)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = all()
	}
	found, err := find(names)
	if err != nil {
		return nil, err
	}
	return b.plan(ctx, found)
}

// Version returns the pinned upstream version of the named program, in the form
// of [Build.Version]. It reads one go.mod file.
func Version(name string) (string, error) {
	found, err := find([]string{name})
	if err != nil {
		return "", err
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	return found[0].version(root)
}

// plan works out the builds of the tools. Problems of all tools are reported
// together.
func (b *builder) plan(ctx context.Context, tools []Tool) ([]Build, error) {
	goVersion, err := b.goVersion(ctx)
	if err != nil {
		return nil, err
	}
	builds := make([]Build, 0, len(tools))
	var problems []error
	for _, t := range tools {
		build, err := b.planOne(t, goVersion)
		if err != nil {
			problems = append(problems, fmt.Errorf("planning the build of %s: %w", t.Name, err))
			continue
		}
		builds = append(builds, build)
	}
	return builds, errors.Join(problems...)
}

func (b *builder) planOne(t Tool, goVersion string) (Build, error) {
	version, err := t.version(b.root)
	if err != nil {
		return Build{}, err
	}
	args := t.buildArgs(version)
	digest := sha256.New()
	fmt.Fprintln(digest, goVersion, runtime.GOOS, runtime.GOARCH, t.CGO, t.Generate)
	fmt.Fprintf(digest, "%q %q\n", args, t.Packages)
	if err := files.Hash(digest, b.moduleDir(t)); err != nil {
		return Build{}, err
	}
	key := hex.EncodeToString(digest.Sum(nil))[:keyLength]
	dir := filepath.Join(b.cache, "tools", t.Name+"-"+version+"-"+key)
	return Build{Name: t.Name, Version: version, Key: key, Dir: dir, tool: t, args: args}, nil
}

// version reads the tool's version from the go.mod file that pins it.
func (t Tool) version(root string) (string, error) {
	if t.Version != "" {
		return t.Version, nil
	}
	path := filepath.Join(root, "tools", "upstream", t.moduleDir(), "go.mod")
	name := t.Module
	if t.SDK != "" {
		path, name = filepath.Join(root, "go.mod"), t.SDK
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	file, err := modfile.ParseLax(path, text, nil)
	if err != nil {
		return "", err
	}
	for _, require := range file.Require {
		if require.Mod.Path == name {
			return releaseOrCommit(require.Mod.Version)
		}
	}
	return "", fmt.Errorf("%s does not require %s, whose version is the program's version", path, name)
}

// releaseOrCommit shortens a module version to what tells builds apart.
func releaseOrCommit(version string) (string, error) {
	if !module.IsPseudoVersion(version) {
		return strings.TrimPrefix(version, "v"), nil
	}
	at, err := module.PseudoVersionTime(version)
	if err != nil {
		return "", err
	}
	commit, err := module.PseudoVersionRev(version)
	if err != nil {
		return "", err
	}
	return at.Format("20060102150405") + "-" + commit, nil
}

// buildArgs are the arguments of go build that shape the binaries.
func (t Tool) buildArgs(version string) []string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	fill := strings.NewReplacer("{version}", version, "{major}", major, "{minor}", minor)
	// The flags that reach the compiler are the Makefile's GOFLAGS, so that packages
	// compiled for one are found by the other.
	args := []string{"-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-mod=readonly"}
	if len(t.Tags) > 0 {
		args = append(args, "-tags="+strings.Join(t.Tags, ","))
	}
	return append(args, "-ldflags="+fill.Replace(strings.Join(append([]string{"-s", "-w"}, t.LDFlags...), " ")))
}

package toolchain

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

func TestEnsureBuildsOnceWhenTwoRun(t *testing.T) {
	first, out := checkout(t, map[string]string{"main.go": helloMain})
	second := &builder{root: first.root, cache: first.cache, out: out}
	var both sync.WaitGroup
	for _, b := range []*builder{first, second} {
		both.Go(func() {
			dirs, err := b.ensure(t.Context(), []Tool{hello})
			assert.NoError(t, err)
			assert.FileExists(t, filepath.Join(dirs["hello"], "hello"))
		})
	}
	both.Wait()
	assert.Equal(t, 1, strings.Count(out.String(), "hello: built in "), out.String())
}

func TestEnsureIsSilentWhenNothingIsAbsent(t *testing.T) {
	b, out := checkout(t, map[string]string{"main.go": helloMain})
	dirs, err := b.ensure(t.Context(), []Tool{hello})
	require.NoError(t, err)
	assert.Contains(t, out.String(), "[1/1] hello: building 1.2.3, up to 1 minute")
	said := out.String()
	again, err := b.ensure(t.Context(), []Tool{hello})
	require.NoError(t, err)
	assert.Equal(t, dirs, again)
	assert.Equal(t, said, out.String())

	result, err := exec.Command(filepath.Join(dirs["hello"], "hello")).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "1.2.3/1/2\n", string(result))
	assert.Equal(t, "hello-1.2.3-", filepath.Base(dirs["hello"])[:len("hello-1.2.3-")])
}

func TestEnsureRunsTheGeneratorOutsideTheCheckout(t *testing.T) {
	b, _ := checkout(t, map[string]string{
		"main.go":     "package main\n\nimport _ \"embed\"\n\n//go:embed text.txt\nvar text string\n\nfunc main() { print(text) }\n",
		"gen/main.go": "package main\n\nimport \"os\"\n\nfunc main() { _ = os.WriteFile(\"text.txt\", []byte(\"made\"), 0o644) }\n",
	})
	tool := hello
	tool.Generate, tool.LDFlags = "./gen", nil
	dirs, err := b.ensure(t.Context(), []Tool{tool})
	require.NoError(t, err)
	result, err := exec.Command(filepath.Join(dirs["hello"], "hello")).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "made", string(result))
	assert.NoFileExists(t, filepath.Join(b.moduleDir(tool), "text.txt"))
}

// registry serves the module example.com/dep v1.0.0 to go commands that have an
// empty module cache. It returns a file of the module in that cache and the
// module's lines of go.sum.
func registry(t *testing.T) (file, sums string) {
	t.Helper()
	const goMod = "module example.com/dep\n\ngo 1.26.0\n"
	dep := module.Version{Path: "example.com/dep", Version: "v1.0.0"}
	source, served, cache := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, source, map[string]string{"go.mod": goMod, "dep.go": "package dep\n\nconst Text = \"fetched\"\n"})
	versions := filepath.Join(served, dep.Path, "@v")
	write(t, versions, map[string]string{"v1.0.0.info": `{"Version":"v1.0.0"}`, "v1.0.0.mod": goMod})
	archive, err := os.Create(filepath.Join(versions, "v1.0.0.zip"))
	require.NoError(t, err)
	require.NoError(t, zip.CreateFromDir(archive, dep, source))
	require.NoError(t, archive.Close())
	whole, err := dirhash.HashZip(archive.Name(), dirhash.Hash1)
	require.NoError(t, err)
	mod, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(goMod)), nil })
	require.NoError(t, err)
	t.Setenv("GOPROXY", "file://"+served)
	t.Setenv("GONOSUMDB", dep.Path)
	t.Setenv("GOMODCACHE", cache)
	t.Cleanup(func() {
		clean := exec.Command("go", "clean", "-modcache")
		clean.Env = append(os.Environ(), "GOMODCACHE="+cache)
		assert.NoError(t, clean.Run(), "a module cache is read-only")
	})
	file = filepath.Join(cache, dep.Path+"@"+dep.Version, "dep.go")
	return file, fmt.Sprintf("%[1]s v1.0.0 %[2]s\n%[1]s v1.0.0/go.mod %[3]s\n", dep.Path, whole, mod)
}

// patient is a generator that waits for a file.
const patient = `package main

import (
	"log"
	"os"
	"time"
)

func main() {
	limit, _ := time.ParseDuration(os.Getenv("PATIENCE"))
	for start := time.Now(); time.Since(start) < limit; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(os.Getenv("AWAITED")); err == nil {
			return
		}
	}
	log.Fatal("nobody fetched it")
}
`

func TestModulesOfTheNextProgramArriveDuringABuild(t *testing.T) {
	first := hello
	first.Generate = "./gen"
	next := Tool{Name: "next", Version: "1.0.0", Packages: []string{"."}}
	for name, test := range map[string]struct {
		tools    []Tool
		patience string
	}{
		"next":                 {[]Tool{first, next}, "1m"},
		"the twin without one": {[]Tool{first}, "1s"},
	} {
		t.Run(name, func(t *testing.T) {
			file, sums := registry(t)
			t.Setenv("AWAITED", file)
			t.Setenv("PATIENCE", test.patience)
			b, _ := checkout(t, map[string]string{"main.go": helloMain, "gen/main.go": patient})
			write(t, b.moduleDir(next), map[string]string{
				"go.mod": "module example.com/next\n\ngo 1.26.0\n\nrequire example.com/dep v1.0.0\n", "go.sum": sums,
				// What is embedded is there after a build's generator ran, which is later.
				"main.go": "package main\n\nimport (\n\t_ \"embed\"\n\n\t\"example.com/dep\"\n)\n\n//go:embed text.txt\nvar text string\n\nfunc main() { print(text, dep.Text) }\n",
			})
			_, err := b.ensure(t.Context(), test.tools)
			if len(test.tools) == 1 {
				require.ErrorContains(t, err, "nobody fetched it")
				return
			}
			require.ErrorContains(t, err, "building next: go list")
			assert.ErrorContains(t, err, "text.txt: no matching files found")
			assert.FileExists(t, filepath.Join(b.cache, "logs", "hello.log"))
		})
	}
}

func TestFailedBuildSaysWhatToDoAndLeavesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		main, log, next string
	}{
		"compiler":  {"package main\n\nfunc main() { undefined() }\n", "undefined: undefined", "fix what the log says"},
		"no go.sum": {"package main\n\nimport _ \"example.com/other\"\n\nfunc main() {}\n", "example.com/other", "go mod tidy"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := checkout(t, map[string]string{"main.go": test.main})
			if name == "no go.sum" {
				write(t, b.moduleDir(hello), map[string]string{
					"go.mod": "module example.com/hello\n\ngo 1.26.0\n\nrequire example.com/other v1.0.0\n",
				})
			}
			_, err := b.ensure(t.Context(), []Tool{hello})
			require.ErrorContains(t, err, "building hello: go ")
			log := filepath.Join(b.cache, "logs", "hello.log")
			assert.ErrorContains(t, err, "log: "+log)
			assert.ErrorContains(t, err, "next: ")
			assert.ErrorContains(t, err, test.next)
			text, readErr := os.ReadFile(log)
			require.NoError(t, readErr)
			assert.Contains(t, string(text), test.log)
			left, readErr := os.ReadDir(filepath.Join(b.cache, "tools"))
			require.NoError(t, readErr)
			assert.Empty(t, left)
		})
	}
}

func TestCancelledBuildSaysThatWorkIsKept(t *testing.T) {
	b, _ := checkout(t, map[string]string{"main.go": helloMain})
	builds, err := b.plan(t.Context(), []Tool{hello})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = b.build(ctx, builds[0], "hello")
	require.ErrorIs(t, err, context.Canceled)
	assert.NoDirExists(t, builds[0].Dir)
}

func TestUnknownTool(t *testing.T) {
	_, err := Ensure(t.Context(), &buffer{}, "caddy", "nonsense")
	assert.ErrorContains(t, err, `unknown tool "nonsense": it is one of kubernetes, containerd`)
}

func TestPreflightReportsEverythingAtOnce(t *testing.T) {
	goPath, err := exec.LookPath("go")
	require.NoError(t, err)
	bin := t.TempDir()
	require.NoError(t, os.Symlink(goPath, filepath.Join(bin, "go")))
	t.Setenv("PATH", bin)
	t.Setenv("GOTOOLCHAIN", "local")
	b, _ := checkout(t, map[string]string{"main.go": helloMain})
	write(t, b.moduleDir(hello), map[string]string{"go.mod": "module example.com/hello\n\ngo 1.99.0\n"})
	tool := hello
	runc, err := find([]string{"runc"})
	require.NoError(t, err)
	tool.Needs = runc[0].Needs
	_, err = b.ensure(t.Context(), []Tool{tool})
	for _, part := range []string{
		"hello: needs Go 1.99.0, found go", "hello needs the program gcc", "hello needs the program pkg-config",
		"hello needs the C library libseccomp", "run: apt-get install --no-install-recommends gcc libseccomp-dev pkg-config",
	} {
		assert.ErrorContains(t, err, part)
	}
}

package toolchain

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

func TestKeyChangesWithItsInputs(t *testing.T) {
	b, _ := checkout(t, map[string]string{"main.go": helloMain})
	key := func(change func(*Tool), goVersion string) string {
		tool := hello
		change(&tool)
		build, err := b.planOne(tool, goVersion)
		require.NoError(t, err)
		return build.Key
	}
	same := func(*Tool) {}
	want := key(same, "go1.26.8")
	assert.Len(t, want, keyLength)
	assert.Equal(t, want, key(same, "go1.26.8"))
	assert.Equal(t, want, key(func(t *Tool) { t.Minutes = 99 }, "go1.26.8"))
	assert.NotEqual(t, want, key(same, "go1.26.9"))
	for name, change := range map[string]func(*Tool){
		"version":  func(t *Tool) { t.Version = "1.2.4" },
		"packages": func(t *Tool) { t.Packages = []string{"./cmd/x"} },
		"tags":     func(t *Tool) { t.Tags = []string{"netgo"} },
		"cgo":      func(t *Tool) { t.CGO = true },
		"ldflags":  func(t *Tool) { t.LDFlags = nil },
		"generate": func(t *Tool) { t.Generate = "./gen" },
	} {
		assert.NotEqual(t, want, key(change, "go1.26.8"), name)
	}
	write(t, b.moduleDir(hello), map[string]string{"main.go": helloMain + "\n"})
	assert.NotEqual(t, want, key(same, "go1.26.8"), "sources")
}

func TestVersionComesFromTheModule(t *testing.T) {
	for name, test := range map[string]struct{ require, want string }{
		"release": {"v1.11.9", "1.11.9"},
		"commit":  {"v0.0.0-20260212201848-7aac2a2c5b7c", "20260212201848-7aac2a2c5b7c"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := checkout(t, map[string]string{
				"go.mod": "module example.com/hello\n\ngo 1.26.0\n\nrequire example.com/up " + test.require + " // indirect\n",
			})
			tool := Tool{Name: "hello", Module: "example.com/up"}
			version, err := tool.version(b.root)
			require.NoError(t, err)
			assert.Equal(t, test.want, version)
			tool.Module = "example.com/gone"
			_, err = tool.version(b.root)
			assert.ErrorContains(t, err, "does not require example.com/gone")
		})
	}
}

func TestTableIsComplete(t *testing.T) {
	root, err := Root()
	require.NoError(t, err)
	assert.Subset(t, Names(), []string{
		"pulumi", "pulumi-language-go", "pulumi-resource-kubernetes", "pulumi-resource-random", "pulumi-resource-tls",
		"kubernetes", "containerd", "runc", "cni", "coredns", "caddy", "minio", "cloudnative-pg", "pause",
	})
	for _, tool := range tools {
		t.Run(tool.Name, func(t *testing.T) {
			version, err := tool.version(root)
			require.NoError(t, err)
			assert.NotEmpty(t, version)
			assert.NotEmpty(t, tool.Packages)
			assert.Positive(t, tool.Minutes)
			dir := filepath.Join(root, "tools", "upstream", tool.moduleDir())
			module := readModule(t, filepath.Join(dir, "go.mod"))
			assert.Equal(t, "github.com/mlflow-platform/mlflow-platform/tools/upstream/"+tool.moduleDir(), module.Module.Mod.Path)
			if tool.Module != "" {
				sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
				require.NoError(t, err, "the download must be verifiable")
				downloaded := tool.Module
				for _, replace := range module.Replace {
					if replace.Old.Path == tool.Module {
						downloaded = replace.New.Path
					}
				}
				assert.Contains(t, string(sums), downloaded+" v")
			}
		})
	}
}

// The program's SDK, the CLI and the plugins are released together.
func TestPulumiPinsFitTheProgram(t *testing.T) {
	root, err := Root()
	require.NoError(t, err)
	program := map[string]string{}
	for _, require := range readModule(t, filepath.Join(root, "go.mod")).Require {
		program[require.Mod.Path] = require.Mod.Version
	}
	cli, err := Version("pulumi")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, semver.Compare("v"+cli, program["github.com/pulumi/pulumi/sdk/v3"]), 0, "the CLI is older than the SDK")
	assert.True(t, compatible("v"+cli))
	for plugin, sdk := range map[string]string{
		"pulumi-resource-kubernetes": "github.com/pulumi/pulumi-kubernetes/sdk/v4",
		"pulumi-resource-random":     "github.com/pulumi/pulumi-random/sdk/v4",
		"pulumi-resource-tls":        "github.com/pulumi/pulumi-tls/sdk/v5",
	} {
		version, err := Version(plugin)
		require.NoError(t, err)
		assert.Equal(t, program[sdk], "v"+version, plugin)
	}
}

func readModule(t *testing.T, path string) *modfile.File {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := modfile.Parse(path, text, nil)
	require.NoError(t, err)
	return file
}

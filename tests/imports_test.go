package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	gotypes "go/types"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/mlflow-platform/mlflow-platform"

// dependencies are the import paths of everything a package is built from.
func dependencies(t *testing.T, pattern string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", pattern)
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func containing(paths []string, parts ...string) []string {
	var found []string
	for _, p := range paths {
		for _, part := range parts {
			if strings.Contains(p, part) {
				found = append(found, p)
			}
		}
	}
	return found
}

// TestNoCloudSDK keeps minutes of compilation and gigabytes of memory out of
// every stack that needs no cloud (docs/decisions/0007).
func TestNoCloudSDK(t *testing.T) {
	t.Parallel()
	all := dependencies(t, ".")
	sdks := []string{"pulumi-aws/", "pulumi-azure", "pulumi-gcp/"}
	assert.Empty(t, containing(all, sdks...))
	// Either of these drags in all 68 API packages of the Kubernetes SDK.
	assert.Empty(t, containing(all, "/kubernetes/helm/v3", "/kubernetes/yaml"))
	// The twin: the same look finds an SDK that is there.
	assert.NotEmpty(t, containing(all, "pulumi-kubernetes/"))
}

// TestSettingsKnowNoEngine keeps the settings pure: a table test needs nothing
// but them.
func TestSettingsKnowNoEngine(t *testing.T) {
	t.Parallel()
	assert.Empty(t, containing(dependencies(t, "./stacks/settings"), "github.com/pulumi/"))
	assert.NotEmpty(t, containing(dependencies(t, "./stacks"), "github.com/pulumi/"))
}

// effects are uses in a file, called or handed on, that belong elsewhere: outputs
// are for package stacks alone, and the rest makes a program depend on what its
// settings do not say, or end without an error.
func effects(name string, file *ast.File) []string {
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		var text string
		switch use := n.(type) {
		case *ast.SelectorExpr:
			text = gotypes.ExprString(use)
		case *ast.Ident:
			text = use.Name
		default:
			return true
		}
		switch {
		case strings.HasSuffix("."+text, ".ctx.Export"):
			if !strings.HasPrefix(name, "stacks/") {
				found = append(found, name+": "+text)
			}
		case slices.Contains([]string{"os.Getenv", "os.LookupEnv", "panic", "os.Exit", "context.TODO", "time.Now"}, text), strings.HasPrefix(text, "log.Fatal"):
			found = append(found, name+": "+text)
		}
		return true
	})
	return found
}

// allowed are the exceptions, each with its reason.
var allowed = []string{
	"stacks/settings/validate.go: time.Now", // says how long a certificate is still good
	"components/azure/azure.go: time.Now",   // a budget begins in the month in which it is made
}

func TestEffectsHaveTheirPlace(t *testing.T) {
	t.Parallel()
	var found []string
	for _, dir := range []string{"components", "stacks"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			name, err := filepath.Rel("..", path)
			require.NoError(t, err)
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			require.NoError(t, err)
			found = append(found, effects(filepath.ToSlash(name), file)...)
			return nil
		}))
	}
	assert.ElementsMatch(t, allowed, found)

	// The twin.
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
var clock = time.Now
func f() { b.ctx.Export("a", nil); log.Fatalf(""); panic(os.Getenv("A")); _ = context.TODO() }`, 0)
	require.NoError(t, err)
	assert.Equal(t, []string{"components/x.go: time.Now", "components/x.go: b.ctx.Export", "components/x.go: log.Fatalf", "components/x.go: panic", "components/x.go: os.Getenv", "components/x.go: context.TODO"}, effects("components/x.go", file))
	assert.NotContains(t, effects("stacks/x.go", file), "stacks/x.go: b.ctx.Export")
}

// TestWorkloadKnowsNoPlace keeps the workload independent of where it runs.
func TestWorkloadKnowsNoPlace(t *testing.T) {
	t.Parallel()
	for _, component := range []string{"mlflow", "gateway", "netpol", "postgres", "backup", "retention", "exposure"} {
		assert.Empty(t, containing(dependencies(t, "./components/"+component), module+"/components/kubernetes", module+"/stacks"), component)
	}
	assert.NotEmpty(t, containing(dependencies(t, "./components/kubernetes"), module+"/stacks/settings"))
}

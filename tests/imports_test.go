package tests

import (
	"os/exec"
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

// TestWorkloadKnowsNoPlace keeps the workload independent of where it runs.
func TestWorkloadKnowsNoPlace(t *testing.T) {
	t.Parallel()
	for _, component := range []string{"mlflow", "gateway", "netpol", "postgres", "backup", "retention", "exposure"} {
		assert.Empty(t, containing(dependencies(t, "./components/"+component), module+"/components/kubernetes", module+"/stacks"), component)
	}
	assert.NotEmpty(t, containing(dependencies(t, "./components/kubernetes"), module+"/stacks/settings"))
}

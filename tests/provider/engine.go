package provider

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// CLI names the variable with the directory of the pinned pulumi binary.
const CLI = "MLFLOW_PLATFORM_PULUMI"

// Tool is the directory that a variable names; make test sets them.
func Tool(t *testing.T, variable string) string {
	t.Helper()
	dir := os.Getenv(variable)
	require.NotEmpty(t, dir, "%s is not set; run: make test", variable)
	return dir
}

// NewStack makes a stack of a program on the real engine and CLI, with the fake
// for the providers of every stack and for those in more. State is the directory
// of its state files.
func (f *Fake) NewStack(t *testing.T, project, name string, program pulumi.RunFunc, more ...string) (stack auto.Stack, state string) {
	t.Helper()
	root, state := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(Tool(t, CLI), filepath.Join(root, "bin")))
	cli, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root})
	require.NoError(t, err)
	stack, err = auto.NewStackInlineSource(t.Context(), "organization/"+project+"/"+name, project, program,
		auto.Project(workspace.Project{
			Name: tokens.PackageName(project), Runtime: workspace.NewProjectRuntimeInfo("go", nil),
			Backend: &workspace.ProjectBackend{URL: "file://" + state},
		}),
		auto.Pulumi(cli), auto.PulumiHome(t.TempDir()), auto.EnvVars(map[string]string{
			"PULUMI_CONFIG_PASSPHRASE": "test", "PULUMI_DEBUG_PROVIDERS": f.Serve(t, more...),
			"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		}))
	require.NoError(t, err)
	require.NoError(t, stack.SetConfig(t.Context(), "pulumi:disable-default-providers", auto.ConfigValue{Value: `["*"]`}))
	return stack, state
}

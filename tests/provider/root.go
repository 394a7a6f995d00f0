package provider

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// LanguageHost names the variable with the directory of the Go language host.
const LanguageHost = "MLFLOW_PLATFORM_LANGUAGE_GO"

// RootProgram is a stack that the repository's own project runs with a cloud's
// program.
type RootProgram struct {
	// Run is the stack's, File its file from the root, Package the cloud's of Pulumi.
	Run           graph.Run
	File, Package string
	// Shows is a type that the preview names.
	Shows string
	// Mistake is a text of the file and what it says instead, Says what is said then.
	Mistake [2]string
	Says    string
}

// CheckRootProgram previews the stack with the real CLI and language host: the
// program in the root hands over to the cloud's own.
func CheckRootProgram(t *testing.T, p RootProgram) {
	t.Helper()
	bin, host := Tool(t, CLI), Tool(t, LanguageHost)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	fake := &Fake{Cloud: p.Run.Cloud}
	env := append(os.Environ(),
		"PATH="+strings.Join([]string{bin, host, os.Getenv("PATH")}, string(os.PathListSeparator)),
		"PULUMI_HOME="+t.TempDir(), "PULUMI_BACKEND_URL=file://"+t.TempDir(), "PULUMI_CONFIG_PASSPHRASE=",
		"PULUMI_DEBUG_PROVIDERS="+fake.Serve(t, p.Package), "PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true")
	pulumiCommand := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "pulumi"), append([]string{"--non-interactive", "--color", "never", "--cwd", root}, args...)...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	// A copy of the stack's file, which is changed below.
	config := filepath.Join(t.TempDir(), "Pulumi."+p.Run.Stack+".yaml")
	raw, err := os.ReadFile(filepath.Join(root, p.File))
	require.NoError(t, err)
	text := string(raw)
	require.NoError(t, os.WriteFile(config, raw, 0o600))
	// The CLI writes the salt of the stack's secrets beside Pulumi.yaml: the checkout
	// is left as it was.
	checkout := filepath.Join(root, "Pulumi."+p.Run.Stack+".yaml")
	before, missing := os.ReadFile(checkout)
	t.Cleanup(func() {
		if missing != nil {
			assert.NoError(t, os.Remove(checkout))
			return
		}
		assert.NoError(t, os.WriteFile(checkout, before, 0o644))
	})
	out, err := pulumiCommand("stack", "init", p.Run.Stack, "--no-select")
	require.NoError(t, err, out)
	preview := []string{"preview", "--stack", p.Run.Stack, "--config-file", config}
	out, err = pulumiCommand(preview...)
	require.NoError(t, err, out)
	assert.Contains(t, out, p.Shows)
	assert.Contains(t, out, "database connections: ")
	// What is wrong is said once, and the CLI sees the failure.
	require.Equal(t, 1, strings.Count(text, p.Mistake[0]))
	require.NoError(t, os.WriteFile(config, []byte(strings.Replace(text, p.Mistake[0], p.Mistake[1], 1)), 0o600))
	out, err = pulumiCommand(preview...)
	require.Error(t, err)
	assert.Contains(t, out, p.Says)
}

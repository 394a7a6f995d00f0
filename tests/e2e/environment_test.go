//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A cluster and ports that nothing else of this project uses.
const (
	clusterName = "e2e"
	apiPort     = "16600"
	httpsPort   = "8600"
)

// namespace is what Pulumi.local.yaml has by default.
const namespace = "mlflow"

// stepTimeout ends a command that hangs; the longest, a first up, takes a few
// minutes on two cores.
const stepTimeout = 15 * time.Minute

// platform drives the stack as a person does: through the built commands.
type platform struct {
	root, artifacts, bin string
	// vars are the assignments of `platform env`, empty before the first use.
	vars map[string]string
	// said is what up printed.
	said string
	// kubeBin is the directory of kubectl.
	kubeBin string
	count   atomic.Int32
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	require.Zero(t, os.Geteuid(), "the local cluster needs root")
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	p := &platform{root: root, bin: t.TempDir(), artifacts: os.Getenv("E2E_ARTIFACTS")}
	if p.artifacts == "" {
		p.artifacts, err = os.MkdirTemp("", "mlflow-platform-e2e-")
		require.NoError(t, err)
	}
	require.NoError(t, os.MkdirAll(p.artifacts, 0o755))
	t.Logf("logs are in %s", p.artifacts)
	for _, name := range []string{"platform", "localcluster", "toolchain"} {
		p.must(t, p.command(t, "go", "build", "-o", filepath.Join(p.bin, name), "./cmd/"+name))
	}
	return p
}

// result is what a command left.
type result struct {
	stdout, stderr string
	err            error
}

func (r result) all() string { return r.stdout + r.stderr }

// command prepares a command that runs in tools/ with the stack's environment.
func (p *platform) command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stepTimeout)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = filepath.Join(p.root, "tools")
	cmd.Env = own()
	for k, v := range p.vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// own is the environment without what the shell of a developer may have from
// make env: a run must not touch that stack.
func own() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "PULUMI_") || strings.HasPrefix(v, "MLFLOW_TRACKING_") || strings.HasPrefix(v, "KUBECONFIG=")
	})
}

// run runs a command and keeps its output among the artifacts.
func (p *platform) run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	r := result{stdout.String(), stderr.String(), err}
	p.keep(t, fmt.Sprintf("%04d-%s.log", p.count.Add(1), filepath.Base(cmd.Path)),
		fmt.Sprintf("%s\n%s: %v after %s\n--- stdout\n%s\n--- stderr\n%s", t.Name(), strings.Join(cmd.Args, " "), err, time.Since(start).Round(time.Millisecond), r.stdout, r.stderr))
	return r
}

// must is run for a command that has to succeed.
func (p *platform) must(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	r := p.run(t, cmd)
	require.NoError(t, r.err, "%s\n%s", strings.Join(cmd.Args, " "), tail(r.all()))
	return r.stdout
}

// keep writes a file among the artifacts.
func (p *platform) keep(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(p.artifacts, name), []byte(text), 0o600))
}

// platform runs a command of `make`.
func (p *platform) platform(t *testing.T, command string) result {
	t.Helper()
	cmd := p.command(t, filepath.Join(p.bin, "platform"), command,
		"--name", clusterName, "--api-port", apiPort, "--https-port", httpsPort)
	return p.run(t, cmd)
}

// load reads the stack's environment once: steps may be run singly.
func (p *platform) load(t *testing.T) {
	t.Helper()
	if p.vars["MLFLOW_TRACKING_PASSWORD"] != "" {
		return
	}
	r := p.platform(t, "env")
	require.NoError(t, r.err, r.stderr)
	p.vars = map[string]string{}
	for line := range strings.Lines(r.stdout) {
		name, value, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, "export "), "\n"), "=")
		// The client's certificate spans lines in no variable: it is a path.
		require.True(t, ok, "not an assignment: %q", line)
		p.vars[name] = strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'")
	}
	require.NotEmpty(t, p.vars["MLFLOW_TRACKING_PASSWORD"], "the stack is not up")
}

// state is where the stack's Pulumi state lies.
func (p *platform) state(t *testing.T) string {
	t.Helper()
	p.load(t)
	dir, ok := strings.CutPrefix(p.vars["PULUMI_BACKEND_URL"], "file://")
	require.True(t, ok, "the local stack keeps its state in a file")
	return dir
}

// config is the stack's configuration as `platform up` wrote it.
func (p *platform) config(t *testing.T) string {
	t.Helper()
	return filepath.Join(filepath.Dir(p.state(t)), "Pulumi.local.yaml")
}

// pulumi prepares a pulumi command on the stack, in the checkout.
func (p *platform) pulumi(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	p.load(t)
	bin, _, _ := strings.Cut(p.vars["PATH"], string(os.PathListSeparator))
	cmd := p.command(t, filepath.Join(bin, "pulumi"), append([]string{"--non-interactive", "--color", "never"}, args...)...)
	cmd.Dir = p.root
	return cmd
}

// python is the interpreter that the demo installed the real client for.
func (p *platform) python(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.root, "tools", "client", "requirements.txt"))
	require.NoError(t, err)
	sum := sha256.Sum256(text)
	python := filepath.Join(p.cache(t), "client", hex.EncodeToString(sum[:6]), "bin", "python3")
	require.FileExists(t, python, "the demo installs the client")
	return python
}

func (p *platform) cache(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("MLFLOW_PLATFORM_CACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(dir, "mlflow-platform")
}

// tail keeps a failure message readable.
func tail(text string) string {
	const most = 4000
	if len(text) <= most {
		return text
	}
	return "…" + text[len(text)-most:]
}

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// environmentFor is the one of these flags; the test has set a cache.
func environmentFor(t *testing.T, args ...string) (*environment, *bytes.Buffer) {
	t.Helper()
	o, err := parse("up", args)
	require.NoError(t, err)
	e, err := newEnvironment(o)
	require.NoError(t, err)
	out := &bytes.Buffer{}
	e.out = out
	return e, out
}

func existing(t *testing.T) []string {
	t.Helper()
	return []string{"--kubeconfig", filepath.Join(t.TempDir(), "config"), "--context", "theirs"}
}

// TestTheStackOfAnotherClusterIsNotTouched is about a shell that has what make
// env printed: its backend is another stack's, and up or down of that would be
// an accident.
func TestTheStackOfAnotherClusterIsNotTouched(t *testing.T) {
	t.Setenv(toolchain.CacheEnv, t.TempDir())
	t.Setenv("PULUMI_BACKEND_URL", "")
	local, _ := environmentFor(t)
	exported := value(local.variables(), "PULUMI_BACKEND_URL")
	assert.Equal(t, "file://"+filepath.Join(local.home, "state"), exported)

	t.Setenv("PULUMI_BACKEND_URL", exported)
	theirs, _ := environmentFor(t, existing(t)...)
	assert.Equal(t, "file://"+filepath.Join(theirs.home, "state"), value(theirs.variables(), "PULUMI_BACKEND_URL"))
	assert.NotEqual(t, local.home, theirs.home)

	// The twin: a backend of the user's own is used, with its passphrase.
	t.Setenv("PULUMI_BACKEND_URL", "s3://state")
	for _, e := range []*environment{local, theirs} {
		assert.Empty(t, value(e.variables(), "PULUMI_BACKEND_URL"))
		assert.NotContains(t, e.variables(), "PULUMI_CONFIG_PASSPHRASE=")
	}
}

func TestEverySpellingIsTheSameCluster(t *testing.T) {
	t.Setenv(toolchain.CacheEnv, t.TempDir())
	dir := t.TempDir()
	root, err := toolchain.Root()
	require.NoError(t, err)
	t.Setenv(toolchain.RootEnv, root)
	t.Chdir(dir)
	a, _ := environmentFor(t, "--kubeconfig", "config", "--context", "theirs")
	b, _ := environmentFor(t, "--kubeconfig", filepath.Join(dir, "config"), "--context", "theirs")
	other, _ := environmentFor(t, "--kubeconfig", "config", "--context", "other")
	assert.Equal(t, a.home, b.home)
	assert.NotEqual(t, a.home, other.home)
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{{"more"}, {"--kubeconfig", "x"}, {"--context", "x"}, {"--api-port", "x"}, {"--nonsense"}} {
		_, err := parse("up", args)
		assert.Error(t, err, "%v", args)
	}
}

// TestAnnounceSaysOnlyWhatWillHappen is about the three places up runs on.
func TestAnnounceSaysOnlyWhatWillHappen(t *testing.T) {
	t.Setenv(toolchain.CacheEnv, t.TempDir())
	builds, err := toolchain.Lookup(t.Context(), "kubernetes", "caddy")
	require.NoError(t, err)

	local, out := environmentFor(t)
	require.NoError(t, local.announce(builds, []string{"caddy", "mlflow"}, 6e9, 5e9))
	assert.Equal(t, `make up will
  1. build 2 pinned programs from their Go modules, once: up to 7 minutes on two idle cores and 6 GB of Go's caches; 5 GB are free
  2. build the container images caddy, mlflow, once
  3. start a Kubernetes cluster in namespaces of its own
  4. run pulumi up --stack local
which takes up to 14 minutes; what is built is kept
warning: with cold caches that is not enough disk: free some, or move GOCACHE and GOMODCACHE
`, out.String())

	local, out = environmentFor(t)
	require.NoError(t, local.announce(nil, nil, 0, 5e9))
	assert.NotContains(t, out.String(), "build ")
	assert.NotContains(t, out.String(), "warning")

	theirs, out := environmentFor(t, existing(t)...)
	require.NoError(t, theirs.announce(nil, nil, 0, 5e9))
	assert.Contains(t, out.String(), "1. use the cluster of context theirs in ")
	assert.NotContains(t, out.String(), "start a Kubernetes cluster")
}

// TestMissing is about an empty cache: everything is still to be built, and for a
// cluster that is there only what Pulumi needs.
func TestMissing(t *testing.T) {
	t.Setenv(toolchain.CacheEnv, t.TempDir())
	t.Setenv("PATH", pathWithoutPulumi(t))
	local, _ := environmentFor(t)
	programs, absent, err := local.missing(t.Context())
	require.NoError(t, err)
	assert.Len(t, programs, len(toolchain.Names()))
	assert.Contains(t, absent, "mlflow")

	theirs, _ := environmentFor(t, existing(t)...)
	programs, absent, err = theirs.missing(t.Context())
	require.NoError(t, err)
	assert.Len(t, programs, 5, "the CLI, the language host and three plugins")
	assert.Empty(t, absent)
}

// pathWithoutPulumi has the go command and no pulumi.
func pathWithoutPulumi(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary, err := exec.LookPath("go")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(binary, filepath.Join(dir, "go")))
	return dir
}

// TestNextStepsNameTheCluster: without the flags they would act on the default
// one.
func TestNextStepsNameTheCluster(t *testing.T) {
	t.Setenv(toolchain.CacheEnv, t.TempDir())
	local, _ := environmentFor(t)
	assert.Equal(t, "make down", local.again("down"))
	named, _ := environmentFor(t, "--name", "two", "--https-port", "8444")
	assert.Equal(t, "make down ARGS='--name two --https-port 8444'", named.again("down"))
	spaced, _ := environmentFor(t, "--kubeconfig", "/my files/config", "--context", "theirs")
	assert.Equal(t, `make down ARGS='--kubeconfig "/my files/config" --context theirs'`, spaced.again("down"))
}

func TestOtherStacksAreKept(t *testing.T) {
	t.Setenv(toolchain.CacheEnv, t.TempDir())
	e, _ := environmentFor(t)
	dir := filepath.Join(e.home, "state", ".pulumi", "stacks", "mlflow-platform")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"local", "mine"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".json"), nil, 0o600))
	}
	others, err := e.otherStacks()
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(dir, "mine.json")}, others)
}

func TestQuote(t *testing.T) {
	assert.Equal(t, `'a b'`, quote("a b"))
	assert.Equal(t, `'it'\''s'`, quote("it's"))
}

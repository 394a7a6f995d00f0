//go:build e2e && linux

package cluster

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// eventually is how long the cluster may take to do what it was asked.
const eventually = 90 * time.Second

// lines collects progress messages, also of commands that run side by side.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String implements fmt.Stringer.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// testOptions are those of a cluster of the test's own on free ports.
func testOptions(tb testing.TB, name string) (Options, *lines) {
	tb.Helper()
	out := &lines{}
	o := Defaults()
	o.Name, o.APIPort, o.Publish = name, 0, []Publication{{HostPort: 0, ServicePort: 443}}
	o.Out = io.MultiWriter(out, tb.Output())
	return o, out
}

// kubectl runs kubectl on the host, through the published port.
type kubectl struct {
	binary, kubeconfig string
}

func newKubectl(tb testing.TB, c *Cluster) kubectl {
	tb.Helper()
	dirs, err := toolchain.Ensure(tb.Context(), tb.Output(), "kubernetes")
	require.NoError(tb, err)
	return kubectl{filepath.Join(dirs["kubernetes"], "kube"), c.Kubeconfig()}
}

// try runs it and returns what it prints.
func (k kubectl) try(tb testing.TB, args ...string) (string, error) {
	cmd := exec.CommandContext(tb.Context(), k.binary, append([]string{"kubectl", "--kubeconfig", k.kubeconfig, "--namespace", "e2e"}, args...)...)
	output, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(output)), err
}

// run is try for what must succeed.
func (k kubectl) run(tb testing.TB, args ...string) string {
	tb.Helper()
	output, err := k.try(tb, args...)
	require.NoError(tb, err, "kubectl %s: %s", strings.Join(args, " "), output)
	return output
}

// probe runs the probe in the Pod of a Deployment.
func (k kubectl) probe(tb testing.TB, deployment string, args ...string) (string, error) {
	return k.try(tb, append([]string{"exec", "deployment/" + deployment, "--", "/probe"}, args...)...)
}

// probeArchive builds the probe's image.
func probeArchive(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	binary := filepath.Join(dir, "probe")
	build := exec.CommandContext(tb.Context(), "go", "build", "-trimpath", "-o", binary, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(tb, err, string(output))
	program, err := os.ReadFile(binary)
	require.NoError(tb, err)

	var files bytes.Buffer
	w := tar.NewWriter(&files)
	require.NoError(tb, w.WriteHeader(&tar.Header{Name: "probe", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg}))
	_, err = w.Write(program)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files.Bytes())), nil })
	require.NoError(tb, err)
	img, err := mutate.AppendLayers(empty.Image, layer)
	require.NoError(tb, err)
	file, err := img.ConfigFile()
	require.NoError(tb, err)
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{User: "65532:65532", Entrypoint: []string{"/probe"}}
	img, err = mutate.ConfigFile(img, file)
	require.NoError(tb, err)
	tag, err := name.NewTag("localhost/mlflow-platform/probe:e2e")
	require.NoError(tb, err)
	archive := filepath.Join(dir, "probe.tar")
	require.NoError(tb, tarball.WriteToFile(archive, tag, img))
	return archive
}

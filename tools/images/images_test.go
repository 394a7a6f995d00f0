package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// buildProgram builds the image of the pause program around a binary with this
// content and returns its archive.
func buildProgram(t *testing.T, content string) string {
	t.Helper()
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "pause"), []byte(content), 0o755))
	img, err := programImage(programs["pause"])
	require.NoError(t, err)
	img.name, img.ref = "pause", "localhost/mlflow-platform/pause:1.0.0"
	layers, err := img.layers(t.Context(), build{tmp: t.TempDir(), dirs: map[string]string{"pause": bin}, say: func(string) {}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, writeArchive(path, img, layers))
	return path
}

func TestSameInputGivesTheSameBytes(t *testing.T) {
	hash := func(path string) [32]byte {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return sha256.Sum256(text)
	}
	first := hash(buildProgram(t, "program"))
	time.Sleep(1100 * time.Millisecond) // a time stamp in seconds would differ
	assert.Equal(t, first, hash(buildProgram(t, "program")))
	assert.NotEqual(t, first, hash(buildProgram(t, "other")))
}

func TestArchiveOfAProgram(t *testing.T) {
	img, err := tarball.ImageFromPath(buildProgram(t, "program"), nil)
	require.NoError(t, err)
	config, err := img.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, "linux/"+runtime.GOARCH, config.OS+"/"+config.Architecture)
	assert.Equal(t, []string{"/pause"}, config.Config.Entrypoint)
	assert.Equal(t, "65535:65535", config.Config.User)
	layers, err := img.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 2)
	found := map[string]*tar.Header{}
	for _, layer := range layers {
		stream, err := layer.Uncompressed()
		require.NoError(t, err)
		for name, header := range headers(t, stream) {
			found[name] = header
		}
	}
	assert.EqualValues(t, 0o755, found["pause"].Mode)
	assert.EqualValues(t, 0o1777, found["tmp/"].Mode)
	assert.Contains(t, found, "etc/passwd")
	assert.NotZero(t, found["etc/ssl/certs/ca-certificates.crt"].Size)
}

func headers(t *testing.T, stream io.Reader) map[string]*tar.Header {
	t.Helper()
	found := map[string]*tar.Header{}
	reader := tar.NewReader(stream)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		found[header.Name] = header
	}
}

func TestOperatorIsWhereItLooksForItself(t *testing.T) {
	p := programs["cloudnative-pg"]
	assert.Equal(t, "operator/manager_"+runtime.GOARCH, p.path)
	assert.Contains(t, p.more, entry{path: "manager", link: p.path})
}

func TestTableOfImagesFitsThePins(t *testing.T) {
	root, err := toolchain.Root()
	require.NoError(t, err)
	refs, err := localRefs(root)
	require.NoError(t, err)
	assert.Len(t, Names(), len(refs))
	for _, name := range Names() {
		require.Contains(t, refs, name)
		assert.True(t, strings.HasPrefix(refs[name], localPrefix+name+":"), refs[name])
	}
	for _, name := range []string{"caddy", "cloudnative-pg", "coredns", "pause"} {
		version, err := toolchain.Version(name)
		require.NoError(t, err)
		assert.Equal(t, localPrefix+name+":"+version, refs[name])
	}
	minio, err := toolchain.Version("minio")
	require.NoError(t, err)
	assert.Equal(t, localPrefix+"minio:"+minio[:len("20260212")], refs["minio"])

	text, err := os.ReadFile(filepath.Join(root, "components", "images", "images.json"))
	require.NoError(t, err)
	var entries map[string]struct{ Upstream, Local string }
	require.NoError(t, json.Unmarshal(text, &entries))
	for _, name := range []string{"mlflow", "caddy", "cloudnative-pg", "postgresql"} {
		_, upstream, _ := strings.Cut(filepath.Base(entries[name].Upstream), ":")
		_, local, _ := strings.Cut(filepath.Base(entries[name].Local), ":")
		assert.True(t, strings.HasPrefix(strings.TrimPrefix(upstream, "v"), local), "%s: %s is not built from the version of %s", name, local, upstream)
	}
}

func TestRequirementsPinTheVersionOfTheTable(t *testing.T) {
	root, err := toolchain.Root()
	require.NoError(t, err)
	dir := filepath.Join(root, "images", "mlflow")
	lock, err := os.ReadFile(filepath.Join(dir, "requirements.txt"))
	require.NoError(t, err)
	ref, err := LocalRef("mlflow")
	require.NoError(t, err)
	_, version, _ := strings.Cut(filepath.Base(ref), ":")
	assert.Contains(t, string(lock), "\nmlflow=="+version+" \\\n    --hash=sha256:")
	in, err := os.ReadFile(filepath.Join(dir, "requirements.in"))
	require.NoError(t, err)
	assert.Contains(t, string(in), "\nmlflow=="+version+"\n")

	pins := regexp.MustCompile(`(?m)^([\w.-]+)==\S+( \\)?$`).FindAllStringSubmatch(string(lock), -1)
	require.NotEmpty(t, pins)
	var names []string
	for _, pin := range pins {
		names = append(names, pin[1])
		assert.NotEmpty(t, pin[2], "%s has no hash", pin[1])
	}
	assert.Subset(t, names, []string{"psycopg2-binary", "boto3", "azure-identity", "azure-storage-blob", "google-cloud-storage", "prometheus-flask-exporter", "flask-wtf"})
	for _, heavy := range []string{"scikit-learn", "scipy", "pyarrow", "matplotlib"} {
		assert.NotContains(t, names, heavy)
	}
	containerfile, err := os.ReadFile(filepath.Join(dir, "Containerfile"))
	require.NoError(t, err)
	assert.Contains(t, string(containerfile), "python:"+python+"-slim-"+suite)
}

func TestKeyChangesWithItsInputs(t *testing.T) {
	cache := t.TempDir()
	path := func(img image) string {
		path, err := archivePath(t.Context(), cache, img)
		require.NoError(t, err)
		return path
	}
	img, err := postgresqlImage("localhost/mlflow-platform/postgresql:17")
	require.NoError(t, err)
	img.name, img.ref = "postgresql", "localhost/mlflow-platform/postgresql:17"
	want := path(img)
	assert.Equal(t, want, path(img))
	assert.True(t, strings.HasPrefix(filepath.Base(want), "postgresql-17-"), want)
	for name, change := range map[string]func(*image){
		"name":   func(i *image) { i.ref += "x" },
		"config": func(i *image) { i.config.User = "1" },
		"tools":  func(i *image) { i.tools = []string{"caddy"} },
		"inputs": func(i *image) { i.inputs = func(w io.Writer) error { _, err := w.Write([]byte("x")); return err } },
	} {
		other := img
		change(&other)
		assert.NotEqual(t, want, path(other), name)
	}
	var with, without bytes.Buffer
	require.NoError(t, rootfs{packages: []string{"a", "b"}}.write(&with))
	require.NoError(t, rootfs{packages: []string{"a b"}}.write(&without))
	assert.NotEqual(t, with.String(), without.String())
}

func TestUnknownImage(t *testing.T) {
	_, err := Ensure(t.Context(), io.Discard, "nonsense")
	assert.ErrorContains(t, err, `unknown image "nonsense": it is one of coredns, pause`)
	_, err = postgresqlImage("localhost/postgresql:latest")
	assert.ErrorContains(t, err, "not a major version")
}

func TestInstalledImagesAreThoseThatNeedNoProgram(t *testing.T) {
	root, err := toolchain.Root()
	require.NoError(t, err)
	all, err := table(root)
	require.NoError(t, err)
	var installed []string
	for _, img := range all {
		if len(img.tools) == 0 {
			installed = append(installed, img.name)
		}
	}
	assert.ElementsMatch(t, installed, Installed)
}

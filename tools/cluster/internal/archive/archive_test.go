package archive

import (
	"archive/tar"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// write makes an archive of files, in pairs of name and text.
func write(t *testing.T, files ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.tar")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	w := tar.NewWriter(f)
	for i := 0; i < len(files); i += 2 {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(files[i+1])), Mode: 0o600}))
		_, err := w.Write([]byte(files[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return path
}

const docker = `[{"Config":"sha256:aa","RepoTags":["localhost/a:1","localhost/a:2"],"Layers":["l.tar"]}]`

func TestReadDockerArchive(t *testing.T) {
	images, err := Read(write(t, "l.tar", "layer", "manifest.json", docker))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"localhost/a:1": "sha256:aa", "localhost/a:2": "sha256:aa"}, images)
}

func TestReadOCILayout(t *testing.T) {
	images, err := Read(write(t, "oci-layout", "{}", "index.json", `{"manifests":[
		{"digest":"sha256:bb","annotations":{"org.opencontainers.image.ref.name":"1","io.containerd.image.name":"localhost/b:1"}},
		{"digest":"sha256:cc","annotations":{"org.opencontainers.image.ref.name":"localhost/c:1"}},
		{"digest":"sha256:dd"}]}`))
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"localhost/b:1": "sha256:bb", "localhost/c:1": "sha256:cc"}, images)
}

func TestReadReportsWhatIsWrong(t *testing.T) {
	compressed := filepath.Join(t.TempDir(), "a.tar.gz")
	require.NoError(t, os.WriteFile(compressed, []byte("\x1f\x8b\x08 something compressed that is no tar header"), 0o600))
	for path, message := range map[string]string{
		write(t, "other", "text"):                     "neither manifest.json nor index.json",
		write(t, "manifest.json", `[{"Config":"x"}]`): "no image in it has a name",
		write(t, "manifest.json", `{`):                "unexpected end",
		compressed:                                    "not compressed",
		filepath.Join(t.TempDir(), "absent"):          "no such file",
	} {
		_, err := Read(path)
		assert.ErrorContains(t, err, message)
	}
}

package images

import (
	"archive/tar"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeRootfs writes a tar file as mmdebstrap does, with time stamps of now.
func writeRootfs(t *testing.T, entries ...tar.Header) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootfs.tar")
	file, err := os.Create(path)
	require.NoError(t, err)
	out := tar.NewWriter(file)
	for _, header := range entries {
		header.ModTime, header.Uname = time.Now(), "somebody"
		require.NoError(t, out.WriteHeader(&header))
	}
	require.NoError(t, out.Close())
	require.NoError(t, file.Close())
	return path
}

func entries() []tar.Header {
	return []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "./tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeReg, Name: "./tmp/x", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "./etc/machine-id", Mode: 0o444},
		{Typeflag: tar.TypeReg, Name: "./usr/bin/perl", Mode: 0o755, Uid: 7},
		{Typeflag: tar.TypeLink, Name: "./usr/bin/perl5", Linkname: "./usr/bin/perl"},
		{Typeflag: tar.TypeDir, Name: "./opt/mlflow/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "./opt/mlflow/bin/python", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "./usr/share/doc/libc6/copyright", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "./usr/share/doc/libc6/changelog.gz", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "./usr/share/doc/libc6/NEWS.gz", Mode: 0o644},
		{Typeflag: tar.TypeReg, Name: "./usr/share/man/man1/ls.1", Mode: 0o644},
	}
}

func split(t *testing.T, s splitter) ([]v1.Layer, error) {
	t.Helper()
	return s.split(writeRootfs(t, entries()...), t.TempDir())
}

func TestSplit(t *testing.T) {
	stamp := time.Unix(1_700_000_000, 0).UTC()
	layers, err := split(t, splitter{stamp: stamp, upper: "opt/mlflow"})
	require.NoError(t, err)
	require.Len(t, layers, 2)
	var names [2][]string
	for i, layer := range layers {
		stream, err := layer.Uncompressed()
		require.NoError(t, err)
		for name, header := range headers(t, stream) {
			names[i] = append(names[i], name)
			assert.True(t, stamp.Equal(header.ModTime), name)
			assert.Empty(t, header.Uname)
			if name == "./usr/bin/perl" {
				assert.Equal(t, 7, header.Uid)
			}
		}
	}
	assert.ElementsMatch(t, []string{"./tmp/", "./usr/bin/perl", "./usr/bin/perl5", "./opt/mlflow/", "./usr/share/doc/libc6/copyright"}, names[0])
	assert.ElementsMatch(t, []string{"./opt/mlflow/bin/python"}, names[1])

	time.Sleep(1100 * time.Millisecond)
	again, err := split(t, splitter{stamp: stamp, upper: "opt/mlflow"})
	require.NoError(t, err)
	for i := range layers {
		want, err := layers[i].Digest()
		require.NoError(t, err)
		got, err := again[i].Digest()
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestSplitRefusesToBreakAHardLink(t *testing.T) {
	_, err := split(t, splitter{drop: []string{"usr/bin/perl"}})
	assert.ErrorContains(t, err, "dropped but has a second name /usr/bin/perl5")
	_, err = split(t, splitter{drop: []string{"usr/bin/perl*"}})
	assert.NoError(t, err)
}

func TestDropped(t *testing.T) {
	for name, want := range map[string]bool{
		"usr/lib/x86_64-linux-gnu/libLLVM.so.19.1": true, "usr/lib/x86_64-linux-gnu/libc.so.6": false,
		"var/log": false, "var/log/dpkg.log": true, "var/log/apt/term.log": true,
	} {
		got, err := dropped(name, []string{"usr/lib/*/libLLVM*", "var/log/*"})
		require.NoError(t, err)
		assert.Equal(t, want, got, name)
	}
	_, err := dropped("a", []string{"["})
	assert.Error(t, err)
}

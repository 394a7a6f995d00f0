package images_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/components/images"
)

var names = []string{images.MLflow, images.PostgreSQL, images.CloudNativePG, images.Caddy, images.MinIO}

// reference is registry/path:tag with a tag that names one version.
var reference = regexp.MustCompile(`^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+:[A-Za-z0-9][A-Za-z0-9._-]*$`)

func TestTable(t *testing.T) {
	table, err := images.Table()
	require.NoError(t, err)
	assert.Len(t, table, len(names), "every image has a constant, every constant an image")
	for _, name := range names {
		row, ok := table[name]
		require.True(t, ok, name)
		assert.Regexp(t, reference, row.Upstream)
		assert.Regexp(t, reference, row.Local)
		host, _, _ := strings.Cut(row.Upstream, "/")
		assert.Contains(t, host, ".", "%s: the upstream reference names its registry", name)
		assert.True(t, strings.HasPrefix(row.Local, "localhost/mlflow-platform/"), "%s: a local build does not claim an upstream name", name)
		for _, ref := range []string{row.Upstream, row.Local} {
			tag := ref[strings.LastIndex(ref, ":")+1:]
			assert.Regexp(t, `[0-9]`, tag, "%s: the tag is a version", ref)
			assert.NotContains(t, tag, "latest", ref)
		}
		assert.NotEmpty(t, images.Version(name))
	}
}

// TestLocalIsTheUpstreamVersion keeps the two columns at the same release.
func TestLocalIsTheUpstreamVersion(t *testing.T) {
	table, err := images.Table()
	require.NoError(t, err)
	for _, name := range []string{images.MLflow, images.PostgreSQL, images.CloudNativePG, images.Caddy} {
		tag := table[name].Upstream[strings.LastIndex(table[name].Upstream, ":")+1:]
		assert.Contains(t, tag, images.Version(name), name)
	}
}

func TestRef(t *testing.T) {
	ref := func(s images.Set, name string) string {
		t.Helper()
		r, err := s.Ref(name)
		require.NoError(t, err)
		return r
	}
	table, err := images.Table()
	require.NoError(t, err)
	for _, name := range names {
		assert.Equal(t, table[name].Upstream, ref(images.Set{}, name))
		assert.Equal(t, table[name].Local, ref(images.Set{Local: true}, name))
		_, path, _ := strings.Cut(table[name].Upstream, "/")
		for _, registry := range []string{"registry.example.com/mirror", "registry.example.com/mirror/"} {
			assert.Equal(t, "registry.example.com/mirror/"+path, ref(images.Set{Registry: registry}, name))
		}
	}
	assert.Equal(t, "ghcr.io/mlflow/mlflow:v3.12.0-full", ref(images.Set{MLflowVersion: "3.12.0"}, images.MLflow))
	assert.Equal(t, "localhost/mlflow-platform/mlflow:3.12.0", ref(images.Set{Local: true, MLflowVersion: "3.12.0"}, images.MLflow))
	assert.Equal(t, table[images.Caddy].Upstream, ref(images.Set{MLflowVersion: "3.12.0"}, images.Caddy), "other images keep their version")
	override := map[string]string{images.MLflow: "registry.example.com/our-mlflow:1", images.Caddy: ""}
	assert.Equal(t, "registry.example.com/our-mlflow:1", ref(images.Set{Override: override, Registry: "x", MLflowVersion: "3.12.0"}, images.MLflow))
	assert.Equal(t, table[images.Caddy].Upstream, ref(images.Set{Override: override}, images.Caddy), "an empty override is none")
}

func TestUnknownImage(t *testing.T) {
	_, err := images.Set{}.Ref("redis")
	assert.EqualError(t, err, `image "redis" is not in the image table`)
	assert.Empty(t, images.Version("redis"))
}

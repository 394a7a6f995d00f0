package images

import (
	"archive/zip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSourcesComeFromTheHostsApt(t *testing.T) {
	archive, security := debianArchive(`Debian|Debian|main|https://mirror.example/debian/
Debian|Debian|main|https://second.example/debian/
Debian|Debian-Security|main|https://mirror.example/security/
Node Source||main|https://node.example/
Debian|Debian Backports|main|https://backports.example/debian/
`)
	assert.Equal(t, []string{
		"deb https://mirror.example/debian/ trixie main",
		"deb https://mirror.example/debian/ trixie-updates main",
		"deb https://mirror.example/security/ trixie-security main",
	}, sourceLines(archive, security))

	archive, _ = debianArchive("Ubuntu|Ubuntu|main|https://mirror.example/ubuntu/\n")
	assert.Empty(t, archive)

	t.Setenv(MirrorEnv, "https://own.example/debian")
	lines, err := aptSources(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "deb https://own.example/debian trixie main", lines[0])
	assert.Len(t, lines, 2)
}

func TestPreflightNamesAllPackagesAtOnce(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	mlflow := image{name: "mlflow", needs: append(debianNeeds(), need{what: "pip", pkg: "python3-pip", met: hasPip})}
	err := preflight(t.Context(), []image{{name: "postgresql", needs: debianNeeds()}, mlflow})
	assert.ErrorContains(t, err, "the image postgresql needs the program mmdebstrap")
	assert.ErrorContains(t, err, "the image mlflow needs pip")
	assert.ErrorContains(t, err, "run: apt-get install --no-install-recommends apt ")
	assert.ErrorContains(t, err, "gpgv mmdebstrap python3-pip")
	assert.NoError(t, preflight(t.Context(), nil))
}

func TestFailureQuotesWhatTheProgramSaid(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	err := runLogged(t.Context(), log, "sh", "-c", "echo the cause; echo E: setup failed: the whole script; exit 3")
	assert.ErrorContains(t, err, "sh: exit status 3")
	assert.ErrorContains(t, err, "\n    the cause\nlog: "+log+"\nnext: ")
	assert.NoError(t, runLogged(t.Context(), log, "sh", "-c", "exit 0"))
}

func TestNewestFile(t *testing.T) {
	dir := t.TempDir()
	newest := time.Date(2026, 10, 21, 2, 4, 30, 0, time.UTC)
	file, err := os.Create(filepath.Join(dir, "mlflow-3.17.2-py3-none-any.whl"))
	require.NoError(t, err)
	archive := zip.NewWriter(file)
	for _, stamp := range []time.Time{newest.Add(-time.Hour), newest, newest.Add(-time.Minute)} {
		_, err := archive.CreateHeader(&zip.FileHeader{Name: stamp.String(), Modified: stamp})
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, file.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mlflow_skinny-3.17.2-py3-none-any.whl"), nil, 0o644))
	stamp, err := newestFile(dir, "mlflow-[0-9]*.whl")
	require.NoError(t, err)
	assert.True(t, newest.Equal(stamp), stamp)
	_, err = newestFile(dir, "numpy-*.whl")
	assert.ErrorContains(t, err, "found 0 files")
}

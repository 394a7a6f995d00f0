package toolchain

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCompatible(t *testing.T) {
	for version, want := range map[string]bool{
		"v3.219.9": false, "v3.220.0": true, "v3.255.0": true, "v3.274.1": true,
		"v3.220.0-alpha.1": false, "v3.256.0-dev": true, "v2.99.0": false, "v4.0.0": false, "": false, "3.255.0": false,
	} {
		assert.Equal(t, want, compatible(version), version)
	}
}

// fakePulumi puts a CLI of this version on PATH, whose plugin installation ends
// with the exit code, and gives the user an empty PULUMI_HOME.
func fakePulumi(t *testing.T, version string, exit int) (bin, home string) {
	t.Helper()
	bin, home = t.TempDir(), t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\ncase $1 in version) echo %s;; plugin) echo \"$@\" >> %s/calls; echo no network; exit %d;; esac\n", version, home, exit)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "pulumi"), []byte(script), 0o755))
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("PULUMI_HOME", home)
	t.Setenv(OfflineEnv, "")
	return bin, home
}

func TestPulumiUsesTheCLIOnPath(t *testing.T) {
	bin, home := fakePulumi(t, "v3.230.0", 0)
	command, err := Pulumi(t.Context(), &buffer{})
	require.NoError(t, err)
	assert.Equal(t, PulumiCommand{Bin: bin, Version: "3.230.0"}, command)
	calls, err := os.ReadFile(filepath.Join(home, "calls"))
	require.NoError(t, err)
	for _, name := range plugins {
		version, err := Version("pulumi-resource-" + name)
		require.NoError(t, err)
		assert.Contains(t, string(calls), "plugin install resource "+name+" v"+version+"\n")
	}
}

func TestOfficialPluginsAreNotInstalledTwiceNorOffline(t *testing.T) {
	_, home := fakePulumi(t, "v3.230.0", 1)
	out := &buffer{}
	b, err := newBuilder(out)
	require.NoError(t, err)
	ready, err := b.officialPlugins(t.Context())
	require.NoError(t, err)
	assert.False(t, ready)
	assert.Contains(t, out.String(), "no network")

	t.Setenv(OfflineEnv, "true")
	require.NoError(t, os.Remove(filepath.Join(home, "calls")))
	ready, err = b.officialPlugins(t.Context())
	require.NoError(t, err)
	assert.False(t, ready)
	for _, name := range plugins {
		version, err := Version("pulumi-resource-" + name)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(home, "plugins", "resource-"+name+"-v"+version), 0o755))
	}
	ready, err = b.officialPlugins(t.Context())
	require.NoError(t, err)
	assert.True(t, ready)
	assert.NoFileExists(t, filepath.Join(home, "calls"))
}

func TestIncompatibleCLIIsNotUsed(t *testing.T) {
	fakePulumi(t, "v3.100.0", 0)
	out := &buffer{}
	_, found := pulumiOnPath(t.Context(), out)
	assert.False(t, found)
	assert.Contains(t, out.String(), "pulumi on PATH is v3.100.0, v3.220.0 or newer within v3 is needed")
}

// fakeBuild is a finished build of one binary.
func fakeBuild(t *testing.T, dir, name, version, key string) Build {
	t.Helper()
	build := Build{Name: name, Version: version, Key: key, Dir: filepath.Join(dir, "tools", name+"-"+version+"-"+key)}
	write(t, build.Dir, map[string]string{name: key})
	return build
}

func TestLayOut(t *testing.T) {
	cache := t.TempDir()
	for _, key := range []string{"old", "new", "new"} {
		builds := []Build{
			fakeBuild(t, cache, "pulumi-resource-random", "4.21.1", key),
			fakeBuild(t, cache, "pulumi", "3.255.0", key),
			fakeBuild(t, cache, "pulumi-language-go", "3.200.0", key),
		}
		home, err := layOutHome(cache, builds)
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(cache, "pulumi-home"), home)
		dir := filepath.Join(home, "plugins", "resource-random-v4.21.1")
		info, err := os.Lstat(dir)
		require.NoError(t, err)
		assert.True(t, info.IsDir(), "the CLI does not see a link to a directory")
		assertContent(t, filepath.Join(dir, "pulumi-resource-random"), key)

		cli, err := layOutCLI(home, builds)
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(cli.Root, "bin"), cli.Bin)
		for _, name := range []string{"pulumi", "pulumi-language-go"} {
			info, err := os.Lstat(filepath.Join(cli.Bin, name))
			require.NoError(t, err)
			assert.True(t, info.Mode().IsRegular(), "the CLI looks for the host beside its real file")
			assertContent(t, filepath.Join(cli.Bin, name), key)
		}
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, left, 1)
	}
}

func assertContent(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(text))
}

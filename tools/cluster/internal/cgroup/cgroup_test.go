//go:build linux

package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const hybrid = `24 1 0:22 / /sys/fs/cgroup rw shared:5 - tmpfs tmpfs rw,mode=755
30 24 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
31 24 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd
32 24 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
33 24 0:30 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct
`

func TestHierarchies(t *testing.T) {
	found, err := Hierarchies(strings.NewReader(hybrid))
	require.NoError(t, err)
	assert.Equal(t, []Hierarchy{
		{Mount: "/sys/fs/cgroup/cpu,cpuacct", Options: []string{"cpu", "cpuacct"}},
		{Mount: "/sys/fs/cgroup/systemd", Options: []string{"name=systemd"}},
		{Mount: "/sys/fs/cgroup/unified", V2: true},
	}, found)
	assert.False(t, Unified(found), "version 1 manages cpu")
	assert.True(t, Unified(found[1:]), "a named hierarchy manages nothing")
}

func TestJoinWritesOnlyToItsOwnGroup(t *testing.T) {
	v1, v2 := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(v1, "cpuset.cpus"), []byte("0-1\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(v1, "cpuset.mems"), []byte("0\n"), 0o600))
	hierarchies := []Hierarchy{{Mount: v1, Options: []string{"cpuset"}}, {Mount: v2, V2: true}}
	for range 2 { // the group may be there already
		require.NoError(t, Join(hierarchies, "a"))
	}
	for file, text := range map[string]string{
		v1 + "/a/cpuset.cpus": "0-1\n", v1 + "/a/cpuset.mems": "0\n", v1 + "/a/cgroup.procs": "0", v2 + "/a/cgroup.procs": "0",
	} {
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, text, string(got), file)
	}
	assert.NoFileExists(t, filepath.Join(v2, "cgroup.procs"))
}

func TestDelegateLeavesTheRootAndEnablesEveryController(t *testing.T) {
	mount := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(mount, "cgroup.controllers"), []byte("cpu memory\n"), 0o600))
	require.NoError(t, Delegate(mount))
	moved, err := os.ReadFile(filepath.Join(mount, "init", "cgroup.procs"))
	require.NoError(t, err)
	assert.Equal(t, "0", string(moved))
	enabled, err := os.ReadFile(filepath.Join(mount, "cgroup.subtree_control"))
	require.NoError(t, err)
	assert.Equal(t, "+memory", string(enabled), "the last one written")
}

func TestRemove(t *testing.T) {
	mount := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(mount, "a", "b", "c"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(mount, "other"), 0o700))
	hierarchies := []Hierarchy{{Mount: mount}}
	require.NoError(t, Remove(hierarchies, "a", time.Second))
	assert.NoDirExists(t, filepath.Join(mount, "a"))
	assert.DirExists(t, filepath.Join(mount, "other"))
	require.NoError(t, Remove(hierarchies, "a", time.Second), "it is gone already")
}

func TestRemoveGivesUp(t *testing.T) {
	mount := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(mount, "a"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(mount, "a", "busy"), nil, 0o600))
	assert.ErrorContains(t, Remove([]Hierarchy{{Mount: mount}}, "a", 50*time.Millisecond), "removing control group")
}

func TestProcesses(t *testing.T) {
	mount := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(mount, "a", "b"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(mount, "a", "cgroup.procs"), []byte("10\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(mount, "a", "b", "cgroup.procs"), []byte("11\n0\n10\n"), 0o600))
	assert.ElementsMatch(t, []int{10, 11}, Processes([]Hierarchy{{Mount: mount}}, "a"))
}

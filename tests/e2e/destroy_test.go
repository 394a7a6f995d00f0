//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// protection turns the guard on: a destroy is refused before anything is
// deleted, and the data answers as before.
func protection(t *testing.T, p *platform) {
	c := p.client(t)
	r := c.run(t, c.experiment(t, "protected-"+sinceEpoch()), "protected")
	file := p.configWith(t, "protect", "true")
	p.must(t, p.pulumi(t, "up", "--stack", "local", "--config-file", file, "--yes", "--skip-preview"))
	before := p.generations(t)
	// Without its preview a destroy would delete everything that is not
	// protected before it fails.
	refused := p.run(t, p.pulumi(t, "destroy", "--stack", "local", "--config-file", file, "--yes"))
	require.Error(t, refused.err)
	assert.Contains(t, refused.all(), "cannot be deleted")
	assert.Contains(t, refused.all(), "because it is protected")
	require.Equal(t, before, p.generations(t), "a refused destroy deletes nothing")
	assert.True(t, c.readable(t, r))
	assert.Equal(t, "active", c.stage(t, r))
}

// destroy turns the guard off and removes the stack, and nothing else.
func destroy(t *testing.T, p *platform) {
	file := p.configWith(t, "protect", "false")
	p.must(t, p.pulumi(t, "up", "--stack", "local", "--config-file", file, "--yes", "--skip-preview"))
	p.must(t, p.pulumi(t, "destroy", "--stack", "local", "--config-file", file, "--yes", "--skip-preview"))
	namespaces := strings.Fields(p.kube(t, "get", "namespaces", "--output", "jsonpath={.items[*].metadata.name}"))
	assert.ElementsMatch(t, []string{"default", "kube-node-lease", "kube-public", "kube-system"}, namespaces)
	// Definitions stay: deleting one deletes every database in the cluster.
	for _, crd := range strings.Fields(p.kube(t, "get", "crds", "--output", "name")) {
		assert.Contains(t, crd, ".postgresql.cnpg.io")
	}
	assert.Empty(t, p.kube(t, "get", "clusters.postgresql.cnpg.io", "--all-namespaces", "--output", "name"))
	p.eventually(t, time.Minute, "the volumes are gone", func() error {
		if left := p.kube(t, "get", "persistentvolumes", "--output", "name"); left != "" {
			return fmt.Errorf("still there: %s", left)
		}
		return nil
	})
	for _, kind := range []string{"clusterroles", "clusterrolebindings", "validatingwebhookconfigurations", "mutatingwebhookconfigurations"} {
		assert.NotContains(t, p.kube(t, "get", kind, "--output", "name"), "cnpg")
	}
}

// down leaves nothing of the cluster and of the stack.
func down(t *testing.T, p *platform) {
	cluster, stack := filepath.Join(p.cache(t), "cluster", clusterName), filepath.Dir(p.state(t))
	require.DirExists(t, cluster)
	require.DirExists(t, stack)
	require.NotEmpty(t, traces(t, cluster), "the search finds the running cluster")
	r := p.platform(t, "down")
	require.NoError(t, r.err, r.all())
	assert.NoDirExists(t, cluster)
	assert.NoDirExists(t, stack)
	assert.Empty(t, traces(t, cluster))
	again := p.platform(t, "down")
	assert.NoError(t, again.err, again.all())
}

// traces are the mounts below the cluster's directory, the control groups with
// its name, and the processes that run from its directory.
func traces(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	// One hierarchy in version 2, one for each controller in version 1.
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		groups, err := filepath.Glob(pattern + "localcluster-" + clusterName + "-*")
		require.NoError(t, err)
		found = append(found, groups...)
	}
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range commands {
		// A process may end while this reads.
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), dir) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

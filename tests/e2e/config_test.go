//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// invalidConfiguration gives the real CLI settings that cannot be: it names the
// key and the remedy, and touches nothing.
func invalidConfiguration(t *testing.T, p *platform) {
	before, workload := p.resources(t), p.generations(t)
	for _, c := range []struct{ name, key, value, message string }{
		{"too many connections", "mlflow.workers", "16", "database.maxConnections"},
		{"misspelled key", "mlflow.replicsa", "3", "replicsa"},
		{"impossible value", "database.instances", "2", "want 1, or 3 for a primary and two replicas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := p.configWith(t, c.key, c.value)
			r := p.run(t, p.pulumi(t, "up", "--stack", "local", "--config-file", file, "--yes", "--skip-preview"))
			require.Error(t, r.err, tail(r.all()))
			assert.Contains(t, r.all(), c.message)
			assert.Contains(t, r.all(), "nothing was changed")
			assert.NotContains(t, r.all(), "goroutine", "an error, not a crash")
			assert.Equal(t, before, p.resources(t), "the state is as it was")
			assert.Equal(t, workload, p.generations(t), "the cluster is as it was")
		})
	}
	// The twin: the same way of changing a key, with a value that can be.
	file := p.configWith(t, "mlflow.retention.days", "200")
	r := p.run(t, p.pulumi(t, "preview", "--stack", "local", "--config-file", file, "--diff"))
	require.NoError(t, r.err, tail(r.all()))
	assert.Regexp(t, `"180" => "200"`, r.stdout)
}

// configWith is a copy of the stack's configuration with a key changed.
func (p *platform) configWith(t *testing.T, key, value string) string {
	t.Helper()
	text, err := os.ReadFile(p.config(t))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "Pulumi.local.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	p.must(t, p.pulumi(t, "config", "set", "--stack", "local", "--config-file", file, "--path", "mlflow-platform:"+key, value))
	return file
}

// resources are what the state says exists: name, id, and when it was made and
// changed. The inputs are no use: secrets are encrypted anew each time.
func (p *platform) resources(t *testing.T) string {
	t.Helper()
	var export object
	require.NoError(t, json.Unmarshal([]byte(p.must(t, p.pulumi(t, "stack", "export", "--stack", "local"))), &export))
	var lines []string
	for _, item := range path(export, "deployment", "resources").([]any) {
		r := item.(object)
		// The stack itself is written by every update, also by one that fails.
		if r["type"] != "pulumi:pulumi:Stack" {
			lines = append(lines, fmt.Sprint(r["urn"], r["id"], r["created"], r["modified"]))
		}
	}
	require.Greater(t, len(lines), 50)
	return strings.Join(lines, "\n")
}

// generations changes with every change of a specification.
func (p *platform) generations(t *testing.T) string {
	t.Helper()
	return p.kube(t, "get", "deployments,statefulsets,cronjobs,jobs,services,configmaps,secrets,clusters.postgresql.cnpg.io",
		"--output", "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{\"\\n\"}{end}")
}

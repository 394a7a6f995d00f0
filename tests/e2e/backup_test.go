//go:build e2e

package e2e

import (
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var uploaded = regexp.MustCompile(`uploaded (mlflow-\d{8}T\d{6}Z\.dump): (\d+) bytes`)

// backupAndRestore damages the database after a backup and follows
// docs/operations/restore.md.
func backupAndRestore(t *testing.T, p *platform) {
	c := p.client(t)
	name := "backed-up-" + sinceEpoch()
	experiment := c.experiment(t, name)
	r := c.run(t, experiment, "backed up")

	match := uploaded.FindStringSubmatch(p.completed(t, p.jobFrom(t, "database-backup", "backup-now", nil), timeoutRecovery))
	require.NotNil(t, match, "the job says what it stored")
	listed := p.completed(t, p.jobFrom(t, "database-dumps", "list-dumps", nil), timeoutRecovery)
	assert.Contains(t, listed, match[1])
	size, err := strconv.ParseInt(match[2], 10, 64)
	require.NoError(t, err)
	found := p.objects(t, "backups/"+match[1])
	require.Len(t, found, 1)
	assert.Equal(t, size, found[0].Size)
	assert.Equal(t, "PGDMP", found[0].Head[:5])

	// The damage: every experiment is gone with all its runs, another one is
	// there, and so is a table that the backup does not know, as after an upgrade.
	p.sql(t, "mlflow", "TRUNCATE experiments CASCADE")
	later := "after-the-backup-" + sinceEpoch()
	c.experiment(t, later)
	p.sql(t, "mlflow", "CREATE TABLE newer (id integer REFERENCES experiments); ALTER TABLE newer OWNER TO mlflow")
	require.Equal(t, http.StatusNotFound, c.named(t, name).status)

	p.kube(t, "scale", "deployment/mlflow", "--replicas=0")
	p.kube(t, "wait", "--for=delete", "pod", "--selector", mlflowPods, "--timeout=180s")
	p.completed(t, p.jobFrom(t, "database-restore", "restore-now", nil), timeoutRecovery)
	p.kube(t, "scale", "deployment/mlflow", "--replicas=2")
	p.rolledOut(t, "mlflow")

	a := c.named(t, name)
	assert.Equal(t, http.StatusOK, a.status, string(a.body))
	assert.Equal(t, "active", c.stage(t, r))
	assert.True(t, c.readable(t, r))
	assert.Equal(t, http.StatusNotFound, c.named(t, later).status, "a restore is the state of the backup, not a mixture")
	assert.Equal(t, "0", p.sql(t, "mlflow", "SELECT count(*) FROM pg_tables WHERE tablename = 'newer'"))
	assert.Equal(t, "active", c.stage(t, c.run(t, experiment, "after the restore")), "sequences and rights came back as well")
}

// named looks an experiment up.
func (c *client) named(t *testing.T, name string) answer {
	t.Helper()
	return c.send(t, http.MethodGet, api+"/experiments/get-by-name?experiment_name="+name, nil)
}

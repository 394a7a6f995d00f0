//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scratch is a database beside the real one, on the same server.
const scratch = "scratch"

// older brings the scratch database to the schema before the newest, with
// MLflow's own migrations, and prints the head revision.
const older = `
import os, sys
import mlflow, mlflow.store.db.utils, sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy.pool import StaticPool
uri = os.environ["MLFLOW_BACKEND_STORE_URI"].replace("/mlflow?", "/%s?" % sys.argv[1])
config = Config()
config.set_main_option("script_location", os.path.join(os.path.dirname(mlflow.__file__), "store", "db_migrations"))
script = ScriptDirectory.from_config(config)
# Alembic opens a connection of its own, which has to be this one.
with sqlalchemy.create_engine(uri, poolclass=StaticPool).connect() as connection:
    Base.metadata.create_all(connection)
    config.attributes["connection"] = connection
    command.upgrade(config, script.get_revision("head").down_revision)
    connection.commit()
print(script.get_current_head())
`

// migration runs the shipped Job against a scratch database: killed in the
// middle, run again, and against a schema newer than the image.
func migration(t *testing.T, p *platform) {
	p.sql(t, "postgres", "CREATE DATABASE "+scratch+" OWNER mlflow")
	t.Cleanup(func() { p.sql(t, "postgres", "DROP DATABASE IF EXISTS "+scratch+" WITH (FORCE)") })
	lines := strings.Fields(p.python3(t, namespace, p.serverPod(t), older, scratch))
	head := lines[len(lines)-1]
	p.sql(t, scratch, "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'kept', 'active')")
	before := p.schema(t)
	require.NotContains(t, before, head)

	p.killedMigration(t)
	require.Equal(t, before, p.schema(t), "a killed migration leaves nothing behind")
	logs := p.completed(t, p.migrationJob(t, "migration-again"), timeoutRecovery)
	assert.Contains(t, logs, "schema is at revision "+head)
	assert.Contains(t, p.schema(t), head)
	assert.Equal(t, "kept", p.sql(t, scratch, "SELECT name FROM experiments WHERE experiment_id = 7"))

	const unknown = "ffffffffffff"
	p.sql(t, scratch, "UPDATE alembic_version SET version_num = '"+unknown+"'")
	refused := p.migrationJob(t, "migration-downgrade")
	refused["spec"].(object)["backoffLimit"] = 0
	p.apply(t, refused)
	ok, logs := p.finished(t, "migration-downgrade", timeoutRecovery)
	assert.False(t, ok)
	assert.Contains(t, logs, "downgrade refused: the schema is at revision "+unknown)
	assert.Contains(t, p.schema(t), unknown, "a refused migration changes nothing")
	p.sql(t, scratch, "UPDATE alembic_version SET version_num = '"+head+"'")
	assert.Contains(t, p.completed(t, p.migrationJob(t, "migration-nothing"), timeoutRecovery), "nothing to do")
}

// killedMigration holds the row that a migration writes last, waits until the
// migration wants it, and kills its pod.
func (p *platform) killedMigration(t *testing.T) {
	t.Helper()
	holder := p.kubectl(t, "exec", "postgresql-1", "--container", "postgres", "--", "psql", "--dbname", scratch, "--command",
		"SET application_name = 'holder'; BEGIN; LOCK TABLE alembic_version IN EXCLUSIVE MODE; SELECT pg_sleep(600); COMMIT")
	require.NoError(t, holder.Start())
	job := p.migrationJob(t, "migration-killed")
	job["spec"].(object)["backoffLimit"] = 0
	p.apply(t, job)
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mlflow-migrate' AND wait_event_type = 'Lock'"
	p.eventually(t, timeoutRecovery, "the migration is in its middle", func() error {
		if n := p.sql(t, scratch, waiting); n != "1" {
			return fmt.Errorf("%s migrations wait", n)
		}
		return nil
	})
	pods := p.pods(t, "job-name=migration-killed")
	require.Len(t, pods, 1)
	require.Contains(t, p.processes(t), "migrate.py")
	p.kube(t, "delete", "pod", pods[0], "--grace-period=0", "--force")
	p.kube(t, "delete", "job", "migration-killed", "--wait=true")
	// The pod's object is gone before its process is.
	p.eventually(t, time.Minute, "the migration's process is killed", func() error {
		if strings.Contains(p.processes(t), "migrate.py") {
			return errors.New("it still runs")
		}
		return nil
	})
	p.sql(t, scratch, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'")
	_ = holder.Wait() // its session was ended
	p.eventually(t, time.Minute, "the killed migration's session ends", func() error {
		if n := p.sql(t, scratch, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mlflow-migrate'"); n != "0" {
			return fmt.Errorf("%s sessions", n)
		}
		return nil
	})
}

// migrationJob is the stack's Job, on the scratch database.
func (p *platform) migrationJob(t *testing.T, name string) object {
	t.Helper()
	items := p.get(t, "jobs", "--selector", "app.kubernetes.io/name=mlflow-migration")["items"].([]any)
	var shipped object
	for _, item := range items {
		if job := item.(object); path(job, "metadata", "labels", "app.kubernetes.io/version") != nil {
			shipped = job
		}
	}
	require.NotNil(t, shipped)
	text, err := json.Marshal(shipped["spec"])
	require.NoError(t, err)
	var spec object
	require.NoError(t, json.Unmarshal(text, &spec))
	// The API server fills these in again for the new name.
	delete(spec, "selector")
	template := path(spec, "template", "metadata").(object)
	template["labels"] = object{"app.kubernetes.io/name": "mlflow-migration"}
	job := object{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": object{"name": name, "labels": object{"app.kubernetes.io/name": "mlflow-migration"}},
		"spec":     spec,
	}
	uri := p.kube(t, "get", "secret", "mlflow-database", "--output", "go-template={{.data.uri | base64decode}}")
	setEnv(t, job, map[string]string{"MLFLOW_BACKEND_STORE_URI": strings.Replace(uri, "/mlflow?", "/"+scratch+"?", 1)})
	return job
}

// schema is the scratch database's whole schema with its revision.
func (p *platform) schema(t *testing.T) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(p.kube(t, "exec", "postgresql-1", "--container", "postgres", "--", "pg_dump", "--schema-only", scratch)) {
		// pg_dump marks every dump with a random key.
		if !strings.HasPrefix(line, "\\restrict") && !strings.HasPrefix(line, "\\unrestrict") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "") + p.sql(t, scratch, "SELECT version_num FROM alembic_version")
}

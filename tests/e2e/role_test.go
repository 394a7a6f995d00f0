//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// managedRole makes the role of a cloud's database on this PostgreSQL, whose
// version is the clouds': as an administrator without superuser rights, whose
// membership in the roles it makes changed in version 16.
func managedRole(t *testing.T, p *platform) {
	p.sql(t, "postgres", "CREATE ROLE cloud_admin LOGIN CREATEROLE CREATEDB PASSWORD 'admin'")
	p.sql(t, "postgres", "CREATE DATABASE managed OWNER cloud_admin")
	script, err := os.ReadFile(filepath.Join(p.root, "components", "postgres", "role.sh"))
	require.NoError(t, err)
	const password = "pw-of-the-test"
	inPod := func(script string, env ...string) *exec.Cmd {
		cmd := p.kubectl(t, append([]string{"exec", "-i", "postgresql-1", "--container", "postgres", "--", "env", "PGHOST=127.0.0.1", "PGSSLMODE=require", "PGDATABASE=managed"}, append(env, "sh", "-c", script)...)...)
		return cmd
	}
	admin := []string{"PGUSER=cloud_admin", "PGPASSWORD=admin", "OWNER_NAME=served", "OWNER_VERIFIER=" + password}
	for range 2 {
		p.must(t, inPod(string(script), admin...))
	}
	served := []string{"PGUSER=served", "PGPASSWORD=" + password}
	out := p.must(t, inPod("psql --no-psqlrc -tAc 'CREATE TABLE IF NOT EXISTS t (id integer); SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user'", served...))
	assert.Equal(t, "f", strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(out), "CREATE TABLE")))
	var refused bytes.Buffer
	cmd := inPod("psql --no-psqlrc -tAc 'CREATE DATABASE other'", served...)
	cmd.Stderr = &refused
	require.Error(t, cmd.Run())
	assert.Contains(t, refused.String(), "permission denied")

	// The twin: without the options the administrator cannot hand the database over.
	p.sql(t, "postgres", "CREATE DATABASE managed2 OWNER cloud_admin")
	without := strings.Replace(string(script), `GRANT :"owner" TO CURRENT_USER WITH INHERIT TRUE, SET TRUE;`, "", 1)
	require.NotEqual(t, string(script), without)
	twin := p.run(t, inPod(without, "PGUSER=cloud_admin", "PGPASSWORD=admin", "PGDATABASE=managed2", "OWNER_NAME=served2", "OWNER_VERIFIER="+password))
	require.Error(t, twin.err)
	assert.Contains(t, twin.stderr, "must be able to SET ROLE")
	for _, statement := range []string{"DROP DATABASE managed", "DROP DATABASE managed2", "DROP ROLE served, served2, cloud_admin"} {
		p.sql(t, "postgres", statement)
	}
}

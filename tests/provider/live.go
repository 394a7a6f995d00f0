package provider

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// Live is a stack on the real engine, with the checks that every cloud's goes
// through.
type Live struct {
	auto.Stack
	// Config and SecretKeys are the next update's, as in graph.Run.
	Config     map[string]string
	SecretKeys []string
	// Before runs at the beginning of the program.
	Before func(*pulumi.Context) error

	project, state string
	fake           *Fake
}

// NewLive makes the stack of a run with fakes of all providers: cloud is that
// cloud's, or with a port, as in aws:1234, one that runs already.
func NewLive(t *testing.T, r graph.Run, program func() graph.Program, fixed map[string][]string, cloud string) *Live {
	t.Helper()
	l := &Live{Config: r.Config, SecretKeys: r.SecretKeys, project: r.Project, fake: &Fake{Cloud: r.Cloud, Fixed: fixed}}
	l.Stack, l.state = l.fake.NewStack(t, r.Project, r.Stack, func(ctx *pulumi.Context) error {
		p := program()
		p.Configure(&pulumi.RunInfo{Config: l.Config, ConfigSecretKeys: l.SecretKeys})
		if l.Before != nil {
			if err := l.Before(ctx); err != nil {
				return err
			}
		}
		return p.Run(ctx)
	}, cloud)
	return l
}

// Set changes a setting such as protect or mlflow.tmpGiB for the next update.
func (l *Live) Set(t *testing.T, setting string, value any) {
	t.Helper()
	name, field, nested := strings.Cut(setting, ".")
	key := l.project + ":" + name
	if nested {
		object := map[string]any{}
		if before, ok := l.Config[key]; ok {
			require.NoError(t, json.Unmarshal([]byte(before), &object))
		}
		object[field] = value
		value = object
	}
	text, ok := value.(string)
	if !ok {
		raw, err := json.Marshal(value)
		require.NoError(t, err)
		text = string(raw)
	}
	l.Config[key] = text
}

// Refuse lets creations fail for which a function of their name has an error.
func (l *Live) Refuse(refuse func(name string) error) { l.fake.Refuse = refuse }

// Take returns the calls since the last one, also in the middle of an update.
func (l *Live) Take() []string { return l.fake.Take() }

// Update updates the stack and returns the calls that the providers got.
func (l *Live) Update(t *testing.T) []string {
	t.Helper()
	_, err := l.Up(t.Context(), optup.SuppressProgress())
	require.NoError(t, err)
	return l.fake.Take()
}

// CheckCreation makes the stack: a second update would have nothing to do, and the
// secrets in the state show only when it is decrypted.
func (l *Live) CheckCreation(t *testing.T) {
	t.Helper()
	assert.NotEmpty(t, l.Update(t))
	l.CheckSettled(t)
	assert.Empty(t, Exposed(t, l.state), "with secrets in clear")
	exported, err := l.Export(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(exported.Deployment), Canary, "decrypted, the secrets show")
}

// CheckSettled previews an update that has nothing to do.
func (l *Live) CheckSettled(t *testing.T) {
	t.Helper()
	_, err := l.Preview(t.Context(), optpreview.ExpectNoChanges())
	require.NoError(t, err)
}

// CheckChange changes a setting, which leads to these calls and no others.
func (l *Live) CheckChange(t *testing.T, setting string, value any, calls ...string) {
	t.Helper()
	l.Set(t, setting, value)
	assert.ElementsMatch(t, calls, l.Update(t), "%s: %v", setting, value)
}

// CheckRefusal changes a setting on which data hangs: the engine refuses it, deletes
// nothing, and the setting is as before.
func (l *Live) CheckRefusal(t *testing.T, setting string, value any) {
	t.Helper()
	before := maps.Clone(l.Config)
	l.Set(t, setting, value)
	_, err := l.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, "protect")
	for _, call := range l.fake.Take() {
		assert.NotContains(t, call, "delete")
	}
	l.Config = before
}

// CheckDestruction destroys the stack, which is refused before anything is deleted
// until its protection is taken away. It returns the calls of the update that does
// that.
func (l *Live) CheckDestruction(t *testing.T, data string) []string {
	t.Helper()
	_, err := l.PreviewDestroy(t.Context())
	require.ErrorContains(t, err, "protect")
	assert.Empty(t, l.fake.Take())
	l.Set(t, "protect", false)
	calls := l.Update(t)
	_, err = l.Destroy(t.Context(), optdestroy.SuppressProgress())
	require.NoError(t, err)
	assert.Contains(t, l.fake.Take(), "delete "+data)
	return calls
}

// released are the states that releases left of production.
var released = filepath.Join("testdata", "states")

// CheckReleases updates the states of releases: nobody who updates the program loses
// anything. Stack makes one of the present program, types and twins are those of
// Releases. With -record it records one.
func CheckReleases(t *testing.T, stack func(*testing.T) *Live, types []string, twins map[string]func(*testing.T, Recorded) Recorded) {
	t.Helper()
	if Recording() {
		l := stack(t)
		l.Update(t)
		Record(t, l.Stack, Recorded{Config: l.Config}, released)
		return
	}
	Releases{
		Dir: released, Types: types, Twins: twins,
		Stack: func(t *testing.T, r Recorded) auto.Stack {
			l := stack(t)
			l.Config = r.Config
			return l.Stack
		},
	}.Test(t)
}

// CheckRotation changes the version of the database's passwords: one up or back
// leaves the password that running pods hold alone, and the new one logs in before
// a pod gets it; two are refused. Server is who has the administrator's password, copies
// the calls that write the cloud's copies of the logins.
func (l *Live) CheckRotation(t *testing.T, server string, copies ...string) {
	t.Helper()
	l.Update(t)
	changed := append([]string{
		"update " + server, "update database-role-secret", "delete database-role-setup", "create database-role-setup",
		"update mlflow-database", "update mlflow-server",
	}, copies...)
	to := func(version int, passwords ...string) {
		t.Helper()
		l.Set(t, "database.passwordVersion", version)
		calls := l.Update(t)
		require.ElementsMatch(t, append(passwords, changed...), calls, "version %d", version)
		for _, order := range [][2]string{
			{"update " + server, "create database-role-setup"},       // The administrator's password first.
			{"create database-role-setup", "update mlflow-database"}, // The login before those who use it.
			{"update mlflow-database", "update mlflow-server"},
		} {
			assert.Less(t, slices.Index(calls, order[0]), slices.Index(calls, order[1]), "%s before %s", order[0], order[1])
		}
	}
	to(2, "create database-admin-password-alternate", "create database-role-password-alternate")
	to(3, "create database-admin-password", "create database-role-password", "delete database-admin-password", "delete database-role-password")
	to(2)
	to(3)
	l.Set(t, "database.passwordVersion", 5)
	_, err := l.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, "unable to replace resource")
	require.ErrorContains(t, err, "-password\"", "which of the two comes first is up to the engine")
	assert.Empty(t, l.fake.Take())
	// The twin: without protection the password in use is replaced.
	l.Set(t, "protect", false)
	l.Set(t, "database.passwordVersion", 3)
	l.Update(t)
	l.Set(t, "database.passwordVersion", 5)
	assert.Contains(t, l.Update(t), "create database-role-password")
}

// Package engine_test runs the program on the real Pulumi engine and CLI, with
// a fake in place of the providers: what the engine does with the program's
// options (protection, replacement order, secrets in the state) is real; what a
// cluster would do is not looked at here.
package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

type stack struct {
	auto.Stack
	fake   *provider.Fake
	state  string
	config map[string]string
	// secretKeys are the keys of config that are stored encrypted.
	secretKeys []string
}

// production is a stack with every part that production has, but the database
// operator: its definitions are a megabyte that the engine would encrypt and
// write after every step.
func production() map[string]string {
	return map[string]string{
		"platform": "kubernetes", "profile": "production",
		"cluster":   `{"context": "production", "apiServerCIDRs": ["10.0.0.1/32"]}`,
		"database":  `{"installOperator": false}`,
		"artifacts": `{"store": "s3", "endpoint": "https://s3.example.com", "cidrs": ["192.168.20.0/24"]}`,
		"exposure":  `{"mode": "loadBalancer", "host": "mlflow.example.com"}`,
		"auth":      `{"users": ["admin", "ana"]}`,
	}
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{fake: &provider.Fake{}, config: production(), secretKeys: []string{"s3AccessKeyId", "s3SecretAccessKey"}}
	s.config["s3AccessKeyId"], s.config["s3SecretAccessKey"] = provider.Canary+"-access", provider.Canary+"-secret"
	s.Stack, s.state = s.fake.NewStack(t, settings.Project, "prod", s.run)
	return s
}

// run is the program with the stack's present configuration.
func (s *stack) run(ctx *pulumi.Context) error {
	info := pulumi.RunInfo{Config: map[string]string{}}
	for k, v := range s.config {
		info.Config["mlflow-platform:"+k] = v
	}
	for _, k := range s.secretKeys {
		info.ConfigSecretKeys = append(info.ConfigSecretKeys, "mlflow-platform:"+k)
	}
	program := &stacks.Program{Platforms: stacks.Platforms{settings.Kubernetes: kubernetes.New}}
	program.Configure(&info)
	return program.Run(ctx)
}

// set changes one key of an object setting.
func (s *stack) set(t *testing.T, key, field string, value any) {
	t.Helper()
	object := map[string]any{}
	if text := s.config[key]; text != "" {
		require.NoError(t, json.Unmarshal([]byte(text), &object))
	}
	object[field] = value
	text, err := json.Marshal(object)
	require.NoError(t, err)
	s.config[key] = string(text)
}

// up updates the stack and returns the calls the providers got.
func (s *stack) up(t *testing.T) []string {
	t.Helper()
	_, err := s.Up(t.Context(), optup.SuppressProgress())
	require.NoError(t, err)
	return s.fake.Take()
}

func TestSecondUpChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	assert.NotEmpty(t, s.up(t))
	_, err := s.Preview(t.Context(), optpreview.ExpectNoChanges())
	require.NoError(t, err)
	assert.Empty(t, s.up(t))

	// The twin: a change is seen by the same check.
	s.set(t, "mlflow", "tmpGiB", 30)
	_, err = s.Preview(t.Context(), optpreview.ExpectNoChanges())
	assert.ErrorContains(t, err, "changes")
}

func TestStateHoldsNoSecretInClear(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.up(t)
	assert.Empty(t, provider.Exposed(t, s.state), "with secrets in clear")

	// The twin: the secrets are in the state, and show when it is decrypted.
	exported, err := s.Export(t.Context())
	require.NoError(t, err)
	for _, kind := range []string{"password", "hash", "bytes", "key", "access", "secret"} {
		assert.Contains(t, string(exported.Deployment), provider.Canary+"-"+kind)
	}
}

// released are the states that releases left of production.
var released = filepath.Join("..", "testdata", "states")

// stateful are the types whose loss is the loss of data.
var stateful = []string{
	"kubernetes:core/v1:Namespace", "kubernetes:postgresql.cnpg.io/v1:Cluster", "random:index/randomPassword:RandomPassword",
	"random:index/randomBytes:RandomBytes", "tls:index/privateKey:PrivateKey",
}

// TestTheStateOfAReleaseIsUpdated: nobody who updates the program loses anything.
func TestTheStateOfAReleaseIsUpdated(t *testing.T) {
	t.Parallel()
	if provider.Recording() {
		s := newStack(t)
		s.up(t)
		provider.Record(t, s.Stack, provider.Recorded{Config: s.config, SecretKeys: s.secretKeys}, released)
		return
	}
	provider.Releases{
		Dir: released, Types: stateful,
		Stack: func(t *testing.T, r provider.Recorded) auto.Stack {
			s := newStack(t)
			s.config, s.secretKeys = r.Config, r.SecretKeys
			return s.Stack
		},
		Twins: map[string]func(*testing.T, provider.Recorded) provider.Recorded{
			"kubernetes:postgresql.cnpg.io/v1:Cluster database-old": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Rename(t, "database-postgresql-cluster", "database-old")
			},
		},
	}.Test(t)
}

func TestUpgradeStopsWritersThenMigratesThenStarts(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.set(t, "mlflow", "version", "3.17.2")
	s.up(t)
	s.set(t, "mlflow", "version", "3.18.0")
	calls := s.up(t)
	order := []string{"create mlflow-image", "delete mlflow-server", "delete mlflow-migration", "create mlflow-migration", "create mlflow-server"}
	var seen []string
	for _, call := range calls {
		if slices.Contains(order, call) {
			seen = append(seen, call)
		}
	}
	assert.Equal(t, order, seen)
	for _, call := range calls {
		for _, kept := range []string{"password", "-key", "workspace-namespace", "postgresql", "authority"} {
			assert.False(t, strings.Contains(call, kept) && !strings.HasPrefix(call, "update"), "an upgrade must not touch what is stateful: %s", call)
		}
	}
}

func TestEachSettingTouchesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.up(t)
	for _, c := range []struct {
		key, field string
		value      any
		want       []string
	}{
		{"mlflow", "tmpGiB", 30, []string{"update mlflow-server"}},
		{"mlflow", "retention", map[string]any{"days": 90}, []string{"update retention-schedule"}},
		{"database", "maxConnections", 250, []string{"update database-postgresql-cluster"}},
		{"database", "storageGiB", 400, []string{"update database-postgresql-cluster", "update backup-schedule", "update backup-restore", "update backup-list"}},
		{"artifacts", "maxUploadMiB", 100, []string{"update gateway-config", "update gateway-server"}},
		{"artifacts", "noncurrentDays", 60, []string{"delete bucket-setup", "create bucket-setup"}},
		{"exposure", "sourceCIDRs", []string{"10.0.0.0/8"}, []string{"update exposure-loadbalancer", "update workspace-netpol-gateway"}},
		{"auth", "users", []string{"admin", "ana", "bob"}, []string{
			"create gateway-password-bob", "update gateway-passwords", "update gateway-server", "update gateway-users",
		}},
	} {
		s.set(t, c.key, c.field, c.value)
		assert.ElementsMatch(t, c.want, s.up(t), "%s.%s", c.key, c.field)
	}
}

// destroyError destroys and returns the error.
func (s *stack) destroyError(ctx context.Context) error {
	_, err := s.Destroy(ctx, optdestroy.SuppressProgress())
	return err
}

func TestDestroyIsRefusedWhileProtected(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.up(t)
	// pulumi destroy previews first, and stops there.
	_, err := s.PreviewDestroy(t.Context())
	assert.ErrorContains(t, err, "protect")
	assert.Empty(t, s.fake.Take(), "a refused destroy deletes nothing")
	// With --skip-preview the workload goes, and what is stateful stays.
	assert.ErrorContains(t, s.destroyError(t.Context()), "protect")
	data := []string{
		"delete workspace-namespace", "delete database-postgresql-cluster", "delete database-postgresql-password",
		"delete mlflow-webhook-key", "delete mlflow-crypto-key",
	}
	deleted := s.fake.Take()
	for _, kept := range data {
		assert.NotContains(t, deleted, kept)
	}

	// The twin: without protection everything goes.
	s.config["protect"] = "false"
	s.up(t)
	require.NoError(t, s.destroyError(t.Context()))
	deleted = s.fake.Take()
	for _, gone := range append(data, "delete mlflow-server") {
		assert.Contains(t, deleted, gone)
	}
}

func TestReplacingProtectedDataIsRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.up(t)
	s.config["namespace"] = "other"
	_, err := s.Up(t.Context(), optup.SuppressProgress())
	assert.ErrorContains(t, err, "protect")
	for _, call := range s.fake.Take() {
		assert.NotEqual(t, "delete workspace-namespace", call)
		assert.NotEqual(t, "delete database-postgresql-cluster", call)
	}
}

// TestRemovingProtectionAndReplacingKeepsTheOldData is about the trap that
// protection alone leaves open: it goes in the same change as an edit that
// replaces, and nothing objects. What was retained until then still is: the
// engine forgets the old database and the old namespace, and deletes neither.
func TestRemovingProtectionAndReplacingKeepsTheOldData(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.up(t)
	s.config["namespace"], s.config["protect"] = "other", "false"
	calls := s.up(t)
	assert.Contains(t, calls, "create database-postgresql-cluster")
	assert.NotContains(t, calls, "delete database-postgresql-cluster")
	assert.NotContains(t, calls, "delete workspace-namespace")

	// The twin: what was not retained is deleted when it is replaced.
	s.config["namespace"] = "third"
	assert.Contains(t, s.up(t), "delete database-postgresql-cluster")
}

func TestInvalidConfigurationRegistersNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.set(t, "database", "maxConnections", 20)
	s.set(t, "database", "backup", map[string]any{"retentionDays": 0})
	_, err := s.Up(t.Context(), optup.SuppressProgress())
	require.Error(t, err)
	assert.ErrorContains(t, err, "database.maxConnections is 20; want at least (2 replicas + 2 leaving)")
	assert.ErrorContains(t, err, "database.backup.retentionDays is 0; want at least 1")
	assert.Empty(t, s.fake.Take())

	// The twin: the same stack comes up once the two are right.
	s.config = maps.Clone(s.config)
	s.config["database"] = production()["database"]
	assert.NotEmpty(t, s.up(t))
}

// TestAWebhookThatIsNotReachedYet: the operator's answers a second or two after it is
// ready, and the API server tells in these words.
func TestAWebhookThatIsNotReachedYet(t *testing.T) {
	for says, want := range map[string]int32{
		`Internal error occurred: failed calling webhook "mcluster.cnpg.io": connect: connection refused`: 2,
		`admission webhook "vcluster.cnpg.io" denied the request`:                                         1,
	} {
		s := newStack(t)
		var tries atomic.Int32
		s.fake.Refuse = func(name string) error {
			if name != "database-postgresql-cluster" || tries.Add(1) > 1 {
				return nil
			}
			return errors.New(says)
		}
		_, err := s.Up(t.Context(), optup.SuppressProgress())
		assert.Equal(t, want, tries.Load(), says)
		if want == 1 {
			require.ErrorContains(t, err, says)
			continue
		}
		require.NoError(t, err)
	}
}

package aws_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// hostEnv names the directory with the Go language host.
const hostEnv = "MLFLOW_PLATFORM_LANGUAGE_GO"

// fixed are inputs that make AWS' provider replace a resource (the "Forces new
// resource" of registry.terraform.io/providers/hashicorp/aws/5.82.2/docs).
var fixed = map[string][]string{
	"aws:rds/instance:Instance":             {"dbName", "username", "kmsKeyId", "storageEncrypted", "engine"},
	"aws:s3/bucketV2:BucketV2":              {"bucket"},
	"aws:eks/cluster:Cluster":               {"name", "roleArn", "encryptionConfig"},
	"aws:eks/nodeGroup:NodeGroup":           {"clusterName", "amiType", "capacityType", "instanceTypes", "nodeRoleArn", "subnetIds"},
	"aws:ec2/vpc:Vpc":                       {"cidrBlock"},
	"aws:ec2/subnet:Subnet":                 {"cidrBlock", "availabilityZone", "vpcId"},
	"aws:rds/parameterGroup:ParameterGroup": {"name", "family", "description"},
	"aws:eks/accessEntry:AccessEntry":       {"clusterName", "principalArn", "type"},
}

// live is a stack on the real engine.
type live struct {
	auto.Stack
	fake   *provider.Fake
	config map[string]string
	// before runs at the beginning of the program.
	before func(*pulumi.Context) error
}

// newLive makes a stack with fakes of all providers; aws is that cloud's, or
// aws:PORT for one that runs already.
func newLive(t *testing.T, file, aws string) *live {
	t.Helper()
	r := run(t, file)
	l := &live{fake: &provider.Fake{Cloud: r.Cloud, Fixed: fixed}, config: r.Config}
	l.Stack, _ = l.fake.NewStack(t, r.Project, r.Stack, func(ctx *pulumi.Context) error {
		program := newProgram()
		program.Configure(&pulumi.RunInfo{Config: l.config})
		if l.before != nil {
			if err := l.before(ctx); err != nil {
				return err
			}
		}
		return program.Run(ctx)
	}, aws)
	return l
}

func (l *live) up(t *testing.T) []string {
	t.Helper()
	_, err := l.Up(t.Context(), optup.SuppressProgress())
	require.NoError(t, err)
	return l.fake.Take()
}

// set replaces one key of the configuration.
func (l *live) set(key, value string) { l.config[settings.Project+":"+key] = value }

func TestEngine(t *testing.T) {
	l := newLive(t, "Pulumi.prod.yaml", "aws")
	assert.NotEmpty(t, l.up(t))
	_, err := l.Preview(t.Context(), optpreview.ExpectNoChanges())
	require.NoError(t, err)

	exported, err := l.Export(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(exported.Deployment), provider.Canary, "decrypted, the secrets show")

	for _, c := range []struct {
		key, value string
		want       []string
	}{
		{"mlflow", `{"tmpGiB": 30}`, []string{"update mlflow-server"}},
		{"artifacts", `{"noncurrentDays": 60}`, []string{"update bucket-data-lifecycle", "update bucket-logs-lifecycle"}},
		{"budget", `{"monthlyUSD": 2000, "emails": ["platform@example.com"]}`, []string{"update budget-monthly"}},
		{"database", `{"instanceType": "db.m7g.xlarge"}`, []string{"update database-instance"}},
		{"database", `{"instanceType": "db.m7g.xlarge", "maxConnections": 300}`, []string{"update database-parameters", "update database-alarm-connections"}},
	} {
		l.set(c.key, c.value)
		assert.ElementsMatch(t, c.want, l.up(t), "%s: %s", c.key, c.value)
	}

	// What cannot change without loss is refused, and nothing was touched.
	before := l.config[settings.Project+":network"]
	l.set("network", `{"cidr": "10.30.0.0/16"}`)
	_, err = l.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, "protect")
	for _, call := range l.fake.Take() {
		assert.NotContains(t, call, "delete")
	}
	l.set("network", before)
	if before == "" {
		delete(l.config, settings.Project+":network")
	}
	_, err = l.PreviewDestroy(t.Context())
	require.ErrorContains(t, err, "protect")
	assert.Empty(t, l.fake.Take())

	// The twin: without protection it goes.
	l.set("protect", "false")
	l.up(t)
	_, err = l.Destroy(t.Context(), optdestroy.SuppressProgress())
	require.NoError(t, err)
	assert.Contains(t, l.fake.Take(), "delete database-instance")
}

// TestThePasswordRotates: one version up or back leaves the password that running
// pods hold alone; the new one logs in before a pod gets it; two are refused.
func TestThePasswordRotates(t *testing.T) {
	l := newLive(t, "Pulumi.prod.yaml", "aws")
	l.up(t)
	version := func(n int) { l.set("database", fmt.Sprintf(`{"passwordVersion": %d}`, n)) }
	changed := []string{
		"update database-instance", "update database-role-secret", "delete database-role-setup", "create database-role-setup",
		"update mlflow-database", "update mlflow-server", "update secrets-database-admin-value", "update secrets-database-value",
	}
	want := func(n int, passwords ...string) {
		t.Helper()
		version(n)
		calls := l.up(t)
		assert.ElementsMatch(t, append(passwords, changed...), calls)
		order := func(call string) int { return slices.Index(calls, call) }
		assert.Less(t, order("update database-instance"), order("create database-role-setup"), "the administrator's password first")
		assert.Less(t, order("create database-role-setup"), order("update mlflow-database"), "the login before those who use it")
	}
	want(2, "create database-admin-password-alternate", "create database-role-password-alternate")
	want(3, "create database-admin-password", "create database-role-password", "delete database-admin-password", "delete database-role-password")
	want(2)
	want(3)
	version(5)
	_, err := l.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, "unable to replace resource")
	require.ErrorContains(t, err, "::database-admin-password")
	assert.Empty(t, l.fake.Take())
	// The twin: without protection the password in use is replaced.
	l.set("protect", "false")
	version(3)
	l.up(t)
	version(5)
	assert.Contains(t, l.up(t), "create database-role-password")
}

// released are the states that releases left of production.
var released = filepath.Join("testdata", "states")

// kept are the types that an update of the program neither replaces nor deletes.
var kept = slices.Concat(slices.Sorted(maps.Keys(stateful)), []string{
	"aws:eks/cluster:Cluster", "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "kubernetes:core/v1:Namespace",
})

// TestTheStateOfAReleaseIsUpdated: nobody who updates the program loses anything.
func TestTheStateOfAReleaseIsUpdated(t *testing.T) {
	if provider.Recording() {
		l := newLive(t, "Pulumi.prod.yaml", "aws")
		l.up(t)
		provider.Record(t, l.Stack, provider.Recorded{Config: l.config}, released)
		return
	}
	provider.Releases{
		Dir: released, Types: kept,
		Stack: func(t *testing.T, r provider.Recorded) auto.Stack {
			l := newLive(t, "Pulumi.prod.yaml", "aws")
			l.config = r.Config
			return l.Stack
		},
		Twins: map[string]func(*testing.T, provider.Recorded) provider.Recorded{
			"aws:rds/instance:Instance database-old": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Rename(t, "database-instance", "database-old")
			},
			// Its login cannot change.
			"aws:rds/instance:Instance database-instance": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Edit(t, func(one *apitype.ResourceV3) {
					if one.URN.Name() == "database-instance" {
						one.Inputs["username"] = "somebody"
					}
				})
			},
		},
	}.Test(t)
}

// TestTheRootProgramRunsIt previews the repository's own project with the real
// CLI and language host: the program in the root hands over to AWS' own.
func TestTheRootProgramRunsIt(t *testing.T) {
	bin, host := provider.Tool(t, provider.CLI), provider.Tool(t, hostEnv)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	fake := &provider.Fake{Cloud: run(t, "Pulumi.dev.yaml").Cloud, Fixed: fixed}
	env := append(os.Environ(),
		"PATH="+strings.Join([]string{bin, host, os.Getenv("PATH")}, string(os.PathListSeparator)),
		"PULUMI_HOME="+t.TempDir(), "PULUMI_BACKEND_URL=file://"+t.TempDir(), "PULUMI_CONFIG_PASSPHRASE=",
		"PULUMI_DEBUG_PROVIDERS="+fake.Serve(t, "aws"), "PULUMI_SKIP_UPDATE_CHECK=true", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true")
	pulumiCommand := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "pulumi"), append([]string{"--non-interactive", "--color", "never", "--cwd", root}, args...)...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	// A copy of the stack's file: the checkout is not written to.
	config := filepath.Join(t.TempDir(), "Pulumi.dev.yaml")
	text, err := os.ReadFile(filepath.Join(root, "Pulumi.dev.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	for _, args := range [][]string{
		{"stack", "init", "dev", "--no-select"},
		{"preview", "--stack", "dev", "--config-file", config},
	} {
		out, err := pulumiCommand(args...)
		require.NoError(t, err, out)
		if args[0] == "preview" {
			assert.Contains(t, out, "aws:eks:Cluster")
			assert.Contains(t, out, "database connections: ")
		}
	}
	// What is wrong is said once, and the CLI sees the failure.
	require.NoError(t, os.WriteFile(config, []byte(strings.Replace(string(text), `"111122223333"`, `"my account"`, 1)), 0o600))
	out, err := pulumiCommand("preview", "--stack", "dev", "--config-file", config)
	require.Error(t, err)
	assert.Contains(t, out, `account is "my account"; want the 12 digits of the AWS account`)
}

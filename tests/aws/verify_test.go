//go:build verify

package aws_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// providerEnv names the directory with AWS' provider, built by the toolchain.
const providerEnv = "MLFLOW_PLATFORM_PROVIDER_AWS"

// wire is how values travel to a plugin.
var wire = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true}

// real is AWS' own provider, configured without an account: it checks and plans,
// and would fail to create.
type real struct{ rpc.ResourceProviderClient }

// plug runs the plugin with an environment of its own and returns its port on
// loopback.
func plug(t *testing.T, env ...string) string {
	t.Helper()
	// The address is the engine's, which nobody is at: the plugin logs to it.
	command := exec.CommandContext(t.Context(), filepath.Join(provider.Tool(t, providerEnv), "pulumi-resource-aws"), "127.0.0.1:1")
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true"}, env...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { assert.NoError(t, command.Process.Kill()); _ = command.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(port)
}

// start configures the plugin.
func start(t *testing.T) real {
	t.Helper()
	conn, err := grpc.NewClient("127.0.0.1:"+plug(t), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	r := real{rpc.NewResourceProviderClient(conn)}
	config, err := plugin.MarshalProperties(resource.NewPropertyMapFromMap(map[string]any{
		"region": "eu-central-1", "accessKey": "AKIAIOSFODNN7EXAMPLE", "secretKey": "none", "skipCredentialsValidation": true,
		"skipRequestingAccountId": true, "skipMetadataApiCheck": true, "skipRegionValidation": true,
	}), wire)
	require.NoError(t, err)
	_, err = r.Configure(t.Context(), &rpc.ConfigureRequest{Args: config, AcceptSecrets: true})
	require.NoError(t, err)
	return r
}

// refusals are what the provider says against a resource, by its checks and by
// planning it, and the inputs that it does not know.
func (r real) refusals(t *testing.T, n graph.Node) []string {
	t.Helper()
	inputs, err := plugin.MarshalProperties(n.Inputs, wire)
	require.NoError(t, err)
	checked, err := r.Check(t.Context(), &rpc.CheckRequest{Urn: n.URN, News: inputs, RandomSeed: []byte(strings.Repeat("0", 32))})
	if err != nil {
		return []string{n.Key() + ": " + err.Error()}
	}
	var bad []string
	for _, f := range checked.GetFailures() {
		bad = append(bad, fmt.Sprintf("%s: %s %s", n.Key(), f.GetProperty(), f.GetReason()))
	}
	for key := range n.Inputs {
		if _, known := checked.GetInputs().GetFields()[string(key)]; !known && len(bad) == 0 {
			bad = append(bad, fmt.Sprintf("%s: has no property %s", n.Key(), key))
		}
	}
	if len(bad) > 0 {
		return bad
	}
	if _, err := r.Create(t.Context(), &rpc.CreateRequest{Urn: n.URN, Properties: checked.GetInputs(), Preview: true, Timeout: time.Minute.Seconds()}); err != nil {
		bad = append(bad, n.Key()+": "+err.Error())
	}
	return bad
}

// newer are inputs that the provider at hand, 5.82, is too old for: no check but
// that of the SDK's types sees them.
var newer = map[string]resource.PropertyKey{"aws:eks/nodeGroup:NodeGroup": "nodeRepairConfig"}

// TestTheProviderTakesEveryResource asks AWS' own provider about every resource
// of every stack, with all values known: an unknown one would silence the checks
// of the block it is in.
func TestTheProviderTakesEveryResource(t *testing.T) {
	aws := start(t)
	for _, file := range files {
		g, asked := record(t, file), 0
		for _, n := range g.Nodes {
			if n.Custom && strings.HasPrefix(n.Type, "aws:") {
				asked++
				if key, ok := newer[n.Type]; ok {
					assert.NotEmpty(t, aws.refusals(t, n), "%s is not newer than the provider", key)
					n.Inputs = n.Inputs.Copy()
					delete(n.Inputs, key)
				}
				assert.Empty(t, aws.refusals(t, n), file)
			}
		}
		t.Logf("%s: %d resources asked about", file, asked)
		require.NotZero(t, asked)
	}
	for _, twin := range []struct {
		name, path string
		value      any
	}{
		{"network-vpc", "cidrBlock", "10.20.0.0/8"},
		{"network-vpc", "cidr", "10.20.0.0/16"},
		{"cluster-eks", "roleArn", "platform"},
		{"cluster-eks", "accessConfig.authenticationMode", "ACCESS_ENTRY"},
		{"cluster-nodes", "amiType", "AL2024"},
		{"cluster-vpc-cni", "resolveConflictsOnCreate", "REPLACE"},
		{"cluster-cluster-role", "assumeRolePolicy", "{not JSON"},
		{"cluster-template", "metadataOptions.httpTokens", "always"},
		{"database-instance", "backupRetentionPeriod", 36},
		{"database-instance", "maintenanceWindow", "sunday"},
		{"database-alarm-cpu", "comparisonOperator", "MoreThan"},
		{"database-key", "deletionWindowInDays", 40},
		{"bucket-data-lifecycle", "rules[0].status", "On"},
		{"bucket-data-versioning", "versioningConfiguration.status", "On"},
		{"budget-monthly", "notifications[0].notificationType", "FORECAST"},
		{"cluster-logs", "retentionInDays", 100},
	} {
		broken := record(t, "Pulumi.prod.yaml").Clone()
		broken.Set(twin.name, twin.path, twin.value)
		found := false
		for _, n := range broken.Nodes {
			if n.Name == twin.name && strings.HasPrefix(n.Type, "aws:") {
				if key, ok := newer[n.Type]; ok {
					delete(n.Inputs, key)
				}
				found = found || len(aws.refusals(t, n)) > 0
			}
		}
		assert.True(t, found, "%s with %s %v is taken", twin.name, twin.path, twin.value)
	}
}

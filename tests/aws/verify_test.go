//go:build verify

package aws_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// providerEnv names the directory with AWS' provider, built by the toolchain.
const providerEnv = "MLFLOW_PLATFORM_PROVIDER_AWS"

// start configures the plugin.
func start(t *testing.T) provider.Real {
	t.Helper()
	return provider.NewReal(t, plug(t), map[string]any{
		"region": "eu-central-1", "accessKey": "AKIAIOSFODNN7EXAMPLE", "secretKey": "none", "skipCredentialsValidation": true,
		"skipRequestingAccountId": true, "skipMetadataApiCheck": true, "skipRegionValidation": true,
	})
}

func plug(t *testing.T, env ...string) string {
	t.Helper()
	return provider.Plug(t, providerEnv, "pulumi-resource-aws", append([]string{"AWS_EC2_METADATA_DISABLED=true"}, env...)...)
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
					assert.NotEmpty(t, aws.Refusals(t, n), "%s is not newer than the provider", key)
					n.Inputs = n.Inputs.Copy()
					delete(n.Inputs, key)
				}
				assert.Empty(t, aws.Refusals(t, n), file)
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
				found = found || len(aws.Refusals(t, n)) > 0
			}
		}
		assert.True(t, found, "%s with %s %v is taken", twin.name, twin.path, twin.value)
	}
}

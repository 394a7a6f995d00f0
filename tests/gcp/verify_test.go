//go:build verify

package gcp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// providerEnv names the directory with Google's provider, built by the toolchain.
const providerEnv = "MLFLOW_PLATFORM_PROVIDER_GCP"

func plug(t *testing.T, env ...string) string {
	t.Helper()
	return provider.Plug(t, providerEnv, "pulumi-resource-gcp", env...)
}

// start configures the plugin.
func start(t *testing.T) provider.Real {
	t.Helper()
	return provider.NewReal(t, plug(t), map[string]any{"project": "ml-platform-prod", "region": "europe-west3", "accessToken": "none"})
}

// beta are types of Google's provider for what is not general yet, which cannot be had
// as a Go module: no check but that of the SDK's types sees them.
var beta = []string{"gcp:projects/serviceIdentity:ServiceIdentity"}

// asked says whether a node is Google's own provider's.
func asked(n graph.Node) bool {
	return n.Custom && strings.HasPrefix(n.Type, "gcp:") && !slices.Contains(beta, n.Type)
}

// TestTheProviderTakesEveryResource asks Google's own provider about every resource
// of every stack, with all values known: an unknown one would silence the checks of
// the block it is in.
func TestTheProviderTakesEveryResource(t *testing.T) {
	google := start(t)
	for _, file := range files {
		g, count := record(t, file), 0
		for _, n := range g.Nodes {
			if asked(n) {
				count++
				assert.Empty(t, google.Refusals(t, n), file)
			}
		}
		t.Logf("%s: %d resources asked about", file, count)
		require.NotZero(t, count)
	}
	for _, twin := range []struct {
		name, path string
		value      any
	}{
		{"network-vpc", "routingMode", "ZONAL"},
		{"network-vpc", "cidr", "10.20.0.0/16"},
		{"network-subnet", "ipCidrRange", "10.40.0.0/33"},
		{"network-subnet", "logConfig.aggregationInterval", "INTERVAL_2_MIN"},
		{"network-nat", "natIpAllocateOption", "BOTH"},
		{"network-nat", "logConfig.filter", "SOME"},
		{"network-webhooks", "direction", "IN"},
		{"network-googleapis", "visibility", "hidden"},
		{"network-peering", "deletionPolicy", "KEEP"},
		{"cluster-gke", "datapathProvider", "CILIUM"},
		{"cluster-gke", "gatewayApiConfig.channel", "STANDARD"},
		{"cluster-gke", "releaseChannel.channel", "FAST"},
		{"cluster-gke", "databaseEncryption.state", "ON"},
		{"cluster-gke", "enableAutopilot", true},
		{"cluster-gke", "privateClusterConfig.masterIpv4CidrBlock", "10.40.64.0/24"},
		{"cluster-gke", "maintenancePolicy.recurringWindow.startTime", "Saturday"},
		{"cluster-nodes-pool", "nodeConfig.workloadMetadataConfig.mode", "GKE"},
		{"cluster-nodes-pool", "upgradeSettings.strategy", "FAST"},
		{"cluster-nodes-account", "accountId", "short"},
		{"database-instance", "settings.edition", "ENTERPRIZE"},
		{"database-instance", "settings.availabilityType", "BOTH"},
		{"database-instance", "settings.ipConfiguration.sslMode", "REQUIRE"},
		{"database-instance", "settings.ipConfiguration.privateNetwork", "mlflow"},
		{"database-instance", "settings.maintenanceWindow.day", 8},
		{"bucket-artifacts-bucket", "name", "UPPER"},
		{"bucket-artifacts-bucket", "lifecycleRules[1].condition.withState", "OLD"},
		{"budget-monthly", "thresholdRules[3].spendBasis", "FORECASTED"},
		{"budget-monthly", "budgetFilter.creditTypesTreatment", "ALL"},
		{"database-alert-cpu", "conditions[0].conditionThreshold.comparison", "GREATER"},
		{"database-alert-cpu", "combiner", "ANY"},
	} {
		broken := record(t, prod).Clone()
		broken.Set(twin.name, twin.path, twin.value)
		found := false
		for _, n := range broken.Nodes {
			if n.Name == twin.name && asked(n) {
				found = found || len(google.Refusals(t, n)) > 0
			}
		}
		assert.True(t, found, "%s with %s %v is taken", twin.name, twin.path, twin.value)
	}
}

// TestTheProviderReplacesWhatTheFakeDoes: what the engine's tests take for an input
// that cannot change is one for Google's provider too, and the others are not.
func TestTheProviderReplacesWhatTheFakeDoes(t *testing.T) {
	google := start(t)
	g := record(t, prod)
	changed := func(name, path string, value any) bool {
		after := g.Clone()
		after.Set(name, path, value)
		find := func(in *graph.Graph) graph.Node {
			for _, n := range in.Nodes {
				if n.Name == name && asked(n) {
					return n
				}
			}
			panic("no node " + name)
		}
		return google.Replaces(t, find(g), find(after), path)
	}
	for _, c := range []struct {
		name, path string
		value      any
		replaces   bool
	}{
		{"network-vpc", "name", "another", true},
		{"network-subnet", "secondaryIpRanges[1].ipCidrRange", "172.24.0.0/16", false},
		{"network-subnet", "region", "europe-west1", true},
		{"network-database-range", "address", "10.44.64.0", true},
		{"cluster-gke", "privateClusterConfig.masterIpv4CidrBlock", "10.44.64.0/28", true},
		{"cluster-gke", "minMasterVersion", "1.36", false},
		{"cluster-gke", "resourceLabels.owner", "others", false},
		{"cluster-gke", "masterAuthorizedNetworksConfig.cidrBlocks[0].cidrBlock", "203.0.113.0/24", false},
		{"cluster-nodes-pool", "name", "another", true},
		{"cluster-nodes-pool", "initialNodeCount", 2, true},
		{"cluster-nodes-pool", "autoscaling.totalMaxNodeCount", 12, false},
		{"cluster-nodes-pool", "nodeConfig.bootDiskKmsKey", "projects/p/locations/r/keyRings/k/cryptoKeys/other", true},
		{"cluster-nodes-pool", "nodeConfig.gcfsConfig.enabled", true, false},
		{"database-instance", "region", "europe-west1", true},
		{"database-instance", "encryptionKeyName", "projects/p/locations/r/keyRings/k/cryptoKeys/other", true},
		{"database-instance", "settings.tier", "db-custom-8-32768", false},
		{"database-instance", "settings.databaseFlags[0].value", "500", false},
		{"database-instance", "settings.availabilityType", "ZONAL", false},
		{"database-admin", "password", "another", false},
		{"bucket-artifacts-bucket", "location", "US-EAST1", true},
		{"bucket-artifacts-bucket", "encryption.defaultKmsKeyName", "projects/p/locations/r/keyRings/k/cryptoKeys/other", false},
		{"bucket-artifacts-bucket", "autoclass", nil, false},
		{"bucket-key", "rotationPeriod", "7776000s", false},
		{"secrets-database-version", "secretData", resource.MakeSecret(resource.NewProperty("x")), true},
	} {
		assert.Equal(t, c.replaces, changed(c.name, c.path, c.value), "%s: %s", c.name, c.path)
	}
}

package azure_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/components/azure"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// fixed are inputs that nothing but another resource can change: names and places,
// and what the services' documentation says is decided at creation
// (learn.microsoft.com/azure/aks/faq, .../postgresql/network/concepts-networking-private).
var fixed = map[string][]string{
	"azure-native:resources:ResourceGroup":                     {"resourceGroupName", "location"},
	"azure-native:network:VirtualNetwork":                      {"virtualNetworkName", "resourceGroupName"},
	"azure-native:network:Subnet":                              {"subnetName", "virtualNetworkName"},
	"azure-native:containerservice:ManagedCluster":             {"resourceName", "dnsPrefix", "nodeResourceGroup", "networkProfile"},
	"azure-native:dbforpostgresql:Server":                      {"serverName", "administratorLogin", "network", "location"},
	"azure-native:storage:StorageAccount":                      {"accountName", "kind"},
	"azure-native:storage:BlobContainer":                       {"containerName", "accountName"},
	"azure-native:keyvault:Vault":                              {"vaultName"},
	"azure-native:keyvault:Key":                                {"keyName", "vaultName", "properties"},
	"azure-native:authorization:RoleAssignment":                {"principalId", "roleDefinitionId", "scope"},
	"azure-native:consumption:Budget":                          {"timePeriod", "scope", "budgetName"},
	"azure-native:authorization:ManagementLockByScope":         {"scope", "lockName"},
	"azure-native:managedidentity:UserAssignedIdentity":        {"resourceName"},
	"azure-native:compute:DiskEncryptionSet":                   {"diskEncryptionSetName"},
	"azure-native:operationalinsights:Workspace":               {"workspaceName"},
	"azure-native:privatedns:PrivateZone":                      {"privateZoneName"},
	"azure-native:managedidentity:FederatedIdentityCredential": {"federatedIdentityCredentialResourceName"},
}

// live is a stack on the real engine.
type live struct {
	auto.Stack
	fake   *provider.Fake
	config map[string]string
}

func newLive(t *testing.T, file string) *live {
	t.Helper()
	r := run(t, file)
	l := &live{fake: &provider.Fake{Cloud: r.Cloud, Fixed: fixed}, config: r.Config}
	l.Stack, _ = l.fake.NewStack(t, r.Project, r.Stack, func(ctx *pulumi.Context) error {
		program := newProgram()
		program.Configure(&pulumi.RunInfo{Config: l.config})
		return program.Run(ctx)
	}, "azure-native")
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
	l := newLive(t, prod)
	assert.NotEmpty(t, l.up(t))
	_, err := l.Preview(t.Context(), optpreview.ExpectNoChanges())
	require.NoError(t, err)
	exported, err := l.Export(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(exported.Deployment), provider.Canary, "decrypted, the secrets show")

	// A month later the budget stays as it is.
	november := azure.Now
	azure.Now = func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) }
	_, err = l.Preview(t.Context(), optpreview.ExpectNoChanges())
	azure.Now = november
	require.NoError(t, err)

	for _, c := range []struct {
		key, value string
		want       []string
	}{
		{"mlflow", `{"replicas": 3, "tmpGiB": 30}`, []string{"update mlflow-server"}},
		{"artifacts", `{"noncurrentDays": 60}`, []string{"update bucket-versions"}},
		{"budget", `{"monthlyUSD": 2500, "emails": ["platform@example.com", "finance@example.com"], "usage": {"storedGiB": 2000, "loggedGiB": 50}}`, []string{"update budget-monthly"}},
		{"database", `{"instanceType": "Standard_E2ds_v5", "storageGiB": 512, "maxConnections": 400, "backup": {"retentionDays": 35}}`, []string{"update database-server"}},
		{"database", `{"instanceType": "Standard_E2ds_v5", "storageGiB": 512, "maxConnections": 500, "backup": {"retentionDays": 35}}`, []string{"update database-max-connections", "update database-alert-connections"}},
		// Storage grows by itself, and the settings' number is that of the first day.
		{"database", `{"instanceType": "Standard_E2ds_v5", "storageGiB": 1024, "maxConnections": 500, "backup": {"retentionDays": 35}}`, nil},
	} {
		l.set(c.key, c.value)
		assert.ElementsMatch(t, c.want, slices.DeleteFunc(l.up(t), func(call string) bool {
			// The volume of a restore follows the database's size.
			return c.want == nil && call != "update database-server"
		}), "%s: %s", c.key, c.value)
	}

	// What cannot change without loss is refused, and nothing was touched.
	before := l.config[settings.Project+":cluster"]
	l.set("cluster", `{"admins": ["group:aaaaaaaa-0000-4000-8000-000000000001"], "apiAccessCIDRs": ["198.51.100.0/24"], "serviceCIDR": "172.24.0.0/16"}`)
	_, err = l.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, "protect")
	for _, call := range l.fake.Take() {
		assert.NotContains(t, call, "delete")
	}
	l.set("cluster", before)
	_, err = l.PreviewDestroy(t.Context())
	require.ErrorContains(t, err, "protect")
	assert.Empty(t, l.fake.Take())

	// The twin: without protection it goes, and the locks go first.
	l.set("protect", "false")
	unlocked := l.up(t)
	assert.Contains(t, unlocked, "delete database-lock")
	assert.Contains(t, unlocked, "delete bucket-lock")
	_, err = l.Destroy(t.Context(), optdestroy.SuppressProgress())
	require.NoError(t, err)
	assert.Contains(t, l.fake.Take(), "delete database-server")
}

// TestThePasswordRotates: one version up leaves the password that running pods hold
// alone, and the new one logs in before a pod gets it.
func TestThePasswordRotates(t *testing.T) {
	l := newLive(t, dev)
	l.up(t)
	l.set("database", `{"passwordVersion": 2}`)
	calls := l.up(t)
	order := func(call string) int {
		i := slices.Index(calls, call)
		require.GreaterOrEqual(t, i, 0, "%s: %q", call, calls)
		return i
	}
	assert.Less(t, order("update database-server"), order("create database-role-setup"), "the administrator's password first")
	assert.Less(t, order("create database-role-setup"), order("update mlflow-database"), "the login before those who use it")
	assert.NotContains(t, calls, "create database-role-password")
	assert.Less(t, order("update mlflow-database"), order("update mlflow-server"))
	assert.Less(t, 0, order("update secrets-database"))
}

package azure_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/components/azure"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// TestStorageFollowsTheServer: Flexible Server grows by itself, and refuses every
// change of a server together with a smaller size.
func TestStorageFollowsTheServer(t *testing.T) {
	t.Parallel()
	size := func(servers map[string]int) float64 {
		r := run(t, prod)
		r.Config[settings.Project+":database"] = `{"instanceType": "Standard_E2ds_v5", "storageGiB": 512, "maxConnections": 400}`
		r.Cloud = cloud{servers: servers}
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		for _, n := range g.OfType("azure-native:dbforpostgresql:Server") {
			return number(n, "storage.storageSizeGB")
		}
		return 0
	}
	const name = "mlflow-azure-prod-0a1b2c"
	assert.InDelta(t, 512, size(nil), 0, "a new one")
	assert.InDelta(t, 512, size(map[string]int{name: 256}), 0, "raised by hand")
	assert.InDelta(t, 2048, size(map[string]int{name: 2048}), 0, "grown")
	assert.InDelta(t, 512, size(map[string]int{"another": 2048}), 0)
}

// waits are how long the program sleeps while something is done, some time from now.
func waits(from time.Duration, do func()) []time.Duration {
	var mu sync.Mutex
	var all []time.Duration
	now, sleep := azure.Now, azure.Sleep
	defer func() { azure.Now, azure.Sleep = now, sleep }()
	azure.Now = func() time.Time { return now().Add(from) }
	azure.Sleep = func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, d)
	}
	do()
	return all
}

// refuses runs a stack that is refused before anything is made.
func refuses(t *testing.T, r graph.Run, want string) {
	t.Helper()
	g, err := graph.Record(r, newProgram())
	require.ErrorContains(t, err, want)
	for _, n := range g.Nodes {
		assert.Contains(t, n.Type, "pulumi:providers:", "something is made")
	}
}

// TestRolesAreWaitedFor: who uses a key or a network a minute after it was given the
// role is refused, so the first update waits, and no later one.
func TestRolesAreWaitedFor(t *testing.T) {
	l := newLive(t, prod)
	assert.Equal(t, []time.Duration{10 * time.Minute}, slices.Compact(waits(0, func() { l.Update(t) })))
	later := waits(time.Hour, func() { l.Update(t) })
	require.NotEmpty(t, later)
	assert.LessOrEqual(t, slices.Max(later), time.Duration(0))
}

// TestNothingUsesARoleTooEarly: as long as nobody knows since when there is a role,
// what uses it is not made.
func TestNothingUsesARoleTooEarly(t *testing.T) {
	t.Parallel()
	made := func(undated string) map[string]bool {
		r := run(t, prod)
		r.Cloud = cloud{undated: undated}
		g, err := graph.Record(r, newProgram())
		if undated == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "reading when a role was given")
		}
		names := map[string]bool{}
		for _, n := range g.Nodes {
			names[n.Name] = true
		}
		return names
	}
	all := made("")
	for role, users := range map[string][]string{
		"network-keys-use":       {"database-server", "bucket-account", "cluster-disks"},
		"cluster-crypto":         {"cluster-aks"},
		"cluster-nodes":          {"cluster-aks"},
		"cluster-api-server":     {"cluster-aks"},
		"cluster-disks-reader":   {"cluster-aks"},
		"identity-access":        {"mlflow-account"},
		"backup-identity-access": {"backup-access-account"},
	} {
		early := made(role)
		for _, user := range users {
			assert.False(t, early[user], "%s is made without %s", user, role)
			assert.True(t, all[user], user)
		}
	}
}

// TestNodesOfAnotherTypeComeFirst: AKS changes neither type nor disk of a pool, so
// another one is made, and the old one goes when its pods have somewhere to go.
func TestNodesOfAnotherTypeComeFirst(t *testing.T) {
	l := newLive(t, prod)
	l.Update(t)
	cluster := func(nodes string) string {
		return `{"admins": ["group:aaaaaaaa-0000-4000-8000-000000000001"], "apiAccessCIDRs": ["198.51.100.0/24"], "nodes": ` + nodes + `}`
	}
	l.Config[settings.Project+":cluster"] = cluster(`{"type": "Standard_D4s_v5", "max": 9}`)
	l.Update(t)
	l.Config[settings.Project+":cluster"] = cluster(`{"type": "Standard_D4as_v5", "max": 9}`)
	calls := l.Update(t)
	assert.Equal(t, []string{"create cluster-nodes-pool", "delete cluster-nodes-pool"}, calls)
	l.Config[settings.Project+":cluster"] = cluster(`{"type": "Standard_D4as_v5", "max": 12}`)
	assert.Equal(t, []string{"update cluster-nodes-pool"}, l.Update(t))
}

// TestTheAutoscalerCounts: an update with another number of nodes would scale the
// pool.
func TestTheAutoscalerCounts(t *testing.T) {
	t.Parallel()
	count := func(file, pool string, nodes int) float64 {
		r := run(t, file)
		r.Cloud = cloud{cluster: present(pool, nodes, pool == "system")}
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		for _, n := range g.OfType("azure-native:containerservice:AgentPool") {
			return number(n, "count")
		}
		return number(g.OfType("azure-native:containerservice:ManagedCluster")[0], "agentPoolProfiles[0].count")
	}
	name := ""
	for _, n := range record(t, prod).OfType("azure-native:containerservice:AgentPool") {
		name = text(n, "agentPoolName")
	}
	assert.Regexp(t, poolName, name)
	assert.InDelta(t, 3, count(prod, "another", 7), 0, "cluster.nodes.desired to begin with")
	assert.InDelta(t, 7, count(prod, name, 7), 0)
	assert.InDelta(t, 9, count(prod, name, 50), 0, "at most cluster.nodes.max")
	assert.InDelta(t, 3, count(dev, "system", 3), 0, "without a pool for the cluster's own pods")
}

// present is a cluster that is there, with a pool that the autoscaler counts or not.
func present(pool string, nodes int, scaled bool) map[string]any {
	return map[string]any{"name": "mlflow", "currentKubernetesVersion": "1.36.3", "agentPoolProfiles": []any{
		map[string]any{"name": pool, "count": nodes, "enableAutoScaling": scaled, "vmSize": "Standard_D4as_v5", "osDiskSizeGB": 64},
	}}
}

// TestWhatAClusterCannotBecome is said before anything is made: Azure refuses it in
// the middle of the update.
func TestWhatAClusterCannotBecome(t *testing.T) {
	t.Parallel()
	const access = `"admins": ["group:aaaaaaaa-0000-4000-8000-000000000001"], "apiAccessCIDRs": ["198.51.100.0/24"]`
	for name, c := range map[string]struct {
		file, cluster string
		there         map[string]any
		want          string
	}{
		"another version": {prod, access + `, "version": "1.37"`, present("system", 2, false), `cluster.version is "1.37"; want 1.36, which the cluster has. For another one first: az aks upgrade --resource-group mlflow-azure-prod --name mlflow-azure-prod --kubernetes-version 1.37`},
		"a version back":  {prod, access + `, "version": "1.35"`, present("system", 2, false), `cluster.version is "1.35"; want 1.36, which the cluster has`},
		"other system nodes": {prod, access + `, "systemNodes": {"type": "Standard_D4s_v5"}`, present("system", 2, false),
			`cluster.systemNodes.type is "Standard_D4s_v5"; want Standard_D4as_v5, which the cluster's first pool has: AKS changes neither its type nor its disk`},
		"no system nodes any more": {dev, access, present("system", 2, false), `cluster.systemNodes.count is 0; want at least 2, with which this cluster began: make another stack without`},
		"system nodes from now on": {prod, access, present("system", 2, true), `cluster.systemNodes.count is 2; want 0, without which this cluster began: make another stack for a pool of its own`},
		"other nodes of a single pool": {dev, access + `, "nodes": {"type": "Standard_D4s_v5", "diskGiB": 128}`, present("system", 2, true),
			`cluster.nodes.type is "Standard_D4s_v5"; want Standard_D4as_v5, which the cluster's first pool has: AKS changes neither its type nor its disk`},
		"other disks of a single pool": {dev, access + `, "nodes": {"diskGiB": 128}`, present("system", 2, true), `cluster.nodes.diskGiB is 128; want 64, which the cluster's first pool has`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, c.file)
			r.Config[settings.Project+":cluster"] = "{" + c.cluster + "}"
			r.Config[settings.Project+":budget"] = `{"monthlyUSD": 3000, "emails": ["a@example.com"]}`
			r.Cloud = cloud{cluster: c.there}
			refuses(t, r, c.want)
		})
	}
}

// TestBackupsStayWhereTheyAre: where they go is decided when a server is made, and a
// new server would be an empty one.
func TestBackupsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ geo, database, want string }{
		{"Disabled", `{"backup": {"pairedRegion": "centralus"}}`, `database.backup.pairedRegion is "centralus"; want nothing, without which this server was made`},
		{"Enabled", `{}`, `database.backup.pairedRegion is ""; want the paired region, where this server's backups are`},
		{"Enabled", `{"backup": {"pairedRegion": "centralus"}}`, ""},
	} {
		r := run(t, dev)
		r.Config[settings.Project+":database"] = c.database
		r.Cloud = cloud{servers: map[string]int{"mlflow-azure-dev-0a1b2c": 32}, geo: c.geo}
		_, err := graph.Record(r, newProgram())
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
	}
}

// TestABusyServerIsAskedAgain: it says so also after it was made, and the provider
// asks once.
func TestABusyServerIsAskedAgain(t *testing.T) {
	refusing := func(times int, says string) (error, int) {
		l := newLive(t, dev)
		var mu sync.Mutex
		tries := 0
		l.Refuse(func(name string) error {
			mu.Lock()
			defer mu.Unlock()
			if name != "database-max-connections" {
				return nil
			}
			if tries++; tries > times {
				return nil
			}
			return errors.New(says)
		})
		_, err := l.Up(t.Context(), optup.SuppressProgress())
		return err, tries
	}
	const busy = `Status=409 Code="ServerIsBusy" Message="Cannot complete operation while the server is busy"`
	err, tries := refusing(3, busy)
	require.NoError(t, err)
	assert.Equal(t, 4, tries)
	err, tries = refusing(100, busy)
	require.ErrorContains(t, err, "ServerIsBusy")
	assert.Equal(t, 21, tries, "ten minutes, and no longer")
	err, tries = refusing(1, `Status=400 Code="InvalidParameterValue"`)
	require.ErrorContains(t, err, "InvalidParameterValue")
	assert.Equal(t, 1, tries, "what is wrong stays wrong")
}

// TestTheKubeconfigHoldsNoCredentials, and names an address that is reached.
func TestTheKubeconfigHoldsNoCredentials(t *testing.T) {
	t.Parallel()
	for _, file := range files {
		host := "https://mlflow.hcp.westeurope.azmk8s.io:443"
		if !strings.Contains(file, "dev") && !strings.Contains(file, "prod") {
			host = "https://public.hcp.westeurope.azmk8s.io:443"
		}
		providers := record(t, file).OfType("pulumi:providers:kubernetes")
		require.Len(t, providers, 2)
		for _, n := range providers {
			kubeconfig := text(n, "kubeconfig")
			assert.Contains(t, kubeconfig, host, file)
			assert.Contains(t, kubeconfig, `"command":"kubelogin"`)
			assert.NotContains(t, kubeconfig, "a-token-that-must-not-be-used")
		}
	}
}

// TestTheClockOfAzure: a wait is never longer than a role can take, however far the
// clocks are apart.
func TestTheClockOfAzure(t *testing.T) {
	r := run(t, dev)
	r.Cloud = cloud{roles: azure.Now()}
	all := waits(-24*time.Hour, func() {
		_, err := graph.Record(r, newProgram())
		require.NoError(t, err)
	})
	assert.Equal(t, 10*time.Minute, slices.Max(all))
}

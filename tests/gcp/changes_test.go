package gcp_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/components/gcp"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// refuses runs a stack that is refused before anything is made.
func refuses(t *testing.T, r graph.Run, want string) {
	t.Helper()
	g, err := graph.Record(r, newProgram())
	require.ErrorContains(t, err, want)
	for _, n := range g.Nodes {
		assert.Contains(t, n.Type, "pulumi:providers:", "something is made")
	}
}

// TestStorageFollowsTheServer: Cloud SQL grows by itself, and refuses every change
// of a server together with a smaller size.
func TestStorageFollowsTheServer(t *testing.T) {
	t.Parallel()
	size := func(servers map[string]int) float64 {
		r := run(t, prod)
		r.Cloud = cloud{servers: servers}
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		return number(g.OfType(instance)[0], "settings.diskSize")
	}
	const name = "mlflow-gcp-prod-0a1b2c"
	assert.InDelta(t, 500, size(nil), 0, "a new one")
	assert.InDelta(t, 500, size(map[string]int{name: 200}), 0, "raised by hand")
	assert.InDelta(t, 1200, size(map[string]int{name: 1200}), 0, "grown")
	assert.InDelta(t, 500, size(map[string]int{"another": 1200}), 0)
}

// TestWhatAClusterCannotBecome is said before anything is made.
func TestWhatAClusterCannotBecome(t *testing.T) {
	t.Parallel()
	there := func(changes map[string]any) map[string]any {
		all := map[string]any{"name": "mlflow-gcp-prod", "masterVersion": "1.35.4-gke.100", "clusterIpv4Cidr": "10.40.128.0/17", "servicesIpv4Cidr": "172.20.0.0/16"}
		for k, v := range changes {
			all[k] = v
		}
		return all
	}
	for name, c := range map[string]struct {
		cluster map[string]any
		want    string
	}{
		"as it is":          {there(nil), ""},
		"raised by Google":  {there(map[string]any{"masterVersion": "1.39.1-gke.7"}), ""},
		"another network":   {there(map[string]any{"clusterIpv4Cidr": "10.20.128.0/17"}), `network.cidr is "10.40.0.0/16"; want the one in which the cluster's pods have 10.20.128.0/17: it cannot change`},
		"other services":    {there(map[string]any{"servicesIpv4Cidr": "172.24.0.0/16"}), `cluster.serviceCIDR is "172.20.0.0/16"; want 172.24.0.0/16, which the cluster has: it cannot change`},
		"without addresses": {there(map[string]any{"servicesIpv4Cidr": "", "clusterIpv4Cidr": ""}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, prod)
			r.Cloud = cloud{cluster: c.cluster}
			if c.want == "" {
				_, err := graph.Record(r, newProgram())
				require.NoError(t, err)
				return
			}
			refuses(t, r, c.want)
		})
	}
}

// TestGoogleEncryptsMoreThanItWasAsked: its own word for that cannot be sent, and no
// other undoes it.
func TestGoogleEncryptsMoreThanItWasAsked(t *testing.T) {
	t.Parallel()
	for state, said := range map[string]bool{"": true, "ENCRYPTED": true, "DECRYPTED": true, "ALL_OBJECTS_ENCRYPTION_ENABLED": false} {
		r := run(t, prod)
		r.Cloud = cloud{cluster: map[string]any{"masterVersion": "1.35.4-gke.100", "databaseEncryptions": []any{map[string]any{"state": state}}}}
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		assert.Equal(t, said, text(g.OfType(cluster)[0], "databaseEncryption.state") == "ENCRYPTED", state)
	}
}

// TestABudgetNeedsABillingAccount: without one Google refuses the budget when
// everything else is made.
func TestABudgetNeedsABillingAccount(t *testing.T) {
	t.Parallel()
	r := run(t, dev)
	r.Cloud = cloud{unpaid: true}
	refuses(t, r, `budget.billingAccount is ""; want the billing account of ml-platform-dev, which does not show (gcloud billing accounts list); `+
		`without any: gcloud billing projects link ml-platform-dev --billing-account ID; or budget.enabled false`)
	for _, own := range []string{`{"emails": ["a@example.com"], "billingAccount": "0A1B2C-3D4E5F-001122"}`, `{"emails": ["a@example.com"], "enabled": false}`} {
		r := run(t, dev)
		r.Cloud = cloud{unpaid: true}
		r.Config[settings.Project+":budget"] = own
		_, err := graph.Record(r, newProgram())
		require.NoError(t, err, own)
	}
}

// TestAnEmptyProject: before the first update no API is enabled that could tell what
// is there.
func TestAnEmptyProject(t *testing.T) {
	t.Parallel()
	r := run(t, dev)
	r.Cloud, r.Preview = cloud{early: true}, true
	_, err := graph.Record(r, newProgram())
	require.NoError(t, err)
}

// TestZones: two regions have no zone a.
func TestZones(t *testing.T) {
	t.Parallel()
	for region, want := range map[string][]string{
		"europe-west3": {"europe-west3-a", "europe-west3-b", "europe-west3-c"}, "us-east1": {"us-east1-b", "us-east1-c", "us-east1-d"},
		"europe-west1": {"europe-west1-b", "europe-west1-c", "europe-west1-d"},
	} {
		r := run(t, prod)
		r.Config[settings.Project+":region"] = region
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		var got []string
		for _, zone := range value(g.OfType(pool)[0], "nodeLocations").ArrayValue() {
			got = append(got, zone.StringValue())
		}
		assert.Equal(t, want, got)
	}
}

// TestFewNodes are in as few zones.
func TestFewNodes(t *testing.T) {
	t.Parallel()
	r := run(t, dev)
	r.Config[settings.Project+":cluster"] = `{"admins": ["group:ml-platform@example.com"], "apiAccessCIDRs": ["198.51.100.0/24"], "nodes": {"min": 1, "desired": 2}}`
	g, err := graph.Record(r, newProgram())
	require.NoError(t, err)
	n := g.OfType(pool)[0]
	assert.Len(t, value(n, "nodeLocations").ArrayValue(), 2)
	assert.InDelta(t, 1, number(n, "initialNodeCount"), 0)
	assert.InDelta(t, 1, number(n, "autoscaling.totalMinNodeCount"), 0)
}

// TestWhatIsNewIsWaitedFor: what uses a key or an API a moment after the role or the
// API was there is refused, so the first update waits, and no later one.
func TestWhatIsNewIsWaitedFor(t *testing.T) {
	var mu sync.Mutex
	var waits []time.Duration
	gcp.Sleep = func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		waits = append(waits, d)
	}
	t.Cleanup(func() { gcp.Sleep = func(time.Duration) {} })
	l := newLive(t, prod)
	calls := l.Update(t)
	mu.Lock()
	made := 0
	for _, call := range calls {
		if strings.HasPrefix(call, "create ") && strings.HasSuffix(call, "-key-use") || strings.HasPrefix(call, "create services-") {
			made++
		}
	}
	assert.GreaterOrEqual(t, len(waits), made)
	assert.Equal(t, []time.Duration{2 * time.Minute}, slices.Compact(slices.Clone(waits)))
	waits = nil
	mu.Unlock()
	l.Set(t, "database.maxConnections", 500)
	l.Update(t)
	assert.Empty(t, waits)
}

// TestTheWaitComesFirst: a user of a key is not made while somebody waits for its
// role.
func TestTheWaitComesFirst(t *testing.T) {
	l := newLive(t, dev)
	var mu sync.Mutex
	early := map[string]bool{}
	gcp.Sleep = func(time.Duration) {
		// Long enough for the engine to go on with what does not wait.
		time.Sleep(300 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		for _, call := range l.Take() {
			early[call] = true
		}
	}
	t.Cleanup(func() { gcp.Sleep = func(time.Duration) {} })
	l.Update(t)
	for use := range early {
		for user, role := range users {
			if use == "create "+user {
				assert.True(t, early["create "+role], "%s without %s", user, role)
			}
		}
	}
	assert.True(t, early["create services-cloudkms"])
}

// TestGoogleIsAskedAgain where it has not caught up with itself, and nowhere else.
func TestGoogleIsAskedAgain(t *testing.T) {
	refusing := func(name string, times int, says string) (error, int) {
		l := newLive(t, dev)
		var mu sync.Mutex
		tries := 0
		l.Refuse(func(made string) error {
			mu.Lock()
			defer mu.Unlock()
			if made != name {
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
	const denied = "googleapi: Error 403: Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key."
	err, tries := refusing("bucket-artifacts-bucket", 3, denied)
	require.NoError(t, err)
	assert.Equal(t, 4, tries)
	err, tries = refusing("bucket-artifacts-bucket", 100, denied)
	require.ErrorContains(t, err, "Permission denied on Cloud KMS key")
	assert.Equal(t, 21, tries, "ten minutes, and no longer")
	err, tries = refusing("network-vpc", 2, "googleapi: Error 403: Compute Engine API has not been used in project 1 before or it is disabled. If you enabled this API recently, wait a few minutes for the action to propagate")
	require.NoError(t, err)
	assert.Equal(t, 3, tries)
	err, tries = refusing("network-vpc", 1, "googleapi: Error 403: Required 'compute.networks.create' permission, forbidden")
	require.ErrorContains(t, err, "forbidden")
	assert.Equal(t, 1, tries, "what is wrong stays wrong")
}

// TestAnUpdateThatFailedIsRepeated: its preview asks nobody about an instance that has a
// name by now, and is not there.
func TestAnUpdateThatFailedIsRepeated(t *testing.T) {
	r, unmade := run(t, dev), &atomic.Bool{}
	r.Cloud = cloud{unmade: unmade}
	l := provider.NewLive(t, r, newProgram, fixed, "gcp")
	unmade.Store(true)
	l.Refuse(func(name string) error {
		if name == "database-instance" {
			return errors.New("googleapi: Error 403: quota exceeded")
		}
		return nil
	})
	_, err := l.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, "quota exceeded")
	_, err = l.Preview(t.Context(), optpreview.SuppressProgress())
	require.NoError(t, err)
	l.Refuse(func(name string) error {
		unmade.CompareAndSwap(name == "database-instance", false)
		return nil
	})
	l.Update(t)
	l.CheckSettled(t)
}

// TestThePoolChangesInPlace: GKE replaces its nodes one by one.
func TestThePoolChangesInPlace(t *testing.T) {
	l := newLive(t, dev)
	l.Set(t, "budget.monthlyUSD", 600)
	l.Update(t)
	for _, nodes := range []map[string]any{{"type": "n2-standard-4"}, {"type": "n2-standard-4", "diskGiB": 80}, {"type": "n2-standard-4", "diskGiB": 80, "max": 9}} {
		l.Set(t, "cluster.nodes", nodes)
		assert.Equal(t, []string{"update cluster-nodes-pool"}, l.Update(t))
	}
}

// TestTheKubeconfigHoldsNoCredentials, and names an address that is reached.
func TestTheKubeconfigHoldsNoCredentials(t *testing.T) {
	t.Parallel()
	for file, host := range map[string]string{dev: "https://203.0.113.9", prod: "https://203.0.113.9", inCluster: "https://10.40.64.2", existingNetwork: "https://10.40.64.2"} {
		providers := record(t, file).OfType("pulumi:providers:kubernetes")
		require.Len(t, providers, 2)
		for _, n := range providers {
			kubeconfig := text(n, "kubeconfig")
			assert.Contains(t, kubeconfig, `"server":"`+host+`"`, file)
			assert.Contains(t, kubeconfig, `"args":["--use_application_default_credentials"],"command":"gke-gcloud-auth-plugin"`)
			assert.NotContains(t, kubeconfig, "token")
		}
	}
}

// TestConnectionsVerifyTheServer: by the authority that the server alone has.
func TestConnectionsVerifyTheServer(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{prod: "verify-ca", inCluster: "verify-full"} {
		for _, n := range record(t, file).Nodes {
			if n.Name == "mlflow-database" {
				assert.Contains(t, fmt.Sprint(value(n, "stringData")), "sslmode="+want+"&sslrootcert=/etc/database/ca.crt", file)
			}
			if n.Name == "database-ca" {
				for _, authority := range []string{"active", "next"} {
					assert.Contains(t, fmt.Sprint(value(n, "stringData")), "BEGIN CERTIFICATE----- "+authority)
				}
			}
		}
	}
}

// TestAGatewayOfGoogles: its load balancer is no pod, asks for its health and refuses
// what a route says about time.
func TestAGatewayOfGoogles(t *testing.T) {
	t.Parallel()
	kinds := func(controller string) (map[string]graph.Node, string) {
		r := run(t, prod)
		r.Config[settings.Project+":exposure"] = `{"mode": "gateway", "host": "mlflow.example.com", "parentGateway": "gateways/external/https", "controllerNamespace": "` + controller + `"}`
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		found, policy := map[string]graph.Node{}, ""
		for _, n := range g.Nodes {
			found[n.Type[strings.LastIndex(n.Type, ":")+1:]] = n
			if n.Name == "workspace-netpol-gateway" {
				policy = fmt.Sprint(n.Inputs)
			}
		}
		return found, policy
	}
	google, policy := kinds("")
	assert.True(t, value(google["HTTPRoute"], "spec.rules[0].timeouts").IsNull())
	assert.Equal(t, "/health", text(google["HealthCheckPolicy"], "spec.default.config.httpHealthCheck.requestPath"))
	assert.InDelta(t, 3600, number(google["GCPBackendPolicy"], "spec.default.timeoutSec"), 0)
	for _, kind := range []string{"HealthCheckPolicy", "GCPBackendPolicy"} {
		assert.Equal(t, "gateway", text(google[kind], "spec.targetRef.name"))
	}
	assert.Contains(t, policy, "35.191.0.0/16")
	assert.Contains(t, policy, "130.211.0.0/22")

	own, policy := kinds("envoy-gateway")
	assert.Equal(t, "0s", text(own["HTTPRoute"], "spec.rules[0].timeouts.request"))
	assert.NotContains(t, own, "HealthCheckPolicy")
	assert.NotContains(t, policy, "35.191.0.0/16")
	assert.Contains(t, policy, "envoy-gateway")
}

// TestAnInternalLoadBalancer is reached from other regions, and another one than the
// public one.
func TestAnInternalLoadBalancer(t *testing.T) {
	t.Parallel()
	service := func(file string) graph.Node {
		for _, n := range record(t, file).OfType("kubernetes:core/v1:Service") {
			if text(n, "spec.type") == "LoadBalancer" {
				return n
			}
		}
		panic("no load balancer")
	}
	inside, outside := service(inCluster), service(prod)
	assert.Equal(t, "true", text(inside, `metadata.annotations["networking.gke.io/internal-load-balancer-allow-global-access"]`))
	assert.Empty(t, text(outside, `metadata.annotations["networking.gke.io/internal-load-balancer-allow-global-access"]`))
	assert.NotEqual(t, inside.Name, outside.Name)
}

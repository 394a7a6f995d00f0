//go:build e2e && linux

package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/box"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// TestCluster takes one cluster through its life. The steps build on each
// other; a failed one ends the test.
func TestCluster(t *testing.T) {
	options, out := testOptions(t, "e2e-cluster")
	c, err := New(options)
	require.NoError(t, err)
	// A run that was killed leaves its cluster behind.
	require.NoError(t, c.Down(t.Context(), true))
	k := newKubectl(t, c)
	_, _, err = c.ensure(t.Context())
	require.NoError(t, err)
	before := takeSnapshot(t, c.group())
	t.Cleanup(func() {
		assert.NoError(t, c.Down(context.WithoutCancel(t.Context()), !t.Failed()), "logs of a failed test stay in the state directory")
	})
	step := func(name string, f func(t *testing.T)) {
		t.Helper()
		require.True(t, t.Run(name, f), "step %q failed", name)
	}

	step("becomes ready", func(t *testing.T) {
		begin := time.Now()
		require.NoError(t, c.Up(t.Context()))
		t.Logf("ready after %s", time.Since(begin))
		status, err := c.Status(t.Context())
		require.NoError(t, err)
		assert.True(t, status.Ready, status.Reason)
	})
	step("is left alone by a second up", func(t *testing.T) {
		pid, err := box.PID(c.state)
		require.NoError(t, err)
		require.NoError(t, c.Up(t.Context()))
		assert.Contains(t, out.String(), "is running already")
		again, err := box.PID(c.state)
		require.NoError(t, err)
		assert.Equal(t, pid, again)
	})
	step("shows nothing on the host while it runs", func(t *testing.T) {
		requireSame(t, before, takeSnapshot(t, c.group()), "control groups")
	})
	step("loads an image once", func(t *testing.T) {
		archive := probeArchive(t)
		require.NoError(t, c.Load(t.Context(), archive))
		require.NoError(t, c.Load(t.Context(), archive))
		assert.Equal(t, 1, strings.Count(out.String(), "loaded localhost/mlflow-platform/probe:e2e"))
	})
	step("runs restricted Pods", func(t *testing.T) {
		k.run(t, "apply", "--filename", "testdata/app.yaml")
		waitForApp(t, k)
	})
	step("resolves and balances Services", func(t *testing.T) {
		for _, name := range []string{"server", "server.e2e", "server.e2e.svc.cluster.local"} {
			// kube-proxy hears of ready Pods a moment after they are.
			requireEventually(t, func() error {
				output, err := k.probe(t, "client", "get", "http://"+name)
				if err != nil || !strings.Contains(output, "hello from server-") {
					return fmt.Errorf("%w: %s", err, output)
				}
				return nil
			})
		}
		output, err := k.probe(t, "client", "lookup", "absent.e2e.svc.cluster.local")
		assert.Error(t, err, output)
	})
	step("publishes a LoadBalancer Service on the host", func(t *testing.T) {
		requireEventually(t, func() error { return published(t, c) })
		assert.NotEmpty(t, k.run(t, "get", "service", "public", "--output", "jsonpath={.status.loadBalancer.ingress[0].ip}"))
	})
	step("refuses a port that is taken", func(t *testing.T) {
		k.run(t, "create", "service", "loadbalancer", "late", "--tcp=443:8080")
		requireEventually(t, func() error {
			events := k.run(t, "get", "events", "--field-selector", "involvedObject.name=late", "--output", "jsonpath={.items[*].message}")
			if !strings.Contains(events, "port 443/TCP of the node belongs to Service e2e/public") {
				return fmt.Errorf("events: %s", events)
			}
			return nil
		})
		assert.Empty(t, k.run(t, "get", "service", "late", "--output", "jsonpath={.status.loadBalancer.ingress}"))
		k.run(t, "delete", "service", "late")
	})
	step("enforces NetworkPolicies", func(t *testing.T) {
		requireEventually(t, func() error { return reach(t, k, "stranger") }) // without a policy everything is open
		k.run(t, "apply", "--filename", "testdata/policies-deny.yaml")
		for _, from := range []string{"client", "stranger"} {
			requireEventually(t, func() error { return blocked(t, k, from) })
		}
		k.run(t, "apply", "--filename", "testdata/policies-allow.yaml")
		requireEventually(t, func() error { return reach(t, k, "client") })
		requireEventually(t, func() error { return blocked(t, k, "stranger") })
	})
	step("starts again with its data after SIGKILL", func(t *testing.T) {
		output, err := k.probe(t, "keeper", "write", "/data/note", "kept")
		require.NoError(t, err, output)
		addresses := podAddresses(t, k)
		pid, err := box.PID(c.state)
		require.NoError(t, err)
		require.NoError(t, unix.Kill(pid, unix.SIGKILL))
		requireEventually(t, func() error {
			status, err := c.Status(t.Context())
			if err == nil && status.Running {
				err = fmt.Errorf("still running")
			}
			return err
		})
		begin := time.Now()
		require.NoError(t, c.Up(t.Context()))
		t.Logf("ready again after %s", time.Since(begin))
		requireEventually(t, func() error {
			output, err := k.probe(t, "keeper", "read", "/data/note")
			if err != nil || output != "kept" {
				return fmt.Errorf("%w: %s", err, output)
			}
			return nil
		})
		requireEventually(t, func() error { return reach(t, k, "client") })
		requireEventually(t, func() error { return blocked(t, k, "stranger") })
		requireEventually(t, func() error { return published(t, c) })
		for _, address := range podAddresses(t, k) {
			assert.NotContains(t, addresses, address, "no Pod gets the address of an earlier one")
		}
	})
	step("removes a volume with its claim", func(t *testing.T) {
		require.Len(t, glob(t, c.state.Data("volumes"), "*_e2e_data"), 1)
		k.run(t, "delete", "deployment/keeper", "persistentvolumeclaim/data", "--timeout", eventually.String())
		requireEventually(t, func() error {
			if left := glob(t, c.state.Data("volumes"), "*"); len(left) > 0 {
				return fmt.Errorf("left are %v", left)
			}
			return nil
		})
	})
	step("reports and repairs a dead component", func(t *testing.T) {
		report, err := box.ReadStatus(c.state)
		require.NoError(t, err)
		for _, component := range report.Components {
			if component.Name == "kube-scheduler" {
				require.NoError(t, c.Exec(t.Context(), []string{"kill", "-KILL", strconv.Itoa(component.PID)}, nil, nil, nil))
			}
		}
		requireEventually(t, func() error {
			status, err := c.Status(t.Context())
			if err == nil && status.Reason != "kube-scheduler ended: signal: killed" {
				err = fmt.Errorf("the reason is %q", status.Reason)
			}
			return err
		})
		require.NoError(t, c.Up(t.Context()))
		status, err := c.Status(t.Context())
		require.NoError(t, err)
		assert.True(t, status.Ready, status.Reason)
	})
	step("finishes what was left unfinished", func(t *testing.T) {
		pid, err := box.PID(c.state)
		require.NoError(t, err)
		k.run(t, "delete", "deployment", "coredns", "--namespace", "kube-system")
		status, err := c.Status(t.Context())
		require.NoError(t, err)
		require.False(t, status.Ready)
		require.NoError(t, c.Up(t.Context()))
		status, err = c.Status(t.Context())
		require.NoError(t, err)
		assert.True(t, status.Ready, status.Reason)
		again, err := box.PID(c.state)
		require.NoError(t, err)
		assert.Equal(t, pid, again, "without a restart of the node")
	})
	step("is listed while it runs", func(t *testing.T) {
		running, err := Running()
		require.NoError(t, err)
		assert.Contains(t, running, options.Name)
	})
	step("is never changed as an existing cluster", func(t *testing.T) {
		existing, err := New(Options{Name: "any", Kubeconfig: c.Kubeconfig(), Out: t.Output()})
		require.NoError(t, err)
		require.NoError(t, existing.Up(t.Context()))
		require.ErrorIs(t, existing.Down(t.Context(), true), ErrExisting)
		require.ErrorIs(t, existing.Load(t.Context(), "any.tar"), ErrExisting)
		require.ErrorIs(t, existing.Exec(t.Context(), []string{"true"}, nil, nil, nil), ErrExisting)
		require.NoError(t, c.Up(t.Context()), "it still runs")
	})
	step("takes two commands one after the other", func(t *testing.T) {
		require.NoError(t, c.Down(t.Context(), false))
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { assert.NoError(t, c.Up(t.Context())) })
		}
		both.Wait()
		assert.Contains(t, out.String(), "waiting for another command")
	})
	step("leaves nothing", func(t *testing.T) {
		status, err := c.Status(t.Context())
		require.NoError(t, err)
		require.NoError(t, c.Down(t.Context(), true))
		requireSame(t, before, takeSnapshot(t, c.group()))
		assert.NoDirExists(t, c.StateDir())
		for _, port := range []int{status.Publish[0].HostPort} {
			_, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
			assert.Error(t, err, "port %d is closed", port)
		}
		require.NoError(t, c.Down(t.Context(), true), "removing what is not there is no error")
		running, err := Running()
		require.NoError(t, err)
		assert.NotContains(t, running, options.Name)
	})
}

func requireEventually(t *testing.T, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(eventually); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	require.NoError(t, err)
}

func waitForApp(t *testing.T, k kubectl) {
	t.Helper()
	for _, deployment := range []string{"server", "client", "stranger", "keeper"} {
		k.run(t, "rollout", "status", "deployment/"+deployment, "--timeout", eventually.String())
	}
}

// podAddresses returns the addresses of all Pods.
func podAddresses(t *testing.T, k kubectl) []string {
	t.Helper()
	return strings.Fields(k.run(t, "get", "pods", "--all-namespaces", "--output", "jsonpath={.items[*].status.podIP}"))
}

// reach connects from a Deployment's Pod to the server.
func reach(t *testing.T, k kubectl, from string) error {
	output, err := k.probe(t, from, "get", "http://server")
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// blocked is nil if the Pod runs and cannot connect to a server's address, with
// the name already resolved: that DNS is blocked must not hide that the server
// is not.
func blocked(t *testing.T, k kubectl, from string) error {
	for address := range strings.FieldsSeq(k.run(t, "get", "pods", "--selector", "app=server", "--output", "jsonpath={.items[*].status.podIP}")) {
		output, err := k.probe(t, from, "get", "http://"+net.JoinHostPort(address, "8080"))
		if err == nil {
			return fmt.Errorf("%s reaches %s: %s", from, address, output)
		}
		if !strings.Contains(output, address) {
			return fmt.Errorf("the probe did not run: %w: %s", err, output)
		}
	}
	return nil
}

// published gets an answer of the LoadBalancer Service through the host's port.
func published(t *testing.T, c *Cluster) error {
	status, err := c.Status(t.Context())
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", status.Publish[0].HostPort))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && !strings.HasPrefix(string(text), "hello from server-") {
		err = fmt.Errorf("the answer is %q", text)
	}
	return err
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	return found
}

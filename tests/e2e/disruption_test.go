//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// timeoutLogs is how long the kubelet may take to show a log line.
	timeoutLogs = 30 * time.Second
	// timeoutRecovery is how long the workload may take to be whole again; the
	// server's start alone takes up to 45 s.
	timeoutRecovery = 4 * time.Minute
	// clients is how many log at once.
	clients = 8
)

// load is the real client in a process of its own, logging all the time.
type load struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
	stderr *strings.Builder
}

func (p *platform) startLoad(t *testing.T, experiment string) *load {
	t.Helper()
	p.load(t)
	l := &load{stderr: &strings.Builder{}}
	l.cmd = p.command(t, p.python(t), filepath.Join(p.root, "tests", "e2e", "testdata", "load.py"), fmt.Sprint(clients), experiment)
	stdin, err := l.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := l.cmd.StdoutPipe()
	require.NoError(t, err)
	l.stdin, l.stdout, l.cmd.Stderr = stdin, bufio.NewReader(stdout), l.stderr
	require.NoError(t, l.cmd.Start())
	line, err := l.stdout.ReadString('\n')
	require.NoError(t, err, l.stderr)
	require.Equal(t, "ready\n", line)
	return l
}

// report is what load.py prints at its end.
type report struct {
	Calls    int      `json:"calls"`
	Failures []string `json:"failures"`
	Lost     int      `json:"lost"`
	Slowest  float64  `json:"slowest"`
}

// stop ends the load and checks that no call failed and no value was lost.
func (l *load) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, l.stdin.Close())
	text, err := l.stdout.ReadString('\n')
	require.NoError(t, err, l.stderr)
	require.NoError(t, l.cmd.Wait())
	var r report
	require.NoError(t, json.Unmarshal([]byte(text), &r), text)
	t.Logf("%d calls by %d clients, slowest %.1f s", r.Calls, clients, r.Slowest)
	assert.Empty(t, r.Failures, "calls of the real client that failed")
	assert.Zero(t, r.Lost, "values the server confirmed and does not have")
	assert.Greater(t, r.Calls, 10*clients, "that was no load")
}

// podLoss kills one of two servers without any grace.
func podLoss(t *testing.T, p *platform) {
	before := p.pods(t, mlflowPods)
	require.Len(t, before, 2)
	l := p.startLoad(t, "pod-loss")
	time.Sleep(5 * time.Second)
	p.kube(t, "delete", "pod", before[0], "--grace-period=0", "--force")
	p.rolledOut(t, "mlflow")
	time.Sleep(5 * time.Second)
	l.stop(t)
	after := p.pods(t, mlflowPods)
	assert.Len(t, after, 2)
	assert.NotContains(t, after, before[0])
}

func rollout(t *testing.T, p *platform)        { p.restartUnderLoad(t, "mlflow", mlflowPods) }
func gatewayRollout(t *testing.T, p *platform) { p.restartUnderLoad(t, "gateway", gatewayPods) }

func (p *platform) restartUnderLoad(t *testing.T, deployment, selector string) {
	t.Helper()
	before := p.pods(t, selector)
	l := p.startLoad(t, deployment+"-rollout")
	p.kube(t, "rollout", "restart", "deployment/"+deployment)
	p.rolledOut(t, deployment)
	time.Sleep(5 * time.Second)
	l.stop(t)
	for _, pod := range p.pods(t, selector) {
		assert.NotContains(t, before, pod, "every pod is a new one")
	}
}

// databaseRestart deletes the only instance: calls may fail while it is away,
// and everything answers again without anybody's help.
func databaseRestart(t *testing.T, p *platform) {
	c := p.client(t)
	r := c.run(t, c.experiment(t, "database-restart"), "before")
	restarts := p.restarts(t)
	id := path(p.get(t, "pod", "postgresql-1"), "metadata", "uid")
	p.kube(t, "delete", "pod", "postgresql-1", "--wait=true")
	p.eventually(t, timeoutRecovery, "a new database pod is ready", func() error {
		pod := p.run(t, p.kubectl(t, "get", "pod", "postgresql-1", "--output",
			`jsonpath={.metadata.uid} {.status.conditions[?(@.type=="Ready")].status}`))
		if pod.err != nil || pod.stdout == fmt.Sprint(id, " True") || !strings.HasSuffix(pod.stdout, " True") {
			return fmt.Errorf("%s", pod.all())
		}
		return nil
	})
	p.eventually(t, time.Minute, "MLflow answers", func() error {
		if a := c.send(t, http.MethodGet, api+"/runs/get?run_id="+r.id, nil); a.status != http.StatusOK {
			return fmt.Errorf("%d: %s", a.status, a.body)
		}
		return nil
	})
	assert.True(t, c.readable(t, r))
	assert.Equal(t, "active", c.stage(t, c.run(t, c.experiment(t, "database-restarted"), "after")))
	assert.Equal(t, restarts, p.restarts(t), "an outage of the database restarts no server")
}

// unencrypted connects as the server does, and then without encryption.
const unencrypted = `
import os, psycopg2
uri = os.environ["MLFLOW_BACKEND_STORE_URI"].replace("+psycopg2", "")
psycopg2.connect(uri).close()
print("encrypted: connected")
try:
    psycopg2.connect(uri.replace("sslmode=verify-full", "sslmode=disable")).close()
    print("unencrypted: connected")
except psycopg2.OperationalError as error:
    print("unencrypted:", error)
`

// databaseEncryption tries the way that nothing of the platform goes.
func databaseEncryption(t *testing.T, p *platform) {
	out := p.python3(t, namespace, p.serverPod(t), unencrypted)
	assert.Contains(t, out, "encrypted: connected")
	assert.NotContains(t, out, "unencrypted: connected")
	assert.Contains(t, out, "no encryption", "PostgreSQL says why")
}

// restarts counts container restarts of the server pods.
func (p *platform) restarts(t *testing.T) map[string]string {
	t.Helper()
	counts := map[string]string{}
	for _, pod := range p.pods(t, mlflowPods) {
		counts[pod] = p.kube(t, "get", "pod", pod, "--output", "jsonpath={.status.containerStatuses[*].restartCount}")
	}
	return counts
}

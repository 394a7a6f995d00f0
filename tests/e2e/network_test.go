//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dial is a Python program that tries TCP connections and prints a JSON object
// of target to whether it was reached. A refusal is tried again for a while
// when all targets are expected to answer: policies reach a new pod a moment
// after it starts.
const dial = `
import json, socket, sys, time
want, targets = sys.argv[1] == "open", sys.argv[2:]
def reached(target):
    host, port = target.rsplit(":", 1)
    deadline = time.monotonic() + (20 if want else 0)
    while True:
        try:
            socket.create_connection((host, int(port)), 3).close()
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(1)
print(json.dumps({t: reached(t) for t in targets}))
`

// outside is an address of a documentation network (RFC 5737) that the step
// puts on the node, so that there is an outside that answers.
const outside = "192.0.2.1"

// networkPolicies tries connections from pods. Services are given by their
// cluster address: a pod without the right to ask the DNS must not be refused
// for that reason.
func networkPolicies(t *testing.T, p *platform) {
	address := func(service string) string {
		return p.kube(t, "get", "service", service, "--output", "jsonpath={.spec.clusterIP}")
	}
	mlflow, database, store := address("mlflow")+":5000", address("postgresql-rw")+":5432", address("minio")+":9000"
	gateway, apiServer := address("gateway")+":443", "10.96.0.1:443"
	p.node(t, "ip", "address", "replace", outside+"/32", "dev", "lo")
	t.Cleanup(func() { p.node(t, "ip", "address", "delete", outside+"/32", "dev", "lo") })
	internet := outside + ":6443"

	stranger := p.probe(t, "stranger", namespace, "stranger")
	posing := p.probe(t, "posing-as-gateway", namespace, "gateway")
	neighbour := p.probe(t, "neighbour", "default", "stranger")
	server := p.serverPod(t)

	// In the namespace, without a role: nothing is reached, not even the DNS'
	// neighbours. The same pod with the gateway's label reaches the server and
	// nothing behind it.
	p.closed(t, namespace, stranger, mlflow, database, store, gateway, apiServer, internet)
	p.open(t, namespace, posing, mlflow)
	p.closed(t, namespace, posing, database, store, apiServer, internet)
	// In another namespace nothing limits what a pod sends, so this shows what
	// the server's side refuses, and that all the addresses answer somebody.
	p.open(t, "default", neighbour, gateway, apiServer, internet)
	p.closed(t, "default", neighbour, mlflow, database, store)
	// The server reaches what it needs and nothing else.
	p.open(t, namespace, server, database, store)
	p.closed(t, namespace, server, apiServer, internet, gateway)
}

// node runs a command inside the node's namespaces.
func (p *platform) node(t *testing.T, args ...string) string {
	t.Helper()
	return p.must(t, p.command(t, p.bin+"/localcluster", append([]string{"exec", "--name", clusterName}, args...)...))
}

func (p *platform) open(t *testing.T, ns, pod string, targets ...string) {
	t.Helper()
	for target, reached := range p.dial(t, ns, pod, "open", targets) {
		assert.True(t, reached, "%s/%s must reach %s", ns, pod, target)
	}
}

func (p *platform) closed(t *testing.T, ns, pod string, targets ...string) {
	t.Helper()
	for target, reached := range p.dial(t, ns, pod, "closed", targets) {
		assert.False(t, reached, "%s/%s must not reach %s", ns, pod, target)
	}
}

func (p *platform) dial(t *testing.T, ns, pod, want string, targets []string) map[string]bool {
	t.Helper()
	var reached map[string]bool
	text := p.python3(t, ns, pod, dial, append([]string{want}, targets...)...)
	require.NoError(t, json.Unmarshal([]byte(text), &reached), text)
	require.Len(t, reached, len(targets))
	return reached
}

// probe is a pod of the server's image that sleeps. It is never ready, so that
// no Service sends it anything whatever label it has.
func (p *platform) probe(t *testing.T, name, ns, label string) string {
	t.Helper()
	p.apply(t, object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{"name": name, "namespace": ns, "labels": object{"app.kubernetes.io/name": label}},
		"spec": object{
			"automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
			"securityContext": object{
				"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": object{"type": "RuntimeDefault"},
			},
			"containers": []object{{
				"name": "probe", "image": p.image(t), "imagePullPolicy": "Never", "command": []string{"sleep", "600"},
				"readinessProbe": object{"exec": object{"command": []string{"false"}}},
				"securityContext": object{
					"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
					"capabilities": object{"drop": []string{"ALL"}},
				},
			}},
		},
	})
	p.eventually(t, time.Minute, "pod "+name+" runs", func() error {
		if phase := p.kube(t, "get", "pod", name, "--namespace", ns, "--output", "jsonpath={.status.phase}"); phase != "Running" {
			return fmt.Errorf("pod %s is %s", name, phase)
		}
		return nil
	})
	// A pod whose policies are not there yet would be refused everything or
	// nothing: it is one of both for a moment.
	time.Sleep(3 * time.Second)
	return name
}

// image is the server's image.
func (p *platform) image(t *testing.T) string {
	t.Helper()
	return p.kube(t, "get", "deployment", "mlflow", "--output", "jsonpath={.spec.template.spec.containers[0].image}")
}

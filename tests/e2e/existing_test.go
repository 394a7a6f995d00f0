//go:build e2e

package e2e

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudnative-pg/cloudnative-pg/releases"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/components/images"
)

// existingPort is where the port-forward to the existing cluster listens.
const existingPort = "8601"

// existingCluster takes the cluster for somebody else's: reached by a kubeconfig
// and a context, with the upstream names of the images, an operator of their own
// and no load balancer. The stack comes and goes, everything else stays as it was.
func existingCluster(t *testing.T, p *platform) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text, err := os.ReadFile(p.vars["KUBECONFIG"])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(kubeconfig, text, 0o600))
	p.kube(t, "config", "rename-context", "localcluster-"+clusterName, "theirs", "--kubeconfig", kubeconfig)
	p.nameUpstream(t)
	p.apply(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "bystander"}})
	p.apply(t, object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": "theirs", "namespace": "bystander"}})
	p.installOperator(t)
	before := p.theirs(t)

	flags := []string{"--kubeconfig", kubeconfig, "--context", "theirs", "--https-port", existingPort}
	bare := func(name string, args ...string) *exec.Cmd {
		cmd := p.command(t, name, args...)
		cmd.Env = own() // not the other stack's backend
		return cmd
	}
	tool := filepath.Join(p.bin, "platform")
	// A namespace of theirs is not taken over: down would delete it.
	p.apply(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": namespace, "labels": object{"owner": "them"}}})
	was := p.kube(t, "get", "namespace", namespace, "--output", "yaml")
	refused := p.run(t, bare(tool, append([]string{"up"}, flags...)...))
	require.Error(t, refused.err)
	assert.Contains(t, refused.all(), `namespaces "`+namespace+`" already exists`)
	assert.Equal(t, was, p.kube(t, "get", "namespace", namespace, "--output", "yaml"))
	p.kube(t, "delete", "namespace", namespace)

	up := p.run(t, bare(tool, append([]string{"up"}, flags...)...))
	require.NoError(t, up.err, tail(up.all()))
	assert.Contains(t, up.stderr, "using the existing cluster")
	assert.Contains(t, up.stderr, "using the CloudNativePG of namespace cnpg-system")
	assert.Contains(t, up.stdout, "make down ARGS='--kubeconfig "+kubeconfig+" --context theirs --https-port "+existingPort+"'")
	assert.Contains(t, up.stdout, "port-forward service/gateway "+existingPort+":443")
	found := strings.Fields(p.kube(t, "get", "pods", "--namespace", namespace, "--output", "jsonpath={.items[*].spec.containers[*].image} {.items[*].spec.initContainers[*].image}"))
	require.NotEmpty(t, found)
	for _, image := range found {
		assert.NotContains(t, image, "localhost/")
	}

	forward := bare(filepath.Join(p.kubeBin, "kube"), "kubectl", "--kubeconfig", kubeconfig, "--context", "theirs",
		"--namespace", namespace, "port-forward", "service/gateway", existingPort+":443")
	require.NoError(t, forward.Start())
	t.Cleanup(func() { _ = forward.Process.Kill(); _ = forward.Wait() })
	p.eventually(t, time.Minute, "the port-forward listens", func() error {
		connection, err := net.Dial("tcp", "127.0.0.1:"+existingPort)
		if err == nil {
			err = connection.Close()
		}
		return err
	})
	doctor := p.run(t, bare(tool, append([]string{"doctor"}, flags...)...))
	require.NoError(t, doctor.err, doctor.all())

	down := p.run(t, bare(tool, append([]string{"down"}, flags...)...))
	require.NoError(t, down.err, tail(down.all()))
	assert.Contains(t, down.stderr, "definitions of CloudNativePG")
	assert.Equal(t, before, p.theirs(t), "what was there before is there as it was")
	// The twin: a change of one of them would show.
	p.kube(t, "annotate", "configmap", "theirs", "--namespace", "bystander", "touched=yes")
	assert.NotEqual(t, before, p.theirs(t))
	assert.NotContains(t, p.kube(t, "get", "namespaces", "--output", "name"), "namespace/"+namespace)
}

// installOperator installs CloudNativePG the way its documentation says.
func (p *platform) installOperator(t *testing.T) {
	t.Helper()
	name := "cnpg-" + images.Version(images.CloudNativePG) + ".yaml"
	manifest, err := releases.OperatorManifests.ReadFile(name)
	require.NoError(t, err)
	// There is no registry to ask for a newer image.
	text := strings.ReplaceAll(string(manifest), "imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	p.kube(t, "apply", "--server-side", "--force-conflicts", "--namespace", "cnpg-system", "--filename", file)
	p.kube(t, "rollout", "status", "deployment/cnpg-controller-manager", "--namespace", "cnpg-system", "--timeout", "3m")
}

// nameUpstream gives the node's images the names that upstream's have: they are
// the same programs, and no registry is there to pull the others from.
func (p *platform) nameUpstream(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(p.root, "components", "images", "images.json"))
	require.NoError(t, err)
	var table map[string]struct{ Upstream, Local string }
	require.NoError(t, json.Unmarshal(raw, &table))
	require.NotEmpty(t, table)
	for _, image := range table {
		p.must(t, p.command(t, filepath.Join(p.bin, "localcluster"), "exec", "--name", clusterName,
			"ctr", "images", "tag", "--force", image.Local, image.Upstream))
	}
}

// theirs are the objects outside of the stack, with what changes when somebody
// writes to them. The definitions of the operator stay on purpose.
func (p *platform) theirs(t *testing.T) []string {
	t.Helper()
	var all []string
	list := func(kinds, columns string, more ...string) {
		found := strings.TrimSpace(p.kube(t, append([]string{"get", kinds, "--output", `jsonpath={range .items[*]}` + columns + `{"\n"}{end}`}, more...)...))
		require.NotEmpty(t, found, kinds)
		all = append(all, strings.Split(found, "\n")...)
	}
	const name = `{.kind}/{.metadata.namespace}/{.metadata.name} {.metadata.uid} `
	for _, ns := range []string{"default", "kube-system", "bystander"} {
		list("configmaps,serviceaccounts", name+`{.metadata.resourceVersion}`, "--namespace", ns)
	}
	// Their status changes all the time, what was asked for does not.
	for _, ns := range []string{"kube-system", "cnpg-system"} {
		list("deployments,services", name+`{.metadata.generation}{.spec.ports}`, "--namespace", ns)
	}
	list("namespaces,storageclasses,nodes,clusterroles,clusterrolebindings,validatingwebhookconfigurations,mutatingwebhookconfigurations", name)
	slices.Sort(all)
	return append(all, strings.Fields(p.kube(t, "get", "networkpolicies", "--all-namespaces", "--output", "name"))...)
}

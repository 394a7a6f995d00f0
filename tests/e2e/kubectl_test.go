//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// object is a Kubernetes object as JSON.
type object = map[string]any

// kubectl prepares a kubectl command in the stack's namespace.
func (p *platform) kubectl(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	p.load(t)
	if p.kubeBin == "" {
		p.kubeBin = strings.TrimSpace(p.must(t, p.command(t, filepath.Join(p.bin, "toolchain"), "path", "kubernetes")))
	}
	return p.command(t, filepath.Join(p.kubeBin, "kube"), append([]string{"kubectl", "--namespace", namespace}, args...)...)
}

// kube runs a kubectl command that has to succeed.
func (p *platform) kube(t *testing.T, args ...string) string {
	t.Helper()
	return p.must(t, p.kubectl(t, args...))
}

// get reads one object.
func (p *platform) get(t *testing.T, args ...string) object {
	t.Helper()
	var o object
	require.NoError(t, json.Unmarshal([]byte(p.kube(t, append([]string{"get", "--output", "json"}, args...)...)), &o))
	return o
}

// apply creates an object and deletes it when the step ends.
func (p *platform) apply(t *testing.T, o object) {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	metadata := o["metadata"].(object)
	ns, _ := metadata["namespace"].(string)
	if ns == "" {
		ns = namespace
	}
	cmd := p.kubectl(t, "create", "--namespace", ns, "--filename", "-")
	cmd.Stdin = strings.NewReader(string(text))
	p.must(t, cmd)
	t.Cleanup(func() {
		p.kube(t, "delete", strings.ToLower(o["kind"].(string)), metadata["name"].(string),
			"--namespace", ns, "--ignore-not-found", "--wait=false")
	})
}

// pods names the running pods of a workload that are not on their way out.
func (p *platform) pods(t *testing.T, selector string) []string {
	t.Helper()
	var names []string
	for _, item := range p.get(t, "pods", "--selector", selector)["items"].([]any) {
		pod := item.(object)
		if path(pod, "metadata", "deletionTimestamp") == nil && path(pod, "status", "phase") == "Running" {
			names = append(names, path(pod, "metadata", "name").(string))
		}
	}
	return names
}

const (
	mlflowPods  = "app.kubernetes.io/name=mlflow"
	gatewayPods = "app.kubernetes.io/name=gateway"
)

// serverPod is one of the tracking server's pods.
func (p *platform) serverPod(t *testing.T) string {
	t.Helper()
	pods := p.pods(t, mlflowPods)
	require.NotEmpty(t, pods)
	return pods[0]
}

// python3 runs a Python program in a pod.
func (p *platform) python3(t *testing.T, ns, pod, program string, args ...string) string {
	t.Helper()
	cmd := p.kubectl(t, append([]string{"exec", "--stdin", "--namespace", ns, pod, "--", "python3", "-"}, args...)...)
	cmd.Stdin = strings.NewReader(program)
	return p.must(t, cmd)
}

// sql runs statements as the database's superuser, in one of its databases.
func (p *platform) sql(t *testing.T, database, statements string) string {
	t.Helper()
	return strings.TrimSpace(p.kube(t, "exec", "postgresql-1", "--container", "postgres", "--",
		"psql", "--dbname", database, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
		"--set", "ON_ERROR_STOP=1", "--command", statements))
}

// rolledOut waits until a Deployment is what its specification says.
func (p *platform) rolledOut(t *testing.T, deployment string) {
	t.Helper()
	p.kube(t, "rollout", "status", "deployment/"+deployment, "--timeout=300s")
}

// jobFrom is a Job as a CronJob would make it, with variables changed.
func (p *platform) jobFrom(t *testing.T, cronJob, name string, env map[string]string) object {
	t.Helper()
	template := path(p.get(t, "cronjob", cronJob), "spec", "jobTemplate").(object)
	job := object{
		"apiVersion": "batch/v1", "kind": "Job",
		"metadata": object{"name": name, "labels": path(template, "metadata", "labels")},
		"spec":     template["spec"],
	}
	setEnv(t, job, env)
	return job
}

// setEnv changes variables of a Job's containers that are there already, so
// that a renamed variable fails the test.
func setEnv(t *testing.T, job object, env map[string]string) {
	t.Helper()
	for name, value := range env {
		found := false
		for _, list := range []string{"initContainers", "containers"} {
			all, _ := path(job, "spec", "template", "spec", list).([]any)
			for _, c := range all {
				for _, v := range c.(object)["env"].([]any) {
					if variable := v.(object); variable["name"] == name {
						delete(variable, "valueFrom")
						variable["value"], found = value, true
					}
				}
			}
		}
		require.True(t, found, "the Job has no variable %s", name)
	}
}

// finished waits for a Job and returns whether it completed, with its logs.
func (p *platform) finished(t *testing.T, job string, timeout time.Duration) (bool, string) {
	t.Helper()
	var done bool
	p.eventually(t, timeout, "job "+job+" ends", func() error {
		status, _ := p.get(t, "job", job)["status"].(object)
		conditions, _ := status["conditions"].([]any)
		for _, c := range conditions {
			if condition := c.(object); condition["status"] == "True" {
				switch condition["type"] {
				case "Complete":
					done = true
					return nil
				case "Failed":
					return nil
				}
			}
		}
		return fmt.Errorf("still running: %v", status)
	})
	return done, p.kube(t, "logs", "--selector", "job-name="+job, "--all-containers", "--tail=-1")
}

// completed runs a Job to its end, which has to be a good one.
func (p *platform) completed(t *testing.T, job object, timeout time.Duration) string {
	t.Helper()
	p.apply(t, job)
	ok, logs := p.finished(t, path(job, "metadata", "name").(string), timeout)
	require.True(t, ok, tail(logs))
	return logs
}

// eventually polls until check returns nil.
func (p *platform) eventually(t *testing.T, timeout time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			require.NoError(t, err, "waited %s until %s", timeout, what)
		}
		time.Sleep(2 * time.Second)
	}
}

// path walks nested maps; nil when something is missing.
func path(o object, keys ...string) any {
	var v any = o
	for _, k := range keys {
		m, ok := v.(object)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// collect keeps what explains a failure.
func (p *platform) collect(t *testing.T) {
	t.Helper()
	if p.vars["KUBECONFIG"] == "" {
		return
	}
	for name, args := range map[string][]string{
		"pods.txt":     {"get", "pods", "--all-namespaces", "--output", "wide"},
		"events.txt":   {"get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"},
		"describe.txt": {"describe", "pods"},
	} {
		p.keep(t, name, p.run(t, p.kubectl(t, args...)).all())
	}
	for _, ns := range []string{namespace, "cnpg-system", "kube-system"} {
		names := p.run(t, p.kubectl(t, "get", "pods", "--namespace", ns, "--output", "name"))
		for _, pod := range strings.Fields(names.stdout) {
			logs := p.run(t, p.kubectl(t, "logs", "--namespace", ns, pod, "--all-containers", "--prefix", "--tail=2000"))
			p.keep(t, fmt.Sprintf("pod-%s-%s.log", ns, filepath.Base(pod)), logs.all())
		}
	}
}

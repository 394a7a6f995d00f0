//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// public are keys of Secrets that hold no secret.
var public = map[string]bool{
	"ca.crt": true, "tls.crt": true, "username": true, "public.crt": true, "internal.crt": true,
	"accessKeyId": true, "dbname": true, "host": true, "port": true, "user": true,
}

// noSecretInClear collects every password and key of the stack and looks for
// them where they must not be. Each place is also searched for something known
// to be there: a search that finds nothing at all proves nothing.
func noSecretInClear(t *testing.T, p *platform) {
	secrets := p.secrets(t)
	require.Greater(t, len(secrets), 10)
	for _, place := range []struct {
		name, text, known string
	}{
		{"the Pulumi state", p.stateText(t), "postgresql-credentials"},
		{"process arguments", p.processes(t), "mlflow server"},
		{"pod logs", p.logs(t), "handled request"},
		{"ConfigMaps", p.kube(t, "get", "configmaps", "--all-namespaces", "--output", "json"), "reverse_proxy"},
		{"pod specifications", p.kube(t, "get", "pods,deployments,statefulsets,jobs,cronjobs", "--all-namespaces", "--output", "json"), "MLFLOW_BACKEND_STORE_URI"},
		{"events", p.kube(t, "get", "events", "--all-namespaces", "--output", "json"), "Scheduled"},
		{"outputs without --show-secrets", p.must(t, p.pulumi(t, "stack", "output", "--stack", "local", "--json")), "trackingUrl"},
	} {
		require.Contains(t, place.text, place.known, "%s were not read", place.name)
		for name, forms := range secrets {
			for _, form := range forms {
				// Not assert.NotContains: its message would show the secret.
				assert.False(t, strings.Contains(place.text, form), "%s: %s is in it", place.name, name)
			}
		}
	}
}

// secrets are the values by where they come from, in the forms to look for: as
// they are, in base64, and line by line, since a private key may be wrapped or
// escaped in many ways.
func (p *platform) secrets(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	add := func(name, value string) {
		lines := strings.Split(strings.TrimSpace(value), "\n")
		if n := len(lines); strings.HasPrefix(value, "-----") && n > 3 {
			// The last line of an EC private key is the end of its public key
			// (RFC 5915), which is no secret.
			lines = lines[:n-2]
		}
		forms := append(lines, value, base64.StdEncoding.EncodeToString([]byte(value)))
		for _, form := range forms {
			// What is shorter than a password of ours is a name.
			if form = strings.TrimSpace(form); len(form) >= 16 && !strings.HasPrefix(form, "-----") {
				all[name] = append(all[name], form)
			}
		}
	}
	var outputs object
	require.NoError(t, json.Unmarshal([]byte(p.must(t, p.pulumi(t, "stack", "output", "--stack", "local", "--json", "--show-secrets"))), &outputs))
	for user, password := range outputs["passwords"].(object) {
		add("the password of "+user, password.(string))
	}
	for _, ns := range []string{namespace, "cnpg-system"} {
		for _, item := range p.get(t, "secrets", "--namespace", ns)["items"].([]any) {
			secret := item.(object)
			data, _ := secret["data"].(object)
			for key, value := range data {
				text, err := base64.StdEncoding.DecodeString(value.(string))
				require.NoError(t, err)
				if !public[key] {
					add(path(secret, "metadata", "name").(string)+"/"+key, string(text))
				}
			}
		}
	}
	return all
}

// processes are the command lines of all processes in the node's pods.
func (p *platform) processes(t *testing.T) string {
	t.Helper()
	return p.node(t, "sh", "-c", `for f in /proc/[0-9]*/cmdline; do tr '\000' ' ' < "$f"; echo; done 2>/dev/null`)
}

// stateText is every file of the state directory: stacks, history, backups.
func (p *platform) stateText(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, filepath.WalkDir(p.state(t), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.ReadFile(path)
		text.Write(file)
		return err
	}))
	return text.String()
}

// logs are those of every container of every pod.
func (p *platform) logs(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, ns := range []string{namespace, "cnpg-system", "kube-system"} {
		for _, pod := range strings.Fields(p.kube(t, "get", "pods", "--namespace", ns, "--output", "name")) {
			text.WriteString(p.run(t, p.kubectl(t, "logs", "--namespace", ns, pod, "--all-containers", "--tail=-1")).all())
		}
	}
	return text.String()
}

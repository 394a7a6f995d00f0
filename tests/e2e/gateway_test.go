//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// limitMiB is artifacts.maxUploadMiB of Pulumi.local.yaml.
const limitMiB = 512

// script runs a program of testdata with the real client.
func (p *platform) script(t *testing.T, name string, args ...string) result {
	t.Helper()
	p.load(t)
	return p.run(t, p.command(t, p.python(t), append([]string{filepath.Join(p.root, "tests", "e2e", "testdata", name)}, args...)...))
}

// uploadLimit looks through the eyes of the real client: it sends its whole
// body before it reads, so an answer that is followed by a reset may be lost.
func uploadLimit(t *testing.T, p *platform) {
	for _, size := range []int{limitMiB + 1, 2 * limitMiB} {
		r := p.script(t, "upload.py", fmt.Sprint(size))
		require.Error(t, r.err, "%d MiB are too much", size)
		assert.Contains(t, r.stdout, fmt.Sprintf("the upload is larger than %d MiB", limitMiB), r.stderr)
		assert.Contains(t, r.stdout, "413")
	}
	// The twin, larger than the 500 MiB from which the client wants to upload
	// past the server.
	r := p.script(t, "upload.py", fmt.Sprint(limitMiB-1))
	require.NoError(t, r.err, r.all())
	assert.Contains(t, r.stdout, "identical")
}

// accessLog finds one request by a mark in its URI, in the log of any pod.
func accessLog(t *testing.T, p *platform) {
	c := p.client(t)
	wrong := "not-the-password-of-anybody"
	good, bad := fmt.Sprintf("mark=good-%d", p.count.Load()), fmt.Sprintf("mark=bad-%d", p.count.Load())
	require.Equal(t, http.StatusOK, c.send(t, http.MethodGet, api+"/experiments/search?max_results=1&"+good, nil).status)
	require.Equal(t, http.StatusUnauthorized, c.as(c.user, wrong).send(t, http.MethodGet, api+"/experiments/search?"+bad, nil).status)
	var entries map[string]object
	p.eventually(t, timeoutLogs, "the access log has both requests", func() error {
		entries = map[string]object{}
		logs := p.kube(t, "logs", "--selector", gatewayPods, "--tail=-1")
		for line := range strings.Lines(logs) {
			var entry object
			require.NoError(t, json.Unmarshal([]byte(line), &entry), "not JSON: %s", line)
			uri, _ := path(entry, "request", "uri").(string)
			for _, mark := range []string{good, bad} {
				if strings.Contains(uri, mark) {
					entries[mark] = entry
				}
			}
		}
		for _, secret := range []string{c.password, wrong} {
			assert.NotContains(t, logs, secret)
			assert.NotContains(t, logs, base64.StdEncoding.EncodeToString([]byte(c.user+":"+secret)))
		}
		if len(entries) < 2 {
			return fmt.Errorf("found %d of 2", len(entries))
		}
		return nil
	})
	assert.Equal(t, c.user, entries[good]["user_id"])
	assert.EqualValues(t, http.StatusOK, entries[good]["status"])
	assert.Equal(t, http.MethodGet, path(entries[good], "request", "method"))
	assert.EqualValues(t, http.StatusUnauthorized, entries[bad]["status"])
	assert.Equal(t, []any{"REDACTED"}, path(entries[good], "request", "headers", "Authorization"))
}

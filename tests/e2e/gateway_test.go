//go:build e2e

package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	p.chunked(t)
	p.loginBeforeSize(t)
	// The twin, larger than the 500 MiB from which the client wants to upload
	// past the server.
	r := p.script(t, "upload.py", fmt.Sprint(limitMiB-1))
	require.NoError(t, r.err, r.all())
	assert.Contains(t, r.stdout, "identical")
}

// chunked uploads a body that does not say how long it is: nothing of one that is
// too long is kept. The answer may be lost, because the client still sends.
func (p *platform) chunked(t *testing.T) {
	c := p.client(t)
	for size, kept := range map[int64]bool{limitMiB<<20 + 1: false, 1 << 20: true} {
		path := fmt.Sprintf("%s/0/chunked/artifacts/%d", artifacts, size)
		status, err := c.upload(t, path, io.LimitReader(zeros{}, size))
		if kept {
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, status)
		} else if err == nil {
			assert.Equal(t, http.StatusRequestEntityTooLarge, status)
		}
		assert.Equal(t, kept, c.send(t, http.MethodGet, path, nil).status == http.StatusOK, "%d bytes", size)
	}
}

// loginBeforeSize begins an upload that is too large: who does not know the
// password does not get to know the limit.
func (p *platform) loginBeforeSize(t *testing.T) {
	c := p.client(t)
	for password, want := range map[string]int{"wrong": http.StatusUnauthorized, c.password: http.StatusRequestEntityTooLarge} {
		status, err := c.as(c.user, password).begin(artifacts+"/0/begun/artifacts/zeros", limitMiB<<20+1)
		require.NoError(t, err)
		assert.Equal(t, want, status)
	}
}

// begin announces an upload, sends the first part of it and reads the answer. The
// HTTP server answers early after it has read 256 KiB of what nobody wants.
func (c *client) begin(path string, size int64) (int, error) {
	address := strings.TrimPrefix(c.url, "https://")
	conn, err := tls.Dial("tcp", address, c.http.Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	login := base64.StdEncoding.EncodeToString([]byte(c.user + ":" + c.password))
	_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic %s\r\nContent-Length: %d\r\n\r\n", path, address, login, size)
	if err == nil {
		_, err = io.CopyN(conn, zeros{}, 300<<10)
	}
	if err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// upload sends a body from a reader, in chunks.
func (c *client) upload(t *testing.T, path string, body io.Reader) (int, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.url+path, body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/octet-stream")
	request.SetBasicAuth(c.user, c.password)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// zeros is an endless body.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
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

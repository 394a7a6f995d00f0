package kubeapi

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve starts an API server and returns a kubeconfig for it with a token.
func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewTLSServer(handle)
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	k := NewKubeconfig("test", server.URL, ca, nil, nil)
	k.Users[0].User.Token = "secret"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, k.Write(path))
	return path
}

func client(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	c, err := NewClient(t.Context(), serve(t, handle), "")
	require.NoError(t, err)
	return c
}

func TestGetDecodesAndAuthenticates(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		assert.Equal(t, "/api/v1/nodes/a", r.URL.Path)
		_, _ = io.WriteString(w, `{"metadata":{"name":"a"}}`)
	})
	var node struct{ Metadata struct{ Name string } }
	require.NoError(t, c.Get(t.Context(), "/api/v1/nodes/a", &node))
	assert.Equal(t, "a", node.Metadata.Name)
}

func TestApplyIsAServerSideApply(t *testing.T) {
	c := client(t, func(_ http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodPatch, r.Method)
		assert.Equal(t, "application/apply-patch+yaml", r.Header.Get("Content-Type"))
		assert.Equal(t, "localcluster", r.URL.Query().Get("fieldManager"))
		body, _ := io.ReadAll(r.Body)
		assert.Equal(t, "kind: A", string(body))
	})
	require.NoError(t, c.Apply(t.Context(), "/api/v1/as/a", []byte("kind: A")))
}

func TestErrorsCarryTheServersMessage(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","message":"nodes \"a\" not found"}`)
	})
	err := c.Get(t.Context(), "/api/v1/nodes/a", nil)
	var status *StatusError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, http.StatusNotFound, status.Code)
	assert.ErrorContains(t, err, `nodes "a" not found`)
}

func TestReadyNamesTheChecksThatFail(t *testing.T) {
	code := http.StatusInternalServerError
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "[+]ping ok\n[-]etcd failed: reason withheld\n[-]a/b failed: reason withheld\nreadyz check failed\n")
	})
	err := c.Ready(t.Context())
	require.Error(t, err)
	assert.Contains(t, err.Error(), "status 500: not ready yet are etcd, a/b")
	assert.NotContains(t, err.Error(), "ping")
	code = http.StatusOK
	assert.NoError(t, c.Ready(t.Context()))
}

func TestContextIsChosen(t *testing.T) {
	path := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, err := NewClient(t.Context(), path, "test")
	require.NoError(t, err)
	_, err = NewClient(t.Context(), path, "other")
	assert.ErrorContains(t, err, `the kubeconfig has no context "other": it has ["test"]`)
}

func TestFilesAreRelativeToTheKubeconfig(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("from file\n"), 0o600))
	path := filepath.Join(dir, "kubeconfig")
	require.NoError(t, os.WriteFile(path, []byte(`
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1/"}}]
users: [{name: u, user: {tokenFile: token}}]
`), 0o600))
	c, err := NewClient(t.Context(), path, "")
	require.NoError(t, err)
	assert.Equal(t, "from file", c.token)
	assert.Equal(t, "https://127.0.0.1:1", c.Server())
}

func TestCredentialPluginIsAsked(t *testing.T) {
	dir := t.TempDir()
	plugin := filepath.Join(dir, "plugin")
	script := "#!/bin/sh\necho '{\"status\":{\"token\":\"'$PREFIX-$1'\"}}'\n"
	require.NoError(t, os.WriteFile(plugin, []byte(script), 0o700))
	path := filepath.Join(dir, "kubeconfig")
	require.NoError(t, os.WriteFile(path, []byte(`
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: `+plugin+`, args: [b], env: [{name: PREFIX, value: a}]}}}]
`), 0o600))
	c, err := NewClient(t.Context(), path, "")
	require.NoError(t, err)
	assert.Equal(t, "a-b", c.token)
	require.NoError(t, os.WriteFile(plugin, []byte("#!/bin/sh\necho no login >&2; exit 3\n"), 0o700))
	_, err = NewClient(t.Context(), path, "")
	assert.ErrorContains(t, err, "no login")
}

//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Paths of MLflow's REST API (mlflow.org/docs/latest/rest-api.html).
const (
	api       = "/api/2.0/mlflow"
	artifacts = "/api/2.0/mlflow-artifacts/artifacts"
)

// client speaks to the gateway as a program outside the cluster does, without
// any retry: what the gateway answers is what the test sees.
type client struct {
	url, user, password string
	http                *http.Client
}

func (p *platform) client(t *testing.T) *client {
	t.Helper()
	p.load(t)
	pem, err := os.ReadFile(p.vars["MLFLOW_TRACKING_SERVER_CERT_PATH"])
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	return &client{
		url: p.vars["MLFLOW_TRACKING_URI"], user: p.vars["MLFLOW_TRACKING_USERNAME"], password: p.vars["MLFLOW_TRACKING_PASSWORD"],
		http: &http.Client{
			Timeout:   2 * time.Minute,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		},
	}
}

// as is the same client with another login; empty is none.
func (c client) as(user, password string) *client {
	c.user, c.password = user, password
	return &c
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends one request.
func (c *client) send(t *testing.T, method, path string, body []byte) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.url+path, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, artifacts) {
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	if c.user != "" {
		request.SetBasicAuth(c.user, c.password)
	}
	response, err := c.http.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, text}
}

// call calls the REST API and expects success.
func (c *client) call(t *testing.T, method, path string, in object) object {
	t.Helper()
	var body []byte
	if in != nil {
		var err error
		body, err = json.Marshal(in)
		require.NoError(t, err)
	}
	a := c.send(t, method, api+path, body)
	require.Equal(t, http.StatusOK, a.status, "%s %s: %s", method, path, a.body)
	out := object{}
	if len(a.body) > 0 {
		require.NoError(t, json.Unmarshal(a.body, &out), string(a.body))
	}
	return out
}

// problem is MLflow's form of an error.
func (a answer) problem(t *testing.T) (code, message string) {
	t.Helper()
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	require.NoError(t, json.Unmarshal(a.body, &body), "not JSON: %s", a.body)
	return body.Code, body.Message
}

// experiment creates an experiment.
func (c *client) experiment(t *testing.T, name string) string {
	t.Helper()
	return c.call(t, http.MethodPost, "/experiments/create", object{"name": name})["experiment_id"].(string)
}

// run is a finished run, or a model, with one artifact.
type run struct{ id, uri string }

// artifact is what every test run holds.
const artifact = "the bytes of an artifact"

// run creates a run and uploads its artifact.
func (c *client) run(t *testing.T, experiment, name string) run {
	t.Helper()
	now := time.Now().UnixMilli()
	info := path(c.call(t, http.MethodPost, "/runs/create", object{
		"experiment_id": experiment, "run_name": name, "start_time": now,
	}), "run", "info").(object)
	r := run{info["run_id"].(string), info["artifact_uri"].(string)}
	a := c.send(t, http.MethodPut, r.file("model/weights.txt"), []byte(artifact))
	require.Equal(t, http.StatusOK, a.status, string(a.body))
	c.call(t, http.MethodPost, "/runs/update", object{"run_id": r.id, "status": "FINISHED", "end_time": now})
	return r
}

// model logs a model of a run and uploads its artifact.
func (c *client) model(t *testing.T, experiment string, of run) run {
	t.Helper()
	info := path(c.call(t, http.MethodPost, "/logged-models", object{
		"experiment_id": experiment, "name": "model", "source_run_id": of.id,
	}), "model", "info").(object)
	m := run{info["model_id"].(string), info["artifact_uri"].(string)}
	a := c.send(t, http.MethodPut, m.file("model/weights.txt"), []byte(artifact))
	require.Equal(t, http.StatusOK, a.status, string(a.body))
	c.call(t, http.MethodPatch, "/logged-models/"+m.id, object{"model_id": m.id, "status": "LOGGED_MODEL_READY"})
	return m
}

// file is the path of an artifact of the run on the server.
func (r run) file(name string) string {
	return artifacts + strings.TrimPrefix(r.uri, "mlflow-artifacts:") + "/" + name
}

// stage is "active" or "deleted", and empty for a run that is gone.
func (c *client) stage(t *testing.T, r run) string {
	t.Helper()
	a := c.send(t, http.MethodGet, api+"/runs/get?run_id="+r.id, nil)
	if a.status == http.StatusNotFound {
		return ""
	}
	require.Equal(t, http.StatusOK, a.status, string(a.body))
	var body object
	require.NoError(t, json.Unmarshal(a.body, &body))
	return path(body, "run", "info", "lifecycle_stage").(string)
}

// readable says whether the run's artifact comes back as it was sent.
func (c *client) readable(t *testing.T, r run) bool {
	t.Helper()
	a := c.send(t, http.MethodGet, r.file("model/weights.txt"), nil)
	return a.status == http.StatusOK && string(a.body) == artifact
}

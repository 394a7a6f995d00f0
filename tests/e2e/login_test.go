//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// paths are ways into MLflow: its pages, both its APIs, GraphQL, artifacts.
var paths = []string{
	"/", "/static-files/index.html", "/version", "/metrics", "/graphql",
	api + "/experiments/search?max_results=1", "/ajax-api/2.0/mlflow/experiments/search?max_results=1",
	"/api/3.0/mlflow/server-info", artifacts + "?path=", "/get-artifact?path=x&run_uuid=y", "/health/", "//health/../version",
}

func anonymous(t *testing.T, p *platform) {
	c := p.client(t)
	nobody := c.as("", "")
	for _, path := range paths {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			a := nobody.send(t, method, path, nil)
			assert.Equal(t, http.StatusUnauthorized, a.status, "%s %s: %s", method, path, a.body)
		}
		// The twin: with the login the answer is MLflow's own, which for some of
		// these is an error.
		a := c.send(t, http.MethodGet, path, nil)
		assert.NotEqual(t, http.StatusUnauthorized, a.status, path)
	}
	// The health is open, and nothing but it: not by another method, not with a
	// body, and what cleans to its path reaches the health and nothing else.
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		assert.Equal(t, http.StatusUnauthorized, nobody.send(t, method, "/health", []byte("x")).status, method)
	}
	assert.Equal(t, "OK", string(nobody.send(t, http.MethodGet, artifacts+"/a/../../../../../../health", nil).body))
	a := nobody.send(t, http.MethodGet, "/health", nil)
	assert.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "OK", string(a.body))
}

func wrongPassword(t *testing.T, p *platform) {
	c := p.client(t)
	const path = api + "/experiments/search?max_results=1"
	before := p.failedLogins(t)
	const attempts = 3
	for i := range attempts {
		a := c.as(c.user, fmt.Sprintf("wrong-%d", i)).send(t, http.MethodGet, path, nil)
		require.Equal(t, http.StatusUnauthorized, a.status)
		assert.Equal(t, "application/json", a.header.Get("Content-Type"))
		assert.Contains(t, a.header.Get("WWW-Authenticate"), "Basic")
		code, message := a.problem(t)
		assert.Equal(t, "UNAUTHENTICATED", code)
		assert.Contains(t, message, "MLFLOW_TRACKING_PASSWORD")
	}
	assert.Equal(t, before+attempts, p.failedLogins(t), "every failed login is counted")
	assert.Equal(t, http.StatusOK, c.send(t, http.MethodGet, path, nil).status)
	assert.Equal(t, http.StatusUnauthorized, c.as("", "").send(t, http.MethodGet, path, nil).status)
	assert.Equal(t, before+attempts, p.failedLogins(t), "neither a good login nor a request without one is a failed login")
}

// failedLogins is the sum of the gateway pods' counters of failed logins.
func (p *platform) failedLogins(t *testing.T) int {
	t.Helper()
	pods := p.pods(t, gatewayPods)
	require.NotEmpty(t, pods)
	sum := 0
	for _, pod := range pods {
		metrics := p.kube(t, "get", "--raw", "/api/v1/namespaces/"+namespace+"/pods/"+pod+":9180/proxy/metrics")
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, "caddy_http_request_duration_seconds_count{") && strings.Contains(line, `code="401"`) && strings.Contains(line, `handler="authentication"`) {
				fields := strings.Fields(line)
				count, err := strconv.Atoi(fields[len(fields)-1])
				require.NoError(t, err)
				sum += count
			}
		}
	}
	return sum
}

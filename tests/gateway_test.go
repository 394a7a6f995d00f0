package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// caddy is the pinned gateway program. A test that needs it fails without it:
// a configuration nobody has read proves nothing.
func caddy(t *testing.T) string {
	t.Helper()
	path := os.Getenv("MLFLOW_PLATFORM_CADDY")
	require.NotEmpty(t, path, "MLFLOW_PLATFORM_CADDY is not set; run: make graph")
	return path
}

// caddyfile is the gateway's configuration in a graph, with the paths of its
// mounts moved to a directory that holds the users of the graph.
func caddyfile(t *testing.T, g *graph.Graph, dir string) string {
	t.Helper()
	text := ""
	for _, o := range g.Objects() {
		switch o.GetName() {
		case "gateway-config":
			text, _, _ = unstructured.NestedString(o.Unstructured.Object, "data", "Caddyfile")
		case "gateway-users":
			users, _, _ := unstructured.NestedString(o.Unstructured.Object, "stringData", "users")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "users"), []byte(users), 0o600))
		}
	}
	require.NotEmpty(t, text)
	return strings.ReplaceAll(text, "/etc/gateway/users", dir)
}

// adapt turns a Caddyfile into what Caddy runs.
func adapt(t *testing.T, text string) (map[string]any, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), caddy(t), "adapt", "--config", "-", "--adapter", "caddyfile")
	command.Stdin = strings.NewReader(text)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("caddy adapt: %w: %s", err, problems.String())
	}
	var config map[string]any
	err := json.Unmarshal(out.Bytes(), &config)
	assert.NotContains(t, problems.String(), "not formatted", "the gateway would warn at every start")
	return config, err
}

// servers are the HTTP servers by the port they listen on.
func servers(t *testing.T, config map[string]any) map[string]map[string]any {
	t.Helper()
	all, _, err := unstructured.NestedMap(config, "apps", "http", "servers")
	require.NoError(t, err)
	byPort := map[string]map[string]any{}
	for _, s := range all {
		server, _ := s.(map[string]any)
		listen, _, _ := unstructured.NestedStringSlice(server, "listen")
		for _, address := range listen {
			byPort[address] = server
		}
	}
	return byPort
}

// asks says whether a named route is exactly a login.
func asks(server map[string]any, route string) bool {
	handlers, _, _ := unstructured.NestedSlice(server, "named_routes", route, "handle")
	if len(handlers) != 1 {
		return false
	}
	handler, _ := handlers[0].(map[string]any)
	return handler["handler"] == "authentication"
}

// openRoutes lists the ways to MLflow that ask for no login, besides its health:
// every list of handlers that forwards, without a login in it or around it.
func openRoutes(server map[string]any) []string {
	var open []string
	var walk func(routes []any, path string, asked bool)
	walk = func(routes []any, path string, asked bool) {
		for _, r := range routes {
			route, _ := r.(map[string]any)
			match, matched := route["match"]
			where, here := path, asked
			if matched {
				where += fmt.Sprint(match)
			}
			handlers, _ := route["handle"].([]any)
			for _, h := range handlers {
				handler, _ := h.(map[string]any)
				switch handler["handler"] {
				case "authentication":
					here = true
				case "invoke":
					name, _ := handler["name"].(string)
					here = here || asks(server, name)
				case "subroute":
					inner, _ := handler["routes"].([]any)
					walk(inner, where, here)
				case "reverse_proxy":
					if !here {
						open = append(open, where)
					}
				}
			}
			// What asks everybody covers the routes after it, too.
			asked = asked || here && !matched
		}
	}
	routes, _ := server["routes"].([]any)
	walk(routes, "", false)
	slices.Sort(open)
	return open
}

const health = "[map[method:[GET HEAD] path:[/health]]]"

func TestGatewayConfiguration(t *testing.T) {
	caddy(t)
	eachVariant(t, func(t *testing.T, v variant) {
		config, err := adapt(t, caddyfile(t, v.update(t), t.TempDir()))
		require.NoError(t, err)
		all := servers(t, config)
		ports := make([]string, 0, len(all))
		for port := range all {
			ports = append(ports, port)
		}
		assert.ElementsMatch(t, []string{":8443", ":8080", ":9180"}, ports)
		for _, port := range []string{":8443", ":8080"} {
			if v.name == "no-login" {
				assert.Len(t, openRoutes(all[port]), 2, port)
			} else {
				assert.Equal(t, []string{health}, openRoutes(all[port]), port)
			}
		}
		assert.Empty(t, openRoutes(all[":9180"]), "metrics lead nowhere")
		// Hashing a password takes 50 ms of a core: without the cache each request of a
		// logged in client would.
		text, err := json.Marshal(config)
		require.NoError(t, err)
		assert.Equal(t, v.name != "no-login", bytes.Contains(text, []byte(`"hash_cache":{}`)))
		_, encrypted := all[":8443"]["tls_connection_policies"]
		assert.True(t, encrypted)
		disabled, _, err := unstructured.NestedBool(config, "admin", "disabled")
		require.NoError(t, err)
		assert.True(t, disabled, "nothing listens for a new configuration")
	})
}

func TestGatewayConfigurationTwins(t *testing.T) {
	dir := t.TempDir()
	text := caddyfile(t, find(t, "local").update(t), dir)
	_, err := adapt(t, strings.Replace(text, "basic_auth", "basic_outh", 1))
	require.Error(t, err, "an unknown directive")
	_, err = adapt(t, strings.Replace(text, dir+"/users", dir+"/nobody", 1))
	require.Error(t, err, "no users")

	login := text[strings.Index(text, "basic_auth"):]
	login = login[:strings.Index(login, "}")+1]
	config, err := adapt(t, strings.Replace(text, login, "respond /nobody-asks 404", 1))
	require.NoError(t, err)
	assert.NotEqual(t, []string{health}, openRoutes(servers(t, config)[":8443"]), "a login that asks nobody")
	config, err = adapt(t, strings.Replace(text, "invoke login", "# nobody asks", 1))
	require.NoError(t, err)
	assert.NotEqual(t, []string{health}, openRoutes(servers(t, config)[":8443"]), "no login")

	config, err = adapt(t, strings.Replace(text, "path /health\n\t}\n\thandle", "path /health*\n\t}\n\thandle", 1))
	require.NoError(t, err)
	assert.NotEqual(t, []string{health}, openRoutes(servers(t, config)[":8443"]), "more than the health is open")
}

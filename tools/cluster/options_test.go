package cluster

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

func TestParsePublication(t *testing.T) {
	p, err := ParsePublication("8443:443")
	require.NoError(t, err)
	assert.Equal(t, Publication{8443, 443}, p)
	assert.Equal(t, "8443:443", p.String())
	for _, text := range []string{"", "443", "a:443", "8443:b", "70000:443", "8443:0", "-1:443", "1:2:3"} {
		_, err := ParsePublication(text)
		assert.Error(t, err, text)
	}
}

func TestInvalidOptionsAreReportedAllAtOnce(t *testing.T) {
	o := Options{
		Name: "Not Valid", APIPort: 8443, Context: "c",
		Publish: []Publication{{8443, 443}, {9000, 0}, {9000, 80}},
	}
	_, err := New(o)
	require.Error(t, err)
	for _, message := range []string{
		`cluster name "Not Valid"`, "a context needs the kubeconfig",
		"publication 8443:443: host port 8443 is that of the API already",
		"publication 9000:0: the Service port", "publication 9000:80: host port 9000 is that of publication 9000:0 already",
	} {
		assert.ErrorContains(t, err, message)
	}
	assert.NoError(t, Defaults().validate())
}

func TestNamesAreLimited(t *testing.T) {
	for name, valid := range map[string]bool{"a": true, "a-1": true, strings.Repeat("a", 30): true, strings.Repeat("a", 31): false, "-a": false, "a-": false, "": false, "a/b": false, "..": false} {
		o := Defaults()
		o.Name = name
		assert.Equal(t, valid, o.validate() == nil, name)
	}
}

func TestFreePortsAreKept(t *testing.T) {
	o := Options{APIPort: 0, Publish: []Publication{{0, 443}, {0, 80}, {7000, 81}}}
	previous := settings{APIPort: 5000, Publish: []Publication{{5001, 443}}}
	assert.Equal(t, settings{APIPort: 5000, Publish: []Publication{{5001, 443}, {0, 80}, {7000, 81}}}, resolve(o, previous))
	assert.Equal(t, settings{APIPort: 0, Publish: []Publication{{0, 443}, {0, 80}, {7000, 81}}}, resolve(o, settings{}))
	assert.Zero(t, o.APIPort)
	assert.Zero(t, o.Publish[0].HostPort, "the options stay as they are")
}

func TestRunningClusterKeepsItsPorts(t *testing.T) {
	running := settings{APIPort: 5000, Publish: []Publication{{5001, 443}}}
	assert.NoError(t, running.match(Options{APIPort: 0, Publish: []Publication{{0, 443}}}))
	assert.NoError(t, running.match(Options{APIPort: 5000, Publish: []Publication{{5001, 443}}}))
	assert.ErrorContains(t, running.match(Options{APIPort: 6000}), "the API is on port 5000, wanted is 6000")
	assert.ErrorContains(t, running.match(Options{Publish: []Publication{{8443, 443}}}), "published are [5001:443], wanted are [8443:443]")
}

func TestListenFillsInFreePorts(t *testing.T) {
	s := settings{Publish: []Publication{{0, 443}}}
	listeners, err := s.listen()
	require.NoError(t, err)
	require.Len(t, listeners, 2)
	assert.NotZero(t, s.APIPort)
	assert.NotZero(t, s.Publish[0].HostPort)
	assert.True(t, strings.HasPrefix(listeners[0].Addr().String(), "127.0.0.1:"))
	taken := settings{APIPort: s.APIPort}
	_, err = taken.listen()
	assert.ErrorContains(t, err, "publishing a port")
	for _, l := range listeners {
		l.Close()
	}
	state := layout.State(t.TempDir())
	require.NoError(t, s.write(state))
	again, err := readSettings(state)
	require.NoError(t, err)
	assert.Equal(t, s, again)
}

func TestAddons(t *testing.T) {
	all, err := addons("localhost/coredns:1")
	require.NoError(t, err)
	paths := make([]string, len(all))
	for i, a := range all {
		paths[i] = a.path
		assert.NotContains(t, string(a.object), "{{")
	}
	assert.Contains(t, paths, "/apis/apps/v1/namespaces/kube-system/deployments/coredns")
	assert.Contains(t, paths, "/apis/storage.k8s.io/v1/storageclasses/standard")
	assert.Contains(t, paths, "/api/v1/namespaces/kube-system/services/kube-dns")
	assert.Len(t, paths, 7)
}

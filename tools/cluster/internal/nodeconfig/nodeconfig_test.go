package nodeconfig

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/kubeapi"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

var values = Values{Context: "a", APIPort: 16443, PauseImage: "localhost/pause:1"}

func TestConfigurationFilesParse(t *testing.T) {
	for _, name := range []string{"kubelet.yaml", "kube-proxy.yaml"} {
		text, err := Render(name, values)
		require.NoError(t, err)
		var object map[string]any
		require.NoError(t, yaml.UnmarshalStrict(text, &object), name)
		assert.Contains(t, object, "kind", name)
	}
	text, err := Render("10-bridge.conflist", values)
	require.NoError(t, err)
	var list struct{ Plugins []struct{ Type string } }
	require.NoError(t, json.Unmarshal(text, &list))
	require.Len(t, list.Plugins, 2)
	assert.Equal(t, "bridge", list.Plugins[0].Type)
}

func TestKubeletChangesNothingOnTheMachine(t *testing.T) {
	text, err := Render("kubelet.yaml", values)
	require.NoError(t, err)
	var kubelet struct {
		FailCgroupV1          *bool
		FailSwapOn            *bool
		ProtectKernelDefaults bool
		ResolvConf            string
	}
	require.NoError(t, yaml.Unmarshal(text, &kubelet))
	require.NotNil(t, kubelet.FailCgroupV1)
	assert.False(t, *kubelet.FailCgroupV1)
	require.NotNil(t, kubelet.FailSwapOn)
	assert.False(t, *kubelet.FailSwapOn)
	assert.True(t, kubelet.ProtectKernelDefaults)
	assert.True(t, strings.HasPrefix(kubelet.ResolvConf, layout.Base))
}

func TestContainerdUsesThePauseImage(t *testing.T) {
	text, err := Render("containerd.toml", values)
	require.NoError(t, err)
	assert.Contains(t, string(text), `sandbox = "localhost/pause:1"`)
	assert.NotContains(t, string(text), "{{")
	_, err = Render("containerd.toml", Values{})
	assert.ErrorContains(t, err, "no pause image")
}

func TestWriteMakesUsableKubeconfigs(t *testing.T) {
	state := layout.State(t.TempDir())
	require.NoError(t, Write(state, values))
	for path, server := range map[string]string{
		state.Kubeconfig():                 "https://127.0.0.1:16443",
		state.Config("kubelet.kubeconfig"): "https://127.0.0.1:6443",
	} {
		client, err := kubeapi.NewClient(t.Context(), path, "")
		require.NoError(t, err)
		assert.Equal(t, server, client.Server())
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}
	for _, c := range append(clients, servers...) {
		assert.FileExists(t, filepath.Join(state.PKI(), c.Name+".key"))
	}
}

package provider

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// Real is a cloud's own provider, configured without an account: it checks and plans,
// and would fail to create.
type Real struct{ rpc.ResourceProviderClient }

// Plug runs the plugin in the directory that a variable names, with an environment of
// its own, and returns its port on loopback.
func Plug(t *testing.T, directory, name string, env ...string) string {
	t.Helper()
	// The address is the engine's, which nobody is at: the plugin logs to it.
	command := exec.CommandContext(t.Context(), filepath.Join(Tool(t, directory), name), "127.0.0.1:1")
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { assert.NoError(t, command.Process.Kill()); _ = command.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(port)
}

// NewReal configures the plugin at a port.
func NewReal(t *testing.T, port string, config map[string]any) Real {
	t.Helper()
	conn, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	r := Real{rpc.NewResourceProviderClient(conn)}
	args, err := plugin.MarshalProperties(resource.NewPropertyMapFromMap(config), marshal)
	require.NoError(t, err)
	_, err = r.Configure(t.Context(), &rpc.ConfigureRequest{Args: args, AcceptSecrets: true})
	require.NoError(t, err)
	return r
}

// Refusals are what the provider says against a resource, by its checks and by
// planning it, and the inputs that it does not know.
func (r Real) Refusals(t *testing.T, n graph.Node) []string {
	t.Helper()
	inputs, err := plugin.MarshalProperties(n.Inputs, marshal)
	require.NoError(t, err)
	checked, err := r.Check(t.Context(), &rpc.CheckRequest{Urn: n.URN, News: inputs, RandomSeed: []byte(strings.Repeat("0", 32))})
	if err != nil {
		return []string{n.Key() + ": " + err.Error()}
	}
	var bad []string
	for _, f := range checked.GetFailures() {
		bad = append(bad, fmt.Sprintf("%s: %s %s", n.Key(), f.GetProperty(), f.GetReason()))
	}
	for key := range n.Inputs {
		if _, known := checked.GetInputs().GetFields()[string(key)]; !known && len(bad) == 0 {
			bad = append(bad, fmt.Sprintf("%s: has no property %s", n.Key(), key))
		}
	}
	if len(bad) > 0 {
		return bad
	}
	if _, err := r.Create(t.Context(), &rpc.CreateRequest{Urn: n.URN, Properties: checked.GetInputs(), Preview: true, Timeout: time.Minute.Seconds()}); err != nil {
		bad = append(bad, n.Key()+": "+err.Error())
	}
	return bad
}

// Replaces says whether the provider would make another resource because an input at a
// path is another one.
func (r Real) Replaces(t *testing.T, before, after graph.Node, path string) bool {
	t.Helper()
	inputs := func(n graph.Node) *rpc.CheckResponse {
		raw, err := plugin.MarshalProperties(n.Inputs, marshal)
		require.NoError(t, err)
		checked, err := r.Check(t.Context(), &rpc.CheckRequest{Urn: n.URN, News: raw, RandomSeed: []byte(strings.Repeat("0", 32))})
		require.NoError(t, err)
		require.Empty(t, checked.GetFailures())
		return checked
	}
	olds, news := inputs(before), inputs(after)
	// The inputs stand for the state: what Google says besides differs, and is not asked
	// about.
	diff, err := r.Diff(t.Context(), &rpc.DiffRequest{Id: "an-id", Urn: before.URN, Olds: olds.GetInputs(), OldInputs: olds.GetInputs(), News: news.GetInputs()})
	require.NoError(t, err)
	found := false
	for at, change := range diff.GetDetailedDiff() {
		if at != path && !strings.HasPrefix(at, path+".") && !strings.HasPrefix(path, at+".") && !strings.HasPrefix(path, at+"[") {
			continue
		}
		found = true
		switch change.GetKind() {
		case rpc.PropertyDiff_ADD_REPLACE, rpc.PropertyDiff_UPDATE_REPLACE, rpc.PropertyDiff_DELETE_REPLACE:
			return true
		}
	}
	require.True(t, found, "%s: the provider sees no change of %s: %v", before.Name, path, diff.GetDetailedDiff())
	return false
}

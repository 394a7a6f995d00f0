//go:build verify

package gcp_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// front stands before Google's provider: it passes on everything but what is about types
// that the provider lacks, which the fake of the engine's tests answers.
type front struct {
	// usual is the stack's provider, and paying the budget's, which is configured
	// otherwise: of one that runs already the engine takes one process for both.
	usual, paying *grpc.ClientConn
}

// serve starts the provider and its front, and returns the port.
func serve(t *testing.T, g *google) string {
	t.Helper()
	f := &front{plugin(t, g), plugin(t, g)}
	server := grpc.NewServer(grpc.UnaryInterceptor(f.pass))
	rpc.RegisterResourceProviderServer(server, &provider.Fake{Cloud: cloud{}})
	rpc.RegisterEngineServer(server, &journal{t: t})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		// Serve ends with the listener; there is nobody to tell.
		_ = server.Serve(listener)
	}()
	t.Cleanup(server.Stop)
	address := listener.Addr().String()
	for _, conn := range []*grpc.ClientConn{f.usual, f.paying} {
		_, err := rpc.NewResourceProviderClient(conn).Attach(t.Context(), &rpc.PluginAttach{Address: address})
		require.NoError(t, err)
	}
	return address[strings.LastIndex(address, ":")+1:]
}

func plugin(t *testing.T, g *google) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("127.0.0.1:"+plug(t, g.env...), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return conn
}

// journal is the engine to which the provider logs: it runs on between two updates.
type journal struct {
	rpc.UnimplementedEngineServer
	t *testing.T
}

// Log implements the engine.
func (j *journal) Log(_ context.Context, r *rpc.LogRequest) (*emptypb.Empty, error) {
	if r.GetSeverity() >= rpc.LogSeverity_WARNING {
		j.t.Logf("%s: %s %s", r.GetSeverity(), r.GetUrn(), r.GetMessage())
	}
	return &emptypb.Empty{}, nil
}

// pass answers a call.
func (f *front) pass(ctx context.Context, request any, info *grpc.UnaryServerInfo, own grpc.UnaryHandler) (any, error) {
	var urn string
	if about, ok := request.(interface{ GetUrn() string }); ok {
		urn = about.GetUrn()
	}
	name := info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]
	method := rpc.File_pulumi_provider_proto.Services().ByName("ResourceProvider").Methods().ByName(protoreflect.Name(name))
	message, ok := request.(proto.Message)
	lacks := slices.ContainsFunc(beta, func(token string) bool { return strings.Contains(urn, token+"::") })
	// The plugins stay attached to the journal.
	if method == nil || !ok || lacks || name == "Attach" {
		return own(ctx, request)
	}
	typ, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	if err != nil {
		return nil, err
	}
	to := f.usual
	if strings.HasSuffix(urn, "::budget-provider") || strings.Contains(urn, "gcp:billing/budget:Budget::") {
		to = f.paying
	}
	answer := typ.New().Interface()
	return answer, to.Invoke(ctx, info.FullMethod, message, answer)
}

// applied is a stack that the real engine made with Google's own provider.
func applied(t *testing.T, file string) (*provider.Live, *google) {
	t.Helper()
	r := run(t, file)
	g := newGoogle(t, r.Config[settings.Project+":account"], r.Config[settings.Project+":region"])
	if file == existingNetwork {
		g.corporate()
	}
	l := provider.NewLive(t, r, newProgram, fixed, "gcp:"+serve(t, g))
	l.Update(t)
	return l, g
}

// corporate makes the network that a stack runs in which does not make one.
func (g *google) corporate() {
	const apis = "compute.googleapis.com/compute/v1/projects/"
	there := newCorporate()
	for path, one := range map[string]object{
		"/global/networks/corporate": there.network, "/regions/" + g.region + "/subnetworks/mlflow": there.subnet, "/global/addresses/google-services": there.addresses,
	} {
		delete(one, "id")
		g.made[apis+g.project+path] = one
	}
	there.network["peerings"] = []any{there.peering}
	g.made["servicenetworking.googleapis.com/v1/services/servicenetworking.googleapis.com/connections/1"] = object{"network": "projects/" + projectNumber + "/global/networks/corporate"}
}

// strangers are requests that change what is the network owner's.
func strangers(requests []call) []string {
	var bad []string
	for _, r := range requests {
		_, collection := cut(r.path)
		if r.method != http.MethodGet && slices.Contains([]string{"networks", "subnetworks", "routers", "addresses", "connections", "managedZones"}, collection) {
			bad = append(bad, r.path)
		}
	}
	return bad
}

// planned is what an update would do, by the provider's own comparison with the
// state: operation, name and what differs.
func planned(t *testing.T, l *provider.Live) []string {
	t.Helper()
	stream := make(chan events.EngineEvent)
	var all []string
	var reading sync.WaitGroup
	reading.Go(func() {
		for event := range stream {
			if pre := event.ResourcePreEvent; pre != nil && pre.Metadata.Op != apitype.OpSame {
				differs := slices.Sorted(slices.Values(pre.Metadata.Diffs))
				all = append(all, strings.Join(append([]string{string(pre.Metadata.Op), resource.URN(pre.Metadata.URN).Name()}, differs...), " "))
			}
		}
	})
	_, err := l.Preview(t.Context(), optpreview.EventStreams(stream), optpreview.SuppressProgress())
	reading.Wait()
	require.NoError(t, err)
	slices.Sort(all)
	return all
}

// refresh reads again what Google's provider made.
func refresh(t *testing.T, l *provider.Live) {
	t.Helper()
	exported, err := l.Export(t.Context())
	require.NoError(t, err)
	var deployment apitype.DeploymentV3
	require.NoError(t, json.Unmarshal(exported.Deployment, &deployment))
	var targets []string
	for _, one := range deployment.Resources {
		if token := string(one.Type); one.Custom && strings.HasPrefix(token, "gcp:") && !slices.Contains(beta, token) {
			targets = append(targets, string(one.URN))
		}
	}
	_, err = l.Refresh(t.Context(), optrefresh.Target(targets), optrefresh.SuppressProgress())
	require.NoError(t, err)
}

// TestTheProviderAppliesIt applies every stack with Google's own provider to the fake
// of Google's APIs, on the real engine. Nothing is left to do then, by what the provider
// was told and by what it reads.
func TestTheProviderAppliesIt(t *testing.T) {
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			l, g := applied(t, file)
			requests := g.take()
			t.Logf("%d requests", len(requests))
			foreign := strangers(requests)
			assert.Equal(t, file == existingNetwork, len(foreign) == 0, foreign)
			assert.Empty(t, planned(t, l), "a second time")
			refresh(t, l)
			assert.Empty(t, planned(t, l), "after a look at what is there")
		})
	}
}

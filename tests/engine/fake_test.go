package engine_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// canary marks every generated secret, so that it can be looked for.
const canary = "c4n4ry"

// secretSignature marks a secret value on the wire (pulumi/pulumi, sdk/go/common/resource: SecretSig).
const (
	signatureKey = "4dabf18193072939515e22adb298388d"
	secretMark   = "1b47061264138c4ac30d75fd1eb44270"
)

// fake stands for the kubernetes, random and tls providers: it creates nothing,
// keeps the order of calls, knows which inputs of which types cannot change, and
// returns the generated values the program uses.
type fake struct {
	rpc.UnimplementedResourceProviderServer
	mu    sync.Mutex
	calls []string
}

// immutable says whether a changed input replaces the resource, as the real
// providers decide (provider/pkg/provider: forceNewProperties).
func immutable(token, input string, before, after *structpb.Value) bool {
	switch {
	case strings.HasPrefix(token, "random:"), strings.HasPrefix(token, "tls:"):
		return true
	case token == "kubernetes:batch/v1:Job" && input == "spec":
		return true
	case input == "metadata":
		name := func(v *structpb.Value) string { return v.GetStructValue().GetFields()["name"].GetStringValue() }
		space := func(v *structpb.Value) string {
			return v.GetStructValue().GetFields()["namespace"].GetStringValue()
		}
		return name(before) != name(after) || space(before) != space(after)
	}
	return false
}

func token(urn string) string {
	parts := strings.Split(urn, "::")
	types := strings.Split(parts[2], "$")
	return types[len(types)-1]
}

func name(urn string) string { return urn[strings.LastIndex(urn, "::")+2:] }

func (f *fake) record(op, urn string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, op+" "+name(urn))
}

// take returns the calls since the last take.
func (f *fake) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *fake) Handshake(context.Context, *rpc.ProviderHandshakeRequest) (*rpc.ProviderHandshakeResponse, error) {
	return &rpc.ProviderHandshakeResponse{AcceptSecrets: true, AcceptResources: true}, nil
}

func (f *fake) Attach(context.Context, *rpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (f *fake) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (f *fake) GetPluginInfo(context.Context, *emptypb.Empty) (*rpc.PluginInfo, error) {
	return &rpc.PluginInfo{Version: "99.0.0"}, nil
}

func (f *fake) CheckConfig(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	return &rpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (f *fake) DiffConfig(context.Context, *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	return &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_NONE}, nil
}

func (f *fake) Configure(context.Context, *rpc.ConfigureRequest) (*rpc.ConfigureResponse, error) {
	return &rpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true}, nil
}

func (f *fake) Check(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	return &rpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func (f *fake) Diff(_ context.Context, r *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	d := &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_NONE}
	before, after := r.GetOldInputs().GetFields(), r.GetNews().GetFields()
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range after {
		keys[k] = true
	}
	for k := range keys {
		if proto.Equal(before[k], after[k]) {
			continue
		}
		d.Changes = rpc.DiffResponse_DIFF_SOME
		d.Diffs = append(d.Diffs, k)
		if immutable(token(r.GetUrn()), k, before[k], after[k]) {
			d.Replaces = append(d.Replaces, k)
		}
	}
	return d, nil
}

// generated are the outputs that providers make up.
func generated(urn string) map[string]*structpb.Value {
	secret := func(kind string) *structpb.Value {
		return structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			signatureKey: structpb.NewStringValue(secretMark),
			"value":      structpb.NewStringValue(canary + "-" + kind + "-" + name(urn)),
		}})
	}
	plain := structpb.NewStringValue("-----BEGIN CERTIFICATE----- " + name(urn))
	switch token(urn) {
	case "random:index/randomPassword:RandomPassword":
		return map[string]*structpb.Value{"result": secret("password"), "bcryptHash": secret("hash")}
	case "random:index/randomBytes:RandomBytes":
		return map[string]*structpb.Value{"base64": secret("bytes"), "hex": secret("hex")}
	case "tls:index/privateKey:PrivateKey":
		return map[string]*structpb.Value{"privateKeyPem": secret("key")}
	case "tls:index/selfSignedCert:SelfSignedCert", "tls:index/locallySignedCert:LocallySignedCert":
		return map[string]*structpb.Value{"certPem": plain}
	case "tls:index/certRequest:CertRequest":
		return map[string]*structpb.Value{"certRequestPem": plain}
	}
	return nil
}

func (f *fake) Create(_ context.Context, r *rpc.CreateRequest) (*rpc.CreateResponse, error) {
	out, ok := proto.Clone(r.GetProperties()).(*structpb.Struct)
	if !ok {
		return nil, fmt.Errorf("cloning the inputs of %s", r.GetUrn())
	}
	if r.GetPreview() {
		return &rpc.CreateResponse{Properties: out}, nil
	}
	f.record("create", r.GetUrn())
	for k, v := range generated(r.GetUrn()) {
		out.Fields[k] = v
	}
	return &rpc.CreateResponse{Id: "id-" + name(r.GetUrn()), Properties: out}, nil
}

func (f *fake) Update(_ context.Context, r *rpc.UpdateRequest) (*rpc.UpdateResponse, error) {
	out, ok := proto.Clone(r.GetNews()).(*structpb.Struct)
	if !ok {
		return nil, fmt.Errorf("cloning the inputs of %s", r.GetUrn())
	}
	if !r.GetPreview() {
		f.record("update", r.GetUrn())
	}
	for k, v := range generated(r.GetUrn()) {
		out.Fields[k] = v
	}
	return &rpc.UpdateResponse{Properties: out}, nil
}

func (f *fake) Delete(_ context.Context, r *rpc.DeleteRequest) (*emptypb.Empty, error) {
	f.record("delete", r.GetUrn())
	return &emptypb.Empty{}, nil
}

// serve starts the fake on loopback and returns PULUMI_DEBUG_PROVIDERS for it.
func serve(t *testing.T, f *fake) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	rpc.RegisterResourceProviderServer(server, f)
	go func() {
		// Serve ends with the listener; there is nobody to tell.
		_ = server.Serve(listener)
	}()
	t.Cleanup(server.Stop)
	address, ok := listener.Addr().(*net.TCPAddr)
	require.True(t, ok)
	var all []string
	for _, provider := range []string{"kubernetes", "random", "tls"} {
		all = append(all, fmt.Sprintf("%s:%d", provider, address.Port))
	}
	return strings.Join(all, ",")
}

// Package provider is a fake of the providers for tests on the real engine: it
// creates nothing, keeps the order of calls, knows which inputs of which types
// cannot change, and returns the generated values that programs use.
package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// Canary marks every generated secret, so that it can be looked for.
const Canary = "c4n4ry"

// secretSignature marks a secret value on the wire (pulumi/pulumi, sdk/go/common/resource: SecretSig).
const (
	signatureKey = "4dabf18193072939515e22adb298388d"
	secretMark   = "1b47061264138c4ac30d75fd1eb44270"
)

// Fake stands for the kubernetes, random and tls providers, and with a Cloud for
// that cloud's.
type Fake struct {
	rpc.UnimplementedResourceProviderServer
	// Cloud answers for a cloud; nil without one.
	Cloud graph.Cloud
	// Refuse is asked before a resource is created, by its name; nil refuses
	// nothing.
	Refuse func(name string) error
	// Fixed are inputs that replace, by type token; a cloud's. One with dots is in others.
	Fixed map[string][]string

	mu    sync.Mutex
	calls []string
}

// immutable says whether a changed input replaces the resource, as the real
// providers decide (provider/pkg/provider: forceNewProperties).
func (f *Fake) immutable(token, input string, before, after *structpb.Value) bool {
	switch {
	case slices.ContainsFunc(f.Fixed[token], func(path string) bool {
		steps := strings.Split(path, ".")
		return steps[0] == input && !proto.Equal(below(before, steps[1:]), below(after, steps[1:]))
	}):
		return true
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

// below is what a value has at a path, through secrets; nil if it has nothing.
func below(v *structpb.Value, path []string) *structpb.Value {
	for _, step := range path {
		fields := v.GetStructValue().GetFields()
		if _, secret := fields[signatureKey]; secret {
			fields = fields["value"].GetStructValue().GetFields()
		}
		v = fields[step]
	}
	return v
}

func token(urn string) string {
	parts := strings.Split(urn, "::")
	types := strings.Split(parts[2], "$")
	return types[len(types)-1]
}

func name(urn string) string { return urn[strings.LastIndex(urn, "::")+2:] }

func (f *Fake) record(op, urn string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, op+" "+name(urn))
}

// Take returns the calls since the last one.
func (f *Fake) Take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// Handshake implements the provider.
func (f *Fake) Handshake(context.Context, *rpc.ProviderHandshakeRequest) (*rpc.ProviderHandshakeResponse, error) {
	return &rpc.ProviderHandshakeResponse{AcceptSecrets: true, AcceptResources: true}, nil
}

// Attach implements the provider.
func (f *Fake) Attach(context.Context, *rpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Cancel implements the provider.
func (f *Fake) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// GetPluginInfo implements the provider.
func (f *Fake) GetPluginInfo(context.Context, *emptypb.Empty) (*rpc.PluginInfo, error) {
	return &rpc.PluginInfo{Version: "99.0.0"}, nil
}

// CheckConfig implements the provider.
func (f *Fake) CheckConfig(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	return &rpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// DiffConfig implements the provider.
func (f *Fake) DiffConfig(context.Context, *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	return &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_NONE}, nil
}

// Configure implements the provider.
func (f *Fake) Configure(context.Context, *rpc.ConfigureRequest) (*rpc.ConfigureResponse, error) {
	return &rpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true}, nil
}

// Check implements the provider.
func (f *Fake) Check(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	return &rpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// Diff implements the provider.
func (f *Fake) Diff(_ context.Context, r *rpc.DiffRequest) (*rpc.DiffResponse, error) {
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
		if f.immutable(token(r.GetUrn()), k, before[k], after[k]) {
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
			"value":      structpb.NewStringValue(Canary + "-" + kind + "-" + name(urn)),
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

// complete adds what the provider makes up.
func (f *Fake) complete(urn string, out *structpb.Struct) error {
	for k, v := range generated(urn) {
		out.Fields[k] = v
	}
	if f.Cloud == nil {
		return nil
	}
	inputs, err := plugin.UnmarshalProperties(out, marshal)
	if err != nil {
		return fmt.Errorf("reading the inputs of %s: %w", urn, err)
	}
	more, err := plugin.MarshalProperties(f.Cloud.Computed(graph.Node{Type: token(urn), Name: name(urn), Inputs: inputs}), marshal)
	if err != nil {
		return fmt.Errorf("writing the outputs of %s: %w", urn, err)
	}
	for k, v := range more.GetFields() {
		out.Fields[k] = v
	}
	return nil
}

var marshal = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true}

// Invoke answers a function of the cloud.
func (f *Fake) Invoke(_ context.Context, r *rpc.InvokeRequest) (*rpc.InvokeResponse, error) {
	if f.Cloud == nil {
		return nil, fmt.Errorf("nobody answers %s", r.GetTok())
	}
	args, err := plugin.UnmarshalProperties(r.GetArgs(), marshal)
	if err != nil {
		return nil, fmt.Errorf("reading the arguments of %s: %w", r.GetTok(), err)
	}
	result, err := f.Cloud.Call(r.GetTok(), args)
	if err != nil {
		return nil, err
	}
	out, err := plugin.MarshalProperties(result, marshal)
	return &rpc.InvokeResponse{Return: out}, err
}

// Create implements the provider.
func (f *Fake) Create(_ context.Context, r *rpc.CreateRequest) (*rpc.CreateResponse, error) {
	out, ok := proto.Clone(r.GetProperties()).(*structpb.Struct)
	if !ok {
		return nil, fmt.Errorf("cloning the inputs of %s", r.GetUrn())
	}
	if r.GetPreview() {
		return &rpc.CreateResponse{Properties: out}, nil
	}
	if f.Refuse != nil {
		if err := f.Refuse(name(r.GetUrn())); err != nil {
			return nil, err
		}
	}
	f.record("create", r.GetUrn())
	if err := f.complete(r.GetUrn(), out); err != nil {
		return nil, err
	}
	return &rpc.CreateResponse{Id: "id-" + name(r.GetUrn()) + "-" + rand.Text(), Properties: out}, nil
}

// Update implements the provider.
func (f *Fake) Update(_ context.Context, r *rpc.UpdateRequest) (*rpc.UpdateResponse, error) {
	out, ok := proto.Clone(r.GetNews()).(*structpb.Struct)
	if !ok {
		return nil, fmt.Errorf("cloning the inputs of %s", r.GetUrn())
	}
	if !r.GetPreview() {
		f.record("update", r.GetUrn())
	}
	if err := f.complete(r.GetUrn(), out); err != nil {
		return nil, err
	}
	return &rpc.UpdateResponse{Properties: out}, nil
}

// Delete implements the provider.
func (f *Fake) Delete(_ context.Context, r *rpc.DeleteRequest) (*emptypb.Empty, error) {
	f.record("delete", r.GetUrn())
	return &emptypb.Empty{}, nil
}

// Serve starts the fake on loopback for more providers than those of every
// stack, and returns PULUMI_DEBUG_PROVIDERS for it. One of more with a port, as in
// aws:1234, is somebody else's.
func (f *Fake) Serve(t *testing.T, more ...string) string {
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
	for _, provider := range append([]string{"kubernetes", "random", "tls"}, more...) {
		if !strings.Contains(provider, ":") {
			provider = fmt.Sprintf("%s:%d", provider, address.Port)
		}
		all = append(all, provider)
	}
	return strings.Join(all, ",")
}

package graph

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Canary begins every secret that a provider of the recording makes up.
const Canary = "c4n4ry-"

// Run says how to run the program.
type Run struct {
	// Project and Stack name the run.
	Project, Stack string
	// Config is keyed "project:key"; SecretKeys of it are stored encrypted.
	Config     map[string]string
	SecretKeys []string
	// Preview runs without ids and computed outputs, like a first preview.
	Preview bool
	// Fail is the key of the node whose registration fails; empty for none.
	Fail string
	// Cloud answers for a cloud's provider; nil for stacks without one.
	Cloud Cloud
}

// Cloud answers for a provider that the recording does not know.
type Cloud interface {
	// Computed are the outputs that the provider adds to a node's inputs, and its id
	// where another resource looks at the form of that.
	Computed(Node) resource.PropertyMap
	// Call is the result of a function of the provider.
	Call(token string, args resource.PropertyMap) (resource.PropertyMap, error)
}

// Program is a Pulumi program that wants the run's configuration first.
type Program interface {
	Configure(*pulumi.RunInfo)
	Run(*pulumi.Context) error
}

// Record runs a program and returns what it registered, also when it fails. The
// program talks to an engine of the recording's own, as it would to the real
// one. pulumi.WithMocks would be less: it drops what is not known yet, and the
// outputs of the stack.
func Record(r Run, program Program) (g *Graph, err error) {
	m := &monitor{run: r, graph: &Graph{Stack: r.stackURN(), Outputs: map[string]Output{}}}
	address, stop, err := m.serve()
	if err != nil {
		return m.graph, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	err = pulumi.RunErr(program.Run, func(info *pulumi.RunInfo) {
		info.Project, info.Stack, info.DryRun = r.Project, r.Stack, r.Preview
		info.Config, info.ConfigSecretKeys = maps.Clone(r.Config), slices.Clone(r.SecretKeys)
		info.MonitorAddr, info.EngineAddr = address, address
	}, program.Configure)
	return m.graph, err
}

func (r Run) stackURN() string {
	return r.urn("", string(resource.RootStackType), r.Project+"-"+r.Stack)
}

func (r Run) urn(parent, typ, name string) string {
	parentType := tokens.Type("")
	if p := resource.URN(parent); p != "" && p.QualifiedType() != resource.RootStackType {
		parentType = p.QualifiedType()
	}
	return string(resource.NewURN(tokens.QName(r.Stack), tokens.PackageName(r.Project), parentType, tokens.Type(typ), name))
}

// monitor is the engine's side of a recording.
type monitor struct {
	pulumirpc.UnimplementedResourceMonitorServer
	pulumirpc.UnimplementedEngineServer
	run   Run
	mu    sync.Mutex
	graph *Graph
}

func (m *monitor) serve() (address string, stop func() error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listening for the program: %w", err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	pulumirpc.RegisterResourceMonitorServer(server, m)
	pulumirpc.RegisterEngineServer(server, m)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	return listener.Addr().String(), func() error {
		server.Stop()
		return <-done
	}, nil
}

// SupportsFeature says yes to all but output values, which would hide plain
// values in the inputs.
func (*monitor) SupportsFeature(_ context.Context, r *pulumirpc.SupportsFeatureRequest) (*pulumirpc.SupportsFeatureResponse, error) {
	return &pulumirpc.SupportsFeatureResponse{HasSupport: r.GetId() != "outputValues"}, nil
}

// Log keeps the warnings.
func (m *monitor) Log(_ context.Context, r *pulumirpc.LogRequest) (*emptypb.Empty, error) {
	if r.GetSeverity() == pulumirpc.LogSeverity_WARNING {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.graph.Warnings = append(m.graph.Warnings, r.GetMessage())
	}
	return &emptypb.Empty{}, nil
}

// SignalAndWaitForShutdown has nothing to wait for.
func (*monitor) SignalAndWaitForShutdown(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

var marshal = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true}

// RegisterErrorHook has nothing to call: no registration fails that should be tried again.
func (*monitor) RegisterErrorHook(context.Context, *pulumirpc.RegisterErrorHookRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// RegisterResourceHook has nothing to call either: nothing is made.
func (*monitor) RegisterResourceHook(context.Context, *pulumirpc.RegisterResourceHookRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// RegisterResource records a registration and answers like a provider: with the
// inputs and, in an update, an id and what the provider adds.
func (m *monitor) RegisterResource(_ context.Context, r *pulumirpc.RegisterResourceRequest) (*pulumirpc.RegisterResourceResponse, error) {
	if r.GetType() == string(resource.RootStackType) {
		return &pulumirpc.RegisterResourceResponse{Urn: m.graph.Stack}, nil
	}
	inputs, err := plugin.UnmarshalProperties(r.GetObject(), marshal)
	if err != nil {
		return nil, fmt.Errorf("reading the inputs of %s: %w", r.GetName(), err)
	}
	n := m.node(r, inputs)
	m.mu.Lock()
	m.graph.Nodes = append(m.graph.Nodes, n)
	m.mu.Unlock()
	if m.run.Fail == n.Key() {
		return nil, fmt.Errorf("registration of %s refused", n.Key())
	}
	response := &pulumirpc.RegisterResourceResponse{Urn: n.URN}
	if !n.Custom {
		return response, nil
	}
	state := maps.Clone(inputs)
	if !m.run.Preview {
		response.Id = n.Name + "-id"
		maps.Copy(state, computed(n))
		if m.run.Cloud != nil {
			maps.Copy(state, m.run.Cloud.Computed(n))
		}
		if id, ok := state["id"]; ok && id.IsString() {
			response.Id = id.StringValue()
		}
		for _, key := range r.GetAdditionalSecretOutputs() {
			if v, ok := state[resource.PropertyKey(key)]; ok && !v.IsSecret() {
				state[resource.PropertyKey(key)] = resource.MakeSecret(v)
			}
		}
	}
	response.Object, err = plugin.MarshalProperties(state, marshal)
	return response, err
}

// Invoke answers a call of a provider's function.
func (m *monitor) Invoke(_ context.Context, r *pulumirpc.ResourceInvokeRequest) (*pulumirpc.InvokeResponse, error) {
	if m.run.Cloud == nil {
		return nil, fmt.Errorf("nobody answers %s", r.GetTok())
	}
	args, err := plugin.UnmarshalProperties(r.GetArgs(), marshal)
	if err != nil {
		return nil, fmt.Errorf("reading the arguments of %s: %w", r.GetTok(), err)
	}
	result, err := m.run.Cloud.Call(r.GetTok(), args)
	if err != nil {
		return nil, err
	}
	out, err := plugin.MarshalProperties(result, marshal)
	return &pulumirpc.InvokeResponse{Return: out}, err
}

// RegisterResourceOutputs records the outputs of the stack.
func (m *monitor) RegisterResourceOutputs(_ context.Context, r *pulumirpc.RegisterResourceOutputsRequest) (*emptypb.Empty, error) {
	if r.GetUrn() != m.graph.Stack {
		return &emptypb.Empty{}, nil
	}
	outputs, err := plugin.UnmarshalProperties(r.GetOutputs(), marshal)
	if err != nil {
		return nil, fmt.Errorf("reading the outputs: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, v := range outputs {
		m.graph.Outputs[string(k)] = Output{Value: revealed(v), Secret: v.ContainsSecrets(), Known: !v.ContainsUnknowns()}
	}
	return &emptypb.Empty{}, nil
}

func (m *monitor) node(r *pulumirpc.RegisterResourceRequest, inputs resource.PropertyMap) Node {
	n := Node{
		URN:  m.run.urn(r.GetParent(), r.GetType(), r.GetName()),
		Type: r.GetType(), Name: r.GetName(), Parent: r.GetParent(), Custom: r.GetCustom(),
		Protect: r.GetProtect(), Retain: r.GetRetainOnDelete(), DeleteFirst: r.GetDeleteBeforeReplace(),
		DeletedWith: r.GetDeletedWith(), Retried: len(r.GetHooks().GetOnError()) > 0, Waited: len(r.GetHooks().GetAfterCreate()) > 0,
		Dependencies: sorted(r.GetDependencies()), ReplaceWith: sorted(r.GetReplaceWith()), Ignore: sorted(r.GetIgnoreChanges()),
		Inputs: inputs,
	}
	// A provider reference is the provider's URN and its id.
	if i := strings.LastIndex(r.GetProvider(), "::"); i >= 0 {
		n.Provider = r.GetProvider()[:i]
	}
	for _, alias := range r.GetAliases() {
		n.Aliases = append(n.Aliases, describe(alias))
	}
	return n
}

// describe is an alias in one line; the text form of its message changes from
// run to run.
func describe(a *pulumirpc.Alias) string {
	if urn := a.GetUrn(); urn != "" {
		return urn
	}
	var parts []string
	spec := a.GetSpec()
	for _, part := range []struct{ key, value string }{
		{"name", spec.GetName()}, {"type", spec.GetType()}, {"parent", spec.GetParentUrn()}, {"stack", spec.GetStack()}, {"project", spec.GetProject()},
	} {
		if part.value != "" {
			parts = append(parts, part.key+" "+part.value)
		}
	}
	if spec.GetNoParent() {
		parts = append(parts, "no parent")
	}
	return strings.Join(parts, ", ")
}

func sorted(all []string) []string { return slices.Sorted(slices.Values(all)) }

// computed are the outputs that a provider adds to the inputs.
func computed(n Node) resource.PropertyMap {
	text := func(keys ...string) resource.PropertyMap {
		m := resource.PropertyMap{}
		for _, k := range keys {
			m[resource.PropertyKey(k)] = resource.NewProperty(n.Name + "." + k)
		}
		return m
	}
	secret := func(keys ...string) resource.PropertyMap {
		m := resource.PropertyMap{}
		for _, k := range keys {
			m[resource.PropertyKey(k)] = resource.NewProperty(Canary + n.Name + "." + k)
		}
		return m
	}
	switch n.Type {
	case "random:index/randomPassword:RandomPassword":
		return secret("result", "bcryptHash")
	case "random:index/randomBytes:RandomBytes":
		return secret("base64", "hex")
	case "tls:index/privateKey:PrivateKey":
		return secret("privateKeyPem", "privateKeyOpenssh", "privateKeyPemPkcs8")
	case "tls:index/selfSignedCert:SelfSignedCert", "tls:index/locallySignedCert:LocallySignedCert":
		return text("certPem")
	case "tls:index/certRequest:CertRequest":
		return text("certRequestPem")
	case "kubernetes:core/v1:Service":
		return resource.PropertyMap{"status": resource.NewPropertyValue(map[string]any{
			"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": "192.0.2.10"}}},
		})}
	default:
		return nil
	}
}

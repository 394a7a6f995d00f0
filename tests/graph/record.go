package graph

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"
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
}

// Program is a Pulumi program that wants the run's configuration first.
type Program interface {
	Configure(*pulumi.RunInfo)
	Run(*pulumi.Context) error
}

// Record runs a program and returns what it registered, also when it fails.
func Record(r Run, program Program) (*Graph, error) {
	return r.record(program.Run, program.Configure)
}

// RecordOutputs runs a body that returns a struct of outputs with pulumi tags.
func RecordOutputs[T any](r Run, body func(*pulumi.Context) (*T, error)) (*Graph, error) {
	outputs := map[string]Output{}
	g, err := r.record(func(ctx *pulumi.Context) error {
		out, err := body(ctx)
		if err != nil {
			return err
		}
		v := reflect.ValueOf(out).Elem()
		for i := range v.NumField() {
			input, ok := v.Field(i).Interface().(pulumi.Input)
			if !ok {
				return fmt.Errorf("output %s is not an input", v.Type().Field(i).Name)
			}
			result, err := await(ctx.Context(), input)
			if err != nil {
				return err
			}
			outputs[v.Type().Field(i).Tag.Get("pulumi")] = result
		}
		return nil
	})
	g.Outputs = outputs
	return g, err
}

func await(ctx context.Context, input pulumi.Input) (Output, error) {
	r, err := internals.UnsafeAwaitOutput(ctx, pulumi.ToOutput(input))
	return Output{Value: r.Value, Known: r.Known, Secret: r.Secret}, err
}

func (r Run) record(body pulumi.RunFunc, options ...pulumi.RunOption) (*Graph, error) {
	m := &monitor{run: r, graph: &Graph{Stack: r.stackURN()}}
	// The configuration must be there before the program's own options read it.
	all := slices.Concat([]pulumi.RunOption{pulumi.WithMocks(r.Project, r.Stack, m), func(info *pulumi.RunInfo) {
		info.Config, info.ConfigSecretKeys, info.DryRun = maps.Clone(r.Config), slices.Clone(r.SecretKeys), r.Preview
	}}, options)
	err := pulumi.RunErr(body, all...)
	return m.graph, err
}

func (r Run) stackURN() string {
	return string(resource.NewURN(tokens.QName(r.Stack), tokens.PackageName(r.Project), "", resource.RootStackType, r.Project+"-"+r.Stack))
}

// monitor is the engine's side of a recording.
type monitor struct {
	run   Run
	mu    sync.Mutex
	graph *Graph
}

// Call refuses every invoke: the program has no need of one.
func (*monitor) Call(a pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, fmt.Errorf("unexpected invoke of %s", a.Token)
}

// NewResource records a registration and answers like a provider.
func (m *monitor) NewResource(a pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	if a.RegisterRPC == nil {
		return "", nil, fmt.Errorf("unexpected read of %s", a.Name)
	}
	n := m.node(a)
	m.mu.Lock()
	m.graph.Nodes = append(m.graph.Nodes, n)
	m.mu.Unlock()
	if m.run.Fail == n.Key() {
		return "", nil, fmt.Errorf("registration of %s refused", n.Key())
	}
	out := maps.Clone(a.Inputs)
	if m.run.Preview || !a.Custom {
		return "", out, nil
	}
	maps.Copy(out, computed(n))
	for _, key := range a.RegisterRPC.GetAdditionalSecretOutputs() {
		if v, ok := out[resource.PropertyKey(key)]; ok && !v.IsSecret() {
			out[resource.PropertyKey(key)] = resource.MakeSecret(v)
		}
	}
	return a.Name + "-id", out, nil
}

func (m *monitor) node(a pulumi.MockResourceArgs) Node {
	r := a.RegisterRPC
	parentType := tokens.Type("")
	if p := resource.URN(r.GetParent()); p != "" && p.QualifiedType() != resource.RootStackType {
		parentType = p.QualifiedType()
	}
	n := Node{
		URN:  string(resource.NewURN(tokens.QName(m.run.Stack), tokens.PackageName(m.run.Project), parentType, tokens.Type(a.TypeToken), a.Name)),
		Type: a.TypeToken, Name: a.Name, Parent: r.GetParent(), Custom: a.Custom,
		Protect: r.GetProtect(), Retain: r.GetRetainOnDelete(), DeleteFirst: r.GetDeleteBeforeReplace(),
		Dependencies: sorted(r.GetDependencies()), ReplaceWith: sorted(r.GetReplaceWith()), Ignore: sorted(r.GetIgnoreChanges()),
		Inputs: a.Inputs,
	}
	// A provider reference is the provider's URN and its id.
	if i := strings.LastIndex(a.Provider, "::"); i >= 0 {
		n.Provider = a.Provider[:i]
	}
	for _, alias := range r.GetAliases() {
		n.Aliases = append(n.Aliases, alias.String())
	}
	return n
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

package tests

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

func one() *graph.Graph {
	return &graph.Graph{Nodes: []graph.Node{{Type: "a:b:C", Name: "node", Inputs: resource.NewPropertyMapFromMap(map[string]any{
		"list": []any{map[string]any{"x": "1"}}, "object": map[string]any{"gone": true},
	})}}}
}

func TestSet(t *testing.T) {
	g := one()
	broken := g.Clone()
	broken.Set("node", "list[0].x", "2")
	broken.Set("node", "list[1]", map[string]any{"x": "3"})
	broken.Set("node", "object.deep.er", 4)
	broken.Set("node", "object.gone", nil)
	got := broken.Nodes[0].Inputs.Mappable()
	assert.Equal(t, map[string]any{
		"list":   []any{map[string]any{"x": "2"}, map[string]any{"x": "3"}},
		"object": map[string]any{"deep": map[string]any{"er": float64(4)}},
	}, got)
	assert.Equal(t, map[string]any{
		"list": []any{map[string]any{"x": "1"}}, "object": map[string]any{"gone": true},
	}, g.Nodes[0].Inputs.Mappable(), "the original is as it was")
	assert.Panics(t, func() { broken.Set("node", "object.gone", nil) }, "a sabotage that changes nothing")
	assert.Panics(t, func() { broken.Set("nobody", "x", 1) })
	assert.Panics(t, func() { broken.Remove("nobody") })
}

// program is a small Pulumi program.
type program func(*pulumi.Context) error

func (program) Configure(*pulumi.RunInfo)       {}
func (p program) Run(ctx *pulumi.Context) error { return p(ctx) }

func TestRecord(t *testing.T) {
	run := graph.Run{Project: "p", Stack: "s", Config: map[string]string{"p:password": "hunter2"}, SecretKeys: []string{"p:password"}}
	body := program(func(ctx *pulumi.Context) error {
		var group pulumi.ResourceState
		if err := ctx.RegisterComponentResource("p:x:Group", "group", &group); err != nil {
			return err
		}
		var leaf struct {
			pulumi.CustomResourceState
			Result pulumi.StringOutput `pulumi:"result"`
		}
		err := ctx.RegisterResource("random:index/randomPassword:RandomPassword", "group-leaf", pulumi.Map{
			"password": pulumi.ToSecret(pulumi.String("hunter2")),
		}, &leaf, pulumi.Parent(&group), pulumi.Protect(true), pulumi.AdditionalSecretOutputs([]string{"result"}))
		ctx.Export("result", leaf.Result)
		ctx.Export("name", pulumi.String("leaf"))
		return err
	})
	g, err := graph.Record(run, body)
	require.NoError(t, err)
	require.Equal(t, []string{"p:x:Group::group", "random:index/randomPassword:RandomPassword::group-leaf"}, g.Keys())
	leaf := g.OfType("random:index/randomPassword:RandomPassword")[0]
	assert.Equal(t, "urn:pulumi:s::p::p:x:Group::group", leaf.Parent)
	assert.True(t, leaf.Protect)
	assert.True(t, leaf.Inputs["password"].IsSecret())
	assert.Equal(t, map[string]graph.Output{
		"result": {Value: graph.Canary + "group-leaf.result", Known: true, Secret: true}, "name": {Value: "leaf", Known: true},
	}, g.Outputs)

	run.Preview = true
	g, err = graph.Record(run, body)
	require.NoError(t, err)
	assert.False(t, g.Outputs["result"].Known, "a preview knows no computed output")

	run.Fail = "p:x:Group::group"
	_, err = graph.Record(run, body)
	assert.ErrorContains(t, err, "registration of p:x:Group::group refused")
}

package graph

import "github.com/pulumi/pulumi/sdk/v3/go/common/resource"

// Value is an input of a node at a path such as rules[0].value, a secret one
// without its wrapping; null if there is none.
func Value(n Node, path string) resource.PropertyValue {
	steps, err := resource.ParsePropertyPath(path)
	if err != nil {
		panic(err)
	}
	v, ok := steps.Get(resource.NewProperty(n.Inputs))
	if !ok {
		return resource.NewNullProperty()
	}
	for v.IsSecret() {
		v = v.SecretValue().Element
	}
	return v
}

// Text is an input that is a string, or empty.
func Text(n Node, path string) string {
	if v := Value(n, path); v.IsString() {
		return v.StringValue()
	}
	return ""
}

// Number is an input that is a number, or 0.
func Number(n Node, path string) float64 {
	if v := Value(n, path); v.IsNumber() {
		return v.NumberValue()
	}
	return 0
}

// IsTrue says whether an input is true; some providers take "true" for it.
func IsTrue(n Node, path string) bool {
	v := Value(n, path)
	return v.IsBool() && v.BoolValue() || v.IsString() && v.StringValue() == "true"
}

// IsFalse says whether an input is false said out loud: a cloud's own default is
// often the other one.
func IsFalse(n Node, path string) bool {
	v := Value(n, path)
	return v.IsBool() && !v.BoolValue()
}

// Faults are what a check says against the nodes of a type, and that there is none.
func Faults(g *Graph, typ string, check func(Node) string) []string {
	return FaultsOf(g, typ, true, check)
}

// FaultsOf are Faults of a type that not every stack needs.
func FaultsOf(g *Graph, typ string, needed bool, check func(Node) string) []string {
	var bad []string
	nodes := g.OfType(typ)
	if len(nodes) == 0 && needed {
		bad = append(bad, "there is no "+typ)
	}
	for _, n := range nodes {
		if fault := check(n); fault != "" {
			bad = append(bad, n.Key()+" "+fault)
		}
	}
	return bad
}

// Setting is a sabotage that changes one input.
func Setting(name, path string, value any) func(*Graph) {
	return func(g *Graph) { g.Set(name, path, value) }
}

// Editing is a sabotage that changes one node.
func Editing(name string, change func(*Node)) func(*Graph) {
	return func(g *Graph) { g.Edit(name, change) }
}

// Removing is a sabotage that drops one node.
func Removing(name string) func(*Graph) { return func(g *Graph) { g.Remove(name) } }

// Copying is a sabotage that has one node a second time, by another name.
func Copying(name, as string) func(*Graph) {
	return func(g *Graph) {
		var second Node
		g.Edit(name, func(n *Node) { second = *n })
		second.Name = as
		g.Nodes = append(g.Nodes, second)
	}
}

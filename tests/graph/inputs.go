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

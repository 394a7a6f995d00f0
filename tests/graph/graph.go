// Package graph records what the Pulumi program asks the engine for, without an
// engine, and holds properties that every such graph must have. A property is
// a function from a graph to its violations, so that a test can show both that
// a real graph has none and that a broken one is found out.
package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Node is one registration as it left the program.
type Node struct {
	// URN, Type and Name identify the resource.
	URN, Type, Name string
	// Parent is the URN of the parent; the stack itself is not recorded.
	Parent string
	// Provider is the URN of the explicit provider; empty without one.
	Provider string
	// Custom is false for components.
	Custom bool
	// Protect, Retain and DeleteFirst are the options of the same meaning.
	Protect, Retain, DeleteFirst bool
	// DeletedWith is the URN of what takes the resource with it.
	DeletedWith string
	// Retried says that somebody decides about another try when it fails.
	Retried bool
	// Waited says that something is done when it is made, before what depends on it.
	Waited bool
	// Dependencies and ReplaceWith are URNs; Aliases and Ignore are as the engine
	// gets them. All are sorted.
	Dependencies, ReplaceWith, Aliases, Ignore []string
	// Inputs are the properties, with secrets marked.
	Inputs resource.PropertyMap
}

// Graph is what one run of the program registered.
type Graph struct {
	// Stack is the URN of the root.
	Stack string
	// Nodes in no particular order.
	Nodes []Node
	// Outputs are the stack's, by name.
	Outputs map[string]Output
	// Warnings are the program's, in their order.
	Warnings []string
}

// Output is one output of the stack.
type Output struct {
	Value         any
	Known, Secret bool
}

// Key is type and name, which identify a node to a person.
func (n Node) Key() string { return n.Type + "::" + n.Name }

// Keys are the keys of all nodes, sorted.
func (g *Graph) Keys() []string {
	keys := make([]string, 0, len(g.Nodes))
	for _, n := range g.Nodes {
		keys = append(keys, n.Key())
	}
	slices.Sort(keys)
	return keys
}

// byURN indexes the nodes.
func (g *Graph) byURN() map[string]Node {
	all := make(map[string]Node, len(g.Nodes))
	for _, n := range g.Nodes {
		all[n.URN] = n
	}
	return all
}

// OfType are the nodes of a type.
func (g *Graph) OfType(typ string) []Node {
	var found []Node
	for _, n := range g.Nodes {
		if n.Type == typ {
			found = append(found, n)
		}
	}
	return found
}

// Clone is a copy that can be broken without breaking the original: Edit and Set
// replace what they change.
func (g *Graph) Clone() *Graph {
	return &Graph{Stack: g.Stack, Nodes: slices.Clone(g.Nodes), Outputs: maps.Clone(g.Outputs)}
}

// Edit changes the one node of a name. It panics when there is none, because a
// sabotage that changes nothing would prove nothing.
func (g *Graph) Edit(name string, change func(*Node)) {
	for i := range g.Nodes {
		if g.Nodes[i].Name == name {
			change(&g.Nodes[i])
			return
		}
	}
	panic(fmt.Sprintf("no node %q in %s", name, strings.Join(g.Keys(), "\n")))
}

// Set puts a value at a path of a node's inputs, through secrets, and makes what
// is missing on the way; a nil value deletes. It panics when it changes nothing.
func (g *Graph) Set(name, path string, value any) {
	g.Edit(name, func(n *Node) {
		steps, err := resource.ParsePropertyPath(path)
		if err != nil {
			panic(err)
		}
		before := resource.NewProperty(n.Inputs)
		after := put(before, steps, value)
		if after.DeepEquals(before) {
			panic(name + ": setting " + path + " changes nothing")
		}
		n.Inputs = after.ObjectValue()
	})
}

// put returns a copy of a value with a change at a path.
func put(v resource.PropertyValue, path []any, value any) resource.PropertyValue {
	if len(path) == 0 {
		return resource.NewPropertyValue(value)
	}
	if v.IsSecret() {
		return resource.MakeSecret(put(v.SecretValue().Element, path, value))
	}
	last := value == nil && len(path) == 1
	if index, ok := path[0].(int); ok {
		var list []resource.PropertyValue
		if v.IsArray() {
			list = slices.Clone(v.ArrayValue())
		}
		if last {
			return resource.NewProperty(slices.Delete(list, index, index+1))
		}
		for len(list) <= index {
			list = append(list, resource.NewNullProperty())
		}
		list[index] = put(list[index], path[1:], value)
		return resource.NewProperty(list)
	}
	key := resource.PropertyKey(path[0].(string))
	object := resource.PropertyMap{}
	if v.IsObject() {
		object = maps.Clone(v.ObjectValue())
	}
	if last {
		delete(object, key)
	} else {
		object[key] = put(object[key], path[1:], value)
	}
	return resource.NewProperty(object)
}

// Remove drops a node.
func (g *Graph) Remove(name string) {
	before := len(g.Nodes)
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n Node) bool { return n.Name == name })
	if len(g.Nodes) == before {
		panic(fmt.Sprintf("no node %q", name))
	}
}

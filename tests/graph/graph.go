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

// Clone is a copy that can be broken without breaking the original.
func (g *Graph) Clone() *Graph {
	c := &Graph{Stack: g.Stack, Nodes: slices.Clone(g.Nodes), Outputs: maps.Clone(g.Outputs)}
	for i := range c.Nodes {
		c.Nodes[i].Inputs = c.Nodes[i].Inputs.Copy()
	}
	return c
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

// Set puts a value at a path of a node's inputs, but not into a secret. A nil
// value deletes. It panics when it changes nothing.
func (g *Graph) Set(name, path string, value any) {
	g.Edit(name, func(n *Node) {
		p, err := resource.ParsePropertyPath(path)
		if err != nil {
			panic(err)
		}
		root := resource.NewProperty(deepCopy(n.Inputs))
		if value == nil {
			if !p.Delete(root) {
				panic("nothing to delete at " + path)
			}
		} else {
			var ok bool
			if root, ok = p.Add(root, resource.NewPropertyValue(value)); !ok {
				panic("cannot set " + path)
			}
		}
		n.Inputs = root.ObjectValue()
	})
}

// Remove drops a node.
func (g *Graph) Remove(name string) {
	before := len(g.Nodes)
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n Node) bool { return n.Name == name })
	if len(g.Nodes) == before {
		panic(fmt.Sprintf("no node %q", name))
	}
}

// deepCopy copies objects and arrays, so that an edit of a clone does not reach
// the original.
func deepCopy(m resource.PropertyMap) resource.PropertyMap {
	out := make(resource.PropertyMap, len(m))
	for k, v := range m {
		out[k] = copyValue(v)
	}
	return out
}

func copyValue(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsObject():
		return resource.NewProperty(deepCopy(v.ObjectValue()))
	case v.IsArray():
		all := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, e := range v.ArrayValue() {
			all[i] = copyValue(e)
		}
		return resource.NewProperty(all)
	case v.IsSecret():
		return resource.MakeSecret(copyValue(v.SecretValue().Element))
	default:
		return v
	}
}

package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// shown is a value as a person may see it: secrets and values that are not
// known yet as words.
func shown(v resource.PropertyValue) any {
	return plain(v, func(resource.PropertyValue) any { return "[secret]" })
}

// revealed is a value with its secrets, for checks of what a cluster gets.
func revealed(v resource.PropertyValue) any {
	return plain(v, revealed)
}

func plain(v resource.PropertyValue, secret func(resource.PropertyValue) any) any {
	switch {
	case v.IsSecret():
		return secret(v.SecretValue().Element)
	case v.IsComputed():
		return "[unknown]"
	case v.IsArray():
		all := make([]any, len(v.ArrayValue()))
		for i, e := range v.ArrayValue() {
			all[i] = plain(e, secret)
		}
		return all
	case v.IsObject():
		all := map[string]any{}
		for k, e := range v.ObjectValue() {
			all[string(k)] = plain(e, secret)
		}
		return all
	default:
		return v.V
	}
}

// Leaks lists the places where one of the secrets is visible: inputs outside a
// secret, names, and outputs of the stack that are not marked.
func Leaks(g *Graph, secrets []string) []string {
	var found []string
	look := func(where, text string) {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				found = append(found, where)
				return
			}
		}
	}
	for _, n := range g.Nodes {
		look(n.Key()+" (its name)", n.Name)
		walk(n.Key(), resource.NewProperty(n.Inputs), look)
	}
	for name, o := range g.Outputs {
		if !o.Secret {
			look("output "+name, fmt.Sprintf("%v", o.Value))
		}
	}
	slices.Sort(found)
	return found
}

// walk visits every string outside a secret.
func walk(path string, v resource.PropertyValue, visit func(path, text string)) {
	switch {
	case v.IsString():
		visit(path, v.StringValue())
	case v.IsArray():
		for i, e := range v.ArrayValue() {
			walk(fmt.Sprintf("%s[%d]", path, i), e, visit)
		}
	case v.IsObject():
		for k, e := range v.ObjectValue() {
			visit(path, string(k))
			walk(path+"."+string(k), e, visit)
		}
	}
}

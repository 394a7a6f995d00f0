// Package component holds what every component resource does the same way.
//
// The rules: validate, register, create children, set outputs, register the
// outputs. A child is named <component>-<role>, with a constant role: the
// engine then derives the aliases of all children from one alias of a renamed
// component.
package component

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Options are the options of a child: its parent and what it needs itself,
// never what the component was given: that would pass the parent's aliases and
// protection on to every child. The slice is new, so nobody appends to another
// caller's.
func Options(parent pulumi.Resource, own ...pulumi.ResourceOption) []pulumi.ResourceOption {
	opts := make([]pulumi.ResourceOption, 0, len(own)+1)
	return append(append(opts, pulumi.Parent(parent)), own...)
}

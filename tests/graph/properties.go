package graph

import (
	"fmt"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
)

// groups are the component parents right under the stack.
var groups = []string{"mlflow:stacks:Data", "mlflow:stacks:Compute"}

const providerPrefix = "pulumi:providers:"

// DifferentKeys lists what only one of two graphs registers. A preview that
// differs from the update hides resources made inside a callback.
func DifferentKeys(preview, update *Graph) []string {
	var bad []string
	a, b := preview.Keys(), update.Keys()
	for _, k := range a {
		if !slices.Contains(b, k) {
			bad = append(bad, k+" is in the preview only")
		}
	}
	for _, k := range b {
		if !slices.Contains(a, k) {
			bad = append(bad, k+" is in the update only")
		}
	}
	return bad
}

// Orphans lists nodes that do not descend from one of the groups. Providers may
// sit beside them.
func Orphans(g *Graph) []string {
	var bad []string
	nodes := g.byURN()
	for _, n := range g.Nodes {
		if n.Parent == g.Stack {
			if !slices.Contains(groups, n.Type) && !strings.HasPrefix(n.Type, providerPrefix) {
				bad = append(bad, n.Key()+" sits right under the stack")
			}
			continue
		}
		if _, ok := nodes[n.Parent]; !ok {
			bad = append(bad, fmt.Sprintf("%s has no parent in the stack (%q)", n.Key(), n.Parent))
		}
	}
	return bad
}

// Misnamed lists children that are not named <component>-<role>: a renamed
// component could not find them by its one alias. Certificates are named after
// who asked the authority for them, so a renamed authority does not touch them.
func Misnamed(g *Graph) []string {
	var bad []string
	nodes := g.byURN()
	for _, n := range g.Nodes {
		parent, ok := nodes[n.Parent]
		if !ok || slices.Contains(groups, parent.Type) || parent.Type == "mlflow:pki:Authority" {
			continue
		}
		if !strings.HasPrefix(n.Name, parent.Name+"-") {
			bad = append(bad, fmt.Sprintf("%s is a child of %s", n.Key(), parent.Name))
		}
	}
	return bad
}

// WithoutProvider lists custom resources that do not name a provider of the
// stack for their own package.
func WithoutProvider(g *Graph) []string {
	var bad []string
	nodes := g.byURN()
	for _, n := range g.Nodes {
		if !n.Custom || strings.HasPrefix(n.Type, providerPrefix) {
			continue
		}
		pkg, _, _ := strings.Cut(n.Type, ":")
		provider, ok := nodes[n.Provider]
		switch {
		case !ok:
			bad = append(bad, n.Key()+" has no explicit provider")
		case provider.Type != providerPrefix+pkg:
			bad = append(bad, n.Key()+" uses the provider of "+provider.Type)
		}
	}
	return bad
}

// shared are kinds of which somebody else may have an object under our name.
var shared = []string{"Namespace", "ClusterRole", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}

// Adopting lists objects that would be taken over where they exist, and deleted
// with the stack: a provider that applies on the server makes them.
func Adopting(g *Graph) []string {
	var bad []string
	nodes := g.byURN()
	for _, n := range g.Nodes {
		if kind := n.Type[strings.LastIndex(n.Type, ":")+1:]; !n.IsKubernetes() || !slices.Contains(shared, kind) {
			continue
		}
		apply, set := nodes[n.Provider].Inputs["enableServerSideApply"]
		if !set || !apply.IsBool() || apply.BoolValue() {
			bad = append(bad, n.Key()+" would be taken over where it exists")
		}
	}
	return bad
}

// Duplicates lists nodes with the same URN, nodes of one type and name, and
// Kubernetes objects with the same identity.
func Duplicates(g *Graph) []string {
	var bad []string
	seen := map[string]string{}
	once := func(id, who string) {
		if other, ok := seen[id]; ok {
			bad = append(bad, fmt.Sprintf("%s and %s are both %s", other, who, id))
		}
		seen[id] = who
	}
	for _, n := range g.Nodes {
		once(n.URN, n.Key())
		once(n.Key(), n.URN)
	}
	for _, o := range g.Objects() {
		once(fmt.Sprintf("%s %s %s/%s", o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName()), o.Key())
	}
	return bad
}

// subdomains are the kinds whose names may hold dots.
var subdomains = []string{
	"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "StorageClass",
}

// BadNames lists Kubernetes objects without a fixed name, or with a name,
// label, annotation or data key that the API server refuses.
func BadNames(g *Graph) []string {
	var bad []string
	for _, o := range g.Objects() {
		say := func(what string, problems []string) {
			for _, p := range problems {
				bad = append(bad, fmt.Sprintf("%s: %s: %s", o.Key(), what, p))
			}
		}
		if slices.Contains(subdomains, o.GetKind()) {
			say("name "+o.GetName(), validation.IsDNS1123Subdomain(o.GetName()))
		} else {
			say("name "+o.GetName(), validation.IsDNS1123Label(o.GetName()))
			if o.GetNamespace() == "" && o.GetKind() != "Namespace" {
				say("namespace", []string{"none"})
			}
		}
		// A CronJob's Jobs get 11 more characters, a StatefulSet's pods get a hash label.
		if limit := map[string]int{"CronJob": 52, "StatefulSet": 52}[o.GetKind()]; limit > 0 && len(o.GetName()) > limit {
			say("name "+o.GetName(), []string{fmt.Sprintf("longer than %d", limit)})
		}
		for k, v := range o.GetLabels() {
			say("label "+k, validation.IsQualifiedName(k))
			say("label "+k+"="+v, validation.IsValidLabelValue(v))
		}
		for k := range o.GetAnnotations() {
			say("annotation "+k, validation.IsQualifiedName(strings.ToLower(k)))
		}
		if o.GetKind() == "Secret" || o.GetKind() == "ConfigMap" {
			for k := range keysOf(o) {
				say("key "+k, validation.IsConfigMapKey(k))
			}
		}
	}
	pods, problems := g.Pods()
	bad = append(bad, problems...)
	for _, p := range pods {
		for k, v := range p.Labels {
			for _, problem := range append(validation.IsQualifiedName(k), validation.IsValidLabelValue(v)...) {
				bad = append(bad, fmt.Sprintf("%s: pod label %s=%s: %s", p.Owner.Key(), k, v, problem))
			}
		}
	}
	return append(bad, badServiceAccounts(pods)...)
}

func badServiceAccounts(pods []Pod) []string {
	var bad []string
	for _, p := range pods {
		if name := p.Spec.ServiceAccountName; name != "" {
			for _, problem := range apivalidation.ValidateServiceAccountName(name, false) {
				bad = append(bad, p.Owner.Key()+": ServiceAccount "+name+": "+problem)
			}
		}
	}
	return bad
}

// stateful says whether losing a node loses data: volumes, the passwords and
// keys that open them, and what Kubernetes deletes such objects with: their
// namespace and their definition.
func stateful(n Node, nodes map[string]Node) bool {
	switch n.Type {
	case "kubernetes:core/v1:Namespace", "kubernetes:core/v1:PersistentVolumeClaim", "kubernetes:apps/v1:StatefulSet",
		"kubernetes:postgresql.cnpg.io/v1:Cluster", "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
		"random:index/randomBytes:RandomBytes":
		return true
	case "random:index/randomPassword:RandomPassword":
		return within(n, nodes, "mlflow:stacks:Data")
	default:
		return false
	}
}

// within says whether a node descends from a component of a type.
func within(n Node, nodes map[string]Node, typ string) bool {
	for {
		parent, ok := nodes[n.Parent]
		if !ok {
			return false
		}
		if parent.Type == typ {
			return true
		}
		n = parent
	}
}

// Unprotected lists stateful nodes that lack a layer of protection.
func Unprotected(g *Graph) []string {
	return eachStateful(g, func(n Node) []string {
		var bad []string
		if !n.Protect {
			bad = append(bad, n.Key()+" is not protected")
		}
		if !n.Retain {
			bad = append(bad, n.Key()+" is not retained")
		}
		return bad
	})
}

// Protected lists nodes that carry protection although the stack asks for none:
// it could not be torn down.
func Protected(g *Graph) []string {
	var bad []string
	for _, n := range g.Nodes {
		// Definitions are retained in every stack: deleting one deletes the databases
		// of all stacks in the cluster.
		definition := n.Type == "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
		if n.Protect || n.Retain != definition {
			bad = append(bad, n.Key()+" is not guarded as an unprotected stack's should be")
		}
	}
	return bad
}

func eachStateful(g *Graph, check func(Node) []string) []string {
	nodes := g.byURN()
	bad := []string{}
	count := 0
	for _, n := range g.Nodes {
		if stateful(n, nodes) {
			count++
			bad = append(bad, check(n)...)
		}
	}
	if count == 0 {
		return []string{"the graph has nothing stateful"}
	}
	return bad
}

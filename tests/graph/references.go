package graph

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// madeByOperators are the Secrets that exist only at run time, with their keys.
var madeByOperators = map[string][]string{
	// CloudNativePG makes <cluster>-ca for every cluster
	// (cloudnative-pg.io/documentation: certificates).
	"postgresql-ca": {"ca.crt", "ca.key"},
}

// keysOf are the data keys of a Secret or ConfigMap.
func keysOf(o Object) map[string]bool {
	keys := map[string]bool{}
	for _, field := range []string{"data", "stringData", "binaryData"} {
		data, _ := o.Unstructured.Object[field].(map[string]any)
		for k := range data {
			keys[k] = true
		}
	}
	return keys
}

// Dangling lists references to objects and keys that the stack does not make:
// Secrets, ConfigMaps, ServiceAccounts and volumes of pods, and the Secret the
// database starts with.
func Dangling(g *Graph) []string {
	pods, bad := g.Pods()
	data := map[string]map[string]bool{}
	accounts := map[string]bool{}
	for _, o := range g.Objects() {
		switch o.GetKind() {
		case "Secret", "ConfigMap":
			data[o.GetKind()+"/"+o.GetNamespace()+"/"+o.GetName()] = keysOf(o)
		case "ServiceAccount":
			accounts[o.GetNamespace()+"/"+o.GetName()] = true
		}
	}
	for _, p := range pods {
		if p.ByOperator {
			continue
		}
		need := func(kind, name, key string, optional *bool) {
			if optional != nil && *optional || kind == "Secret" && slices.Contains(madeByOperators[name], key) {
				return
			}
			keys, ok := data[kind+"/"+p.Namespace+"/"+name]
			if !ok {
				bad = append(bad, fmt.Sprintf("%s: no %s %s", p.Owner.Key(), kind, name))
			} else if key != "" && !keys[key] {
				bad = append(bad, fmt.Sprintf("%s: %s %s has no key %s", p.Owner.Key(), kind, name, key))
			}
		}
		references(p, need)
		for _, ref := range p.Spec.ImagePullSecrets {
			need("Secret", ref.Name, ".dockerconfigjson", nil)
		}
		if name := p.Spec.ServiceAccountName; name != "" && !accounts[p.Namespace+"/"+name] {
			bad = append(bad, p.Owner.Key()+": no ServiceAccount "+name)
		}
		bad = append(bad, volumes(p)...)
	}
	for _, o := range g.Objects() {
		if o.GetKind() != "Cluster" {
			continue
		}
		pulls, _, _ := unstructured.NestedSlice(o.Unstructured.Object, "spec", "imagePullSecrets")
		for _, ref := range pulls {
			name, _ := ref.(map[string]any)["name"].(string)
			if !data["Secret/"+o.GetNamespace()+"/"+name][".dockerconfigjson"] {
				bad = append(bad, fmt.Sprintf("%s: no image pull Secret %q", o.Key(), name))
			}
		}
		name, _, _ := unstructured.NestedString(o.Unstructured.Object, "spec", "bootstrap", "initdb", "secret", "name")
		keys := data["Secret/"+o.GetNamespace()+"/"+name]
		if !keys["username"] || !keys["password"] {
			bad = append(bad, fmt.Sprintf("%s: no Secret %q with username and password", o.Key(), name))
		}
	}
	return bad
}

func references(p Pod, need func(kind, name, key string, optional *bool)) {
	for _, c := range p.Containers() {
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				need("Secret", e.SecretRef.Name, "", e.SecretRef.Optional)
			}
			if e.ConfigMapRef != nil {
				need("ConfigMap", e.ConfigMapRef.Name, "", e.ConfigMapRef.Optional)
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom == nil {
				continue
			}
			if r := e.ValueFrom.SecretKeyRef; r != nil {
				need("Secret", r.Name, r.Key, r.Optional)
			}
			if r := e.ValueFrom.ConfigMapKeyRef; r != nil {
				need("ConfigMap", r.Name, r.Key, r.Optional)
			}
		}
	}
	for _, v := range p.Spec.Volumes {
		if s := v.Secret; s != nil {
			for _, key := range itemKeys(s.Items) {
				need("Secret", s.SecretName, key, s.Optional)
			}
		}
		if c := v.ConfigMap; c != nil {
			for _, key := range itemKeys(c.Items) {
				need("ConfigMap", c.Name, key, c.Optional)
			}
		}
	}
}

// itemKeys are the keys a volume mounts; the empty key stands for all.
func itemKeys(items []corev1.KeyToPath) []string {
	keys := []string{""}
	for _, i := range items {
		keys = append(keys, i.Key)
	}
	if len(items) > 0 {
		return keys[1:]
	}
	return keys
}

// volumes lists mounts without a volume and volumes without a mount.
func volumes(p Pod) []string {
	var bad []string
	mounted := map[string]bool{}
	declared := map[string]bool{}
	for _, v := range p.Spec.Volumes {
		if declared[v.Name] {
			bad = append(bad, p.Owner.Key()+": two volumes "+v.Name)
		}
		declared[v.Name] = true
	}
	for _, name := range claims(p.Owner) {
		declared[name] = true
	}
	for _, c := range p.Containers() {
		paths := map[string]bool{}
		for _, m := range c.VolumeMounts {
			mounted[m.Name] = true
			if !declared[m.Name] {
				bad = append(bad, fmt.Sprintf("%s: container %s mounts %s, which is no volume", p.Owner.Key(), c.Name, m.Name))
			}
			if paths[m.MountPath] {
				bad = append(bad, fmt.Sprintf("%s: container %s mounts two volumes at %s", p.Owner.Key(), c.Name, m.MountPath))
			}
			paths[m.MountPath] = true
		}
	}
	for name := range declared {
		if !mounted[name] {
			bad = append(bad, p.Owner.Key()+": nothing mounts "+name)
		}
	}
	slices.Sort(bad)
	return bad
}

func claims(n Node) []string {
	var names []string
	templates, _, _ := unstructured.NestedSlice(n.Object().Object, "spec", "volumeClaimTemplates")
	for _, t := range templates {
		m, _ := t.(map[string]any)
		name, _, _ := unstructured.NestedString(m, "metadata", "name")
		names = append(names, name)
	}
	return names
}

// matching are the pods of a namespace that a selector matches; none for an
// empty selector.
func matching(pods []Pod, namespace string, selector labels.Selector) []Pod {
	var found []Pod
	for _, p := range pods {
		if p.Namespace == namespace && !selector.Empty() && selector.Matches(labels.Set(p.Labels)) {
			found = append(found, p)
		}
	}
	return found
}

// Unserved lists Services that select no pods or name a port that the pods do
// not have, Ingresses and routes to a Service or port that is not there, and
// disruption budgets that guard nothing.
func Unserved(g *Graph) []string {
	pods, bad := g.Pods()
	ports := map[string][]corev1.ServicePort{}
	bad = append(bad, each(g, "v1", "Service", func(o Object, s corev1.Service) {
		ports[s.Namespace+"/"+s.Name] = s.Spec.Ports
		selected := matching(pods, s.Namespace, labels.SelectorFromSet(s.Spec.Selector))
		if len(selected) == 0 {
			bad = append(bad, o.Key()+" selects no pods")
		}
		for _, p := range selected {
			for _, port := range s.Spec.Ports {
				if !serves(p, port.TargetPort) {
					bad = append(bad, fmt.Sprintf("%s: %s has no port %s", o.Key(), p.Owner.Key(), port.TargetPort.String()))
				}
			}
		}
	})...)
	backend := func(o Object, name string, matches func(corev1.ServicePort) bool) {
		if !slices.ContainsFunc(ports[o.GetNamespace()+"/"+name], matches) {
			bad = append(bad, fmt.Sprintf("%s: Service %s has no such port", o.Key(), name))
		}
	}
	bad = append(bad, each(g, "networking.k8s.io/v1", "Ingress", func(o Object, i networkingv1.Ingress) {
		for _, b := range ingressBackends(i) {
			backend(o, b.Name, func(p corev1.ServicePort) bool {
				return b.Port.Name != "" && p.Name == b.Port.Name || b.Port.Number != 0 && p.Port == b.Port.Number
			})
		}
	})...)
	for _, o := range g.Objects() {
		for _, b := range routeBackends(o) {
			backend(o, b.name, func(p corev1.ServicePort) bool { return int64(p.Port) == b.port })
		}
	}
	return append(bad, each(g, "policy/v1", "PodDisruptionBudget", func(o Object, b policyv1.PodDisruptionBudget) {
		if selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err != nil || len(matching(pods, b.Namespace, selector)) == 0 {
			bad = append(bad, o.Key()+" guards no pods")
		}
	})...)
}

func serves(p Pod, target intstr.IntOrString) bool {
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if target.Type == intstr.String && port.Name == target.StrVal || target.Type == intstr.Int && port.ContainerPort == target.IntVal {
				return true
			}
		}
	}
	return false
}

func ingressBackends(i networkingv1.Ingress) []networkingv1.IngressServiceBackend {
	var all []networkingv1.IngressServiceBackend
	if b := i.Spec.DefaultBackend; b != nil && b.Service != nil {
		all = append(all, *b.Service)
	}
	for _, r := range i.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		for _, p := range r.HTTP.Paths {
			if p.Backend.Service != nil {
				all = append(all, *p.Backend.Service)
			}
		}
	}
	return all
}

type routeBackend struct {
	name string
	port int64
}

// routeBackends are the Services a Gateway API route leads to.
func routeBackends(o Object) []routeBackend {
	if !strings.HasPrefix(o.GetAPIVersion(), "gateway.networking.k8s.io/") {
		return nil
	}
	var all []routeBackend
	rules, _, _ := unstructured.NestedSlice(o.Normalized().Object, "spec", "rules")
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		refs, _, _ := unstructured.NestedSlice(rule, "backendRefs")
		for _, ref := range refs {
			m, _ := ref.(map[string]any)
			name, _ := m["name"].(string)
			port, _ := m["port"].(int64)
			all = append(all, routeBackend{name, port})
		}
	}
	return all
}

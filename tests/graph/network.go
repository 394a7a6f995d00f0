package graph

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// policy is a NetworkPolicy with its selector.
type policy struct {
	Object
	networkingv1.NetworkPolicy
	selector labels.Selector
}

func (p policy) applies(pod Pod) bool {
	return p.NetworkPolicy.Namespace == pod.Namespace && p.selector.Matches(labels.Set(pod.Labels))
}

func (p policy) ingress() bool {
	return slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}

func (p policy) egress() bool {
	return slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
}

func policies(g *Graph) ([]policy, []string) {
	var all []policy
	var bad []string
	problems := each(g, "networking.k8s.io/v1", "NetworkPolicy", func(o Object, n networkingv1.NetworkPolicy) {
		selector, err := metav1.LabelSelectorAsSelector(&n.Spec.PodSelector)
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", o.Key(), err))
			return
		}
		all = append(all, policy{o, n, selector})
	})
	return all, append(problems, bad...)
}

// OpenNamespaces lists namespaces, made by the stack or used by its pods, in
// which not everything is denied both ways to begin with.
func OpenNamespaces(g *Graph) []string {
	pods, bad := g.Pods()
	all, problems := policies(g)
	bad = append(bad, problems...)
	namespaces := map[string]bool{}
	for _, p := range pods {
		namespaces[p.Namespace] = true
	}
	for _, o := range g.Objects() {
		if o.GetKind() == "Namespace" {
			namespaces[o.GetName()] = true
		}
	}
	for ns := range namespaces {
		if !slices.ContainsFunc(all, func(p policy) bool {
			return p.NetworkPolicy.Namespace == ns && p.selector.Empty() && p.ingress() && p.egress() && len(p.Spec.Ingress)+len(p.Spec.Egress) == 0
		}) {
			bad = append(bad, "namespace "+ns+" does not deny everything by default")
		}
	}
	slices.Sort(bad)
	return bad
}

// closed are the ports that pods listen on and no policy opens, with the
// reason. They are reachable from their own node only, by the kubelet's probes.
func closed(all []policy, pod Pod, port corev1.ContainerPort, behindController bool) bool {
	switch {
	case port.Name == "metrics":
		// Open to the pods of one namespace, where the settings name one.
		return !scraped(all, pod, port)
	case pod.Labels["app.kubernetes.io/name"] == "gateway" && port.Name == "http":
		// For a controller that ended TLS; closed without one.
		return !behindController
	default:
		return false
	}
}

// scraped says whether every rule that opens a port is for one named namespace.
func scraped(all []policy, pod Pod, port corev1.ContainerPort) bool {
	found := false
	for _, p := range all {
		if !p.applies(pod) {
			continue
		}
		for _, rule := range p.Spec.Ingress {
			opened := slices.ContainsFunc(rule.Ports, func(allowed networkingv1.NetworkPolicyPort) bool { return sameTarget(*allowed.Port, port) })
			if !opened {
				continue
			}
			if len(rule.From) != 1 || rule.From[0].NamespaceSelector == nil || rule.From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] == "" {
				return false
			}
			found = true
		}
	}
	return found
}

// behindController says whether an ingress or Gateway API controller is used.
func behindController(g *Graph) bool {
	return slices.ContainsFunc(g.Objects(), func(o Object) bool { return o.GetKind() == "Ingress" || o.GetKind() == "HTTPRoute" })
}

// WrongPorts lists listening ports that not exactly one policy opens, and
// policies that open a port which none of their pods listens on.
func WrongPorts(g *Graph) []string {
	pods, bad := g.Pods()
	all, problems := policies(g)
	bad = append(bad, problems...)
	controller := behindController(g)
	for _, pod := range pods {
		for _, c := range pod.Spec.Containers {
			for _, port := range c.Ports {
				open := 0
				for _, p := range all {
					if p.applies(pod) && opens(p, port) {
						open++
					}
				}
				want := 1
				if closed(all, pod, port, controller) {
					want = 0
				}
				if open != want {
					bad = append(bad, fmt.Sprintf("%s: port %s/%d is opened by %d policies; want %d", pod.Owner.Key(), port.Name, port.ContainerPort, open, want))
				}
			}
		}
	}
	for _, p := range all {
		for _, rule := range p.Spec.Ingress {
			if len(rule.Ports) == 0 {
				bad = append(bad, p.Key()+" opens every port")
			}
			for _, port := range rule.Ports {
				if !slices.ContainsFunc(pods, func(pod Pod) bool { return p.applies(pod) && serves(pod, *port.Port) }) {
					bad = append(bad, fmt.Sprintf("%s opens port %s, on which no pod listens", p.Key(), port.Port.String()))
				}
			}
		}
		for _, rule := range p.Spec.Egress {
			if len(rule.Ports) == 0 || len(rule.To) == 0 {
				bad = append(bad, p.Key()+" lets pods out to every port or everywhere")
			}
		}
	}
	slices.Sort(bad)
	return bad
}

func opens(p policy, port corev1.ContainerPort) bool {
	for _, rule := range p.Spec.Ingress {
		for _, allowed := range rule.Ports {
			if sameTarget(*allowed.Port, port) {
				return true
			}
		}
	}
	return false
}

func sameTarget(target intstr.IntOrString, port corev1.ContainerPort) bool {
	if target.Type == intstr.String {
		return target.StrVal == port.Name
	}
	return target.IntVal == port.ContainerPort
}

// gatewayLabels select the gateway's pods.
var gatewayLabels = labels.Set{"app.kubernetes.io/name": "gateway"}

// Bypasses lists ways to the tracking server or into the cluster that do not
// go through the gateway.
func Bypasses(g *Graph) []string {
	pods, bad := g.Pods()
	all, problems := policies(g)
	bad = append(bad, problems...)
	gateways := map[string]bool{}
	bad = append(bad, each(g, "v1", "Service", func(o Object, s corev1.Service) {
		atGateway := labels.SelectorFromSet(s.Spec.Selector).Matches(gatewayLabels) && len(s.Spec.Selector) > 0
		gateways[s.Namespace+"/"+s.Name] = atGateway
		outside := s.Spec.Type == corev1.ServiceTypeLoadBalancer || s.Spec.Type == corev1.ServiceTypeNodePort || len(s.Spec.ExternalIPs) > 0
		if outside && !atGateway {
			bad = append(bad, o.Key()+" leads from outside to something else than the gateway")
		}
	})...)
	through := func(o Object, service string) {
		if !gateways[o.GetNamespace()+"/"+service] {
			bad = append(bad, fmt.Sprintf("%s leads to %s, not to the gateway", o.Key(), service))
		}
	}
	bad = append(bad, each(g, "networking.k8s.io/v1", "Ingress", func(o Object, i networkingv1.Ingress) {
		for _, b := range ingressBackends(i) {
			through(o, b.Name)
		}
	})...)
	for _, o := range g.Objects() {
		for _, b := range routeBackends(o) {
			through(o, b.name)
		}
	}
	servers := 0
	for _, pod := range pods {
		if pod.Spec.HostNetwork || slices.ContainsFunc(pod.Containers(), func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort != 0 })
		}) {
			bad = append(bad, pod.Owner.Key()+" listens on its node")
		}
		if pod.Labels["app.kubernetes.io/name"] != "mlflow" {
			continue
		}
		servers++
		for _, p := range all {
			if p.applies(pod) {
				bad = append(bad, strangers(p)...)
			}
		}
	}
	if servers == 0 {
		bad = append(bad, "the graph has no tracking server")
	}
	return bad
}

// strangers are the peers of a policy that are not the gateway of the same
// namespace.
func strangers(p policy) []string {
	var bad []string
	for _, rule := range p.Spec.Ingress {
		if len(rule.From) == 0 {
			bad = append(bad, p.Key()+" lets everybody in")
		}
		for _, peer := range rule.From {
			if peer.NamespaceSelector != nil || peer.IPBlock != nil || peer.PodSelector == nil ||
				!labels.SelectorFromSet(gatewayLabels).Matches(labels.Set(peer.PodSelector.MatchLabels)) {
				bad = append(bad, fmt.Sprintf("%s lets in %v", p.Key(), strings.TrimSpace(peer.String())))
			}
		}
	}
	return bad
}

// Package ports decides which Service gets which port of the node.
package ports

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// port is what two Services cannot share.
type port struct {
	protocol corev1.Protocol
	number   int32
}

// nodeOwnPorts are served by the node itself on the same address: the API
// server and the kubelet.
var nodeOwnPorts = map[port]string{
	{corev1.ProtocolTCP, 6443}:  "the API server",
	{corev1.ProtocolTCP, 10250}: "the kubelet",
}

// Balanced says whether the Service is ours to serve: a Service with a class
// of its own asks for another implementation.
func Balanced(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass == nil && s.DeletionTimestamp == nil
}

// Assign gives out the ports, oldest Service first, and returns for each
// Service that gets none (by namespace/name) the reason.
func Assign(services []*corev1.Service) map[string]string {
	ordered := slices.DeleteFunc(slices.Clone(services), func(s *corev1.Service) bool { return !Balanced(s) })
	slices.SortFunc(ordered, func(a, b *corev1.Service) int {
		return cmp.Or(
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Name, b.Name),
		)
	})
	owners := map[port]string{}
	for p, owner := range nodeOwnPorts {
		owners[p] = owner
	}
	refusals := map[string]string{}
	for _, s := range ordered {
		key := s.Namespace + "/" + s.Name
		for _, p := range s.Spec.Ports {
			if owner, taken := owners[port{p.Protocol, p.Port}]; taken {
				refusals[key] = fmt.Sprintf("port %d/%s of the node belongs to %s: choose another port", p.Port, p.Protocol, owner)
			}
		}
		if _, refused := refusals[key]; refused {
			continue
		}
		for _, p := range s.Spec.Ports {
			owners[port{p.Protocol, p.Port}] = "Service " + key
		}
	}
	return refusals
}

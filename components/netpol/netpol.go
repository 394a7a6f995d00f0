package netpol

import (
	"fmt"
	"slices"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
)

const token = "mlflow:netpol:Policies"

// namespaceLabel is set by the API server on every namespace
// (kubernetes.io/docs/reference/labels-annotations-taints).
const namespaceLabel = "kubernetes.io/metadata.name"

// Policies are the NetworkPolicies of one namespace: everything denied both
// ways, DNS allowed, and one policy for each workload with its edges.
type Policies struct {
	pulumi.ResourceState
	// All are the policies; workloads depend on them, so that no pod runs before
	// its policy exists.
	All []pulumi.Resource
}

// New creates the policies of a namespace from a table. Every workload that a
// peer of the table names in this namespace gets one policy.
// dnsCIDRs are resolvers outside kube-system's DNS pods, such as a cache on the
// node.
func New(ctx *pulumi.Context, name string, namespace pulumi.StringInput, edges []Edge, dnsCIDRs []string, opts ...pulumi.ResourceOption) (*Policies, error) {
	p := &Policies{}
	if err := ctx.RegisterComponentResource(token, name, p, opts...); err != nil {
		return nil, err
	}
	if err := p.add(ctx, name+"-default-deny", "default-deny", namespace, "everything that no other policy allows is denied",
		&networkingv1.NetworkPolicySpecArgs{
			PodSelector: &metav1.LabelSelectorArgs{},
			PolicyTypes: pulumi.ToStringArray([]string{"Ingress", "Egress"}),
		}); err != nil {
		return nil, err
	}
	if err := p.add(ctx, name+"-dns", "dns", namespace, "names resolve, through the cluster's DNS and the resolvers of cluster.dnsCIDRs",
		&networkingv1.NetworkPolicySpecArgs{
			PodSelector: &metav1.LabelSelectorArgs{},
			PolicyTypes: pulumi.ToStringArray([]string{"Egress"}),
			Egress:      networkingv1.NetworkPolicyEgressRuleArray{dns(dnsCIDRs)},
		}); err != nil {
		return nil, err
	}
	for _, w := range workloads(edges) {
		if err := p.add(ctx, name+"-"+w.Name, w.Name, namespace, reasons(w, edges), spec(w, edges)); err != nil {
			return nil, err
		}
	}
	return p, ctx.RegisterResourceOutputs(p, pulumi.Map{})
}

func (p *Policies) add(ctx *pulumi.Context, logical, physical string, namespace pulumi.StringInput, why string, spec *networkingv1.NetworkPolicySpecArgs) error {
	policy, err := networkingv1.NewNetworkPolicy(ctx, logical, &networkingv1.NetworkPolicyArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(physical), Namespace: namespace,
			Annotations: pulumi.StringMap{"mlflow-platform/why": pulumi.String(why)},
		},
		Spec: spec,
	}, component.Options(p)...)
	if err != nil {
		return fmt.Errorf("creating NetworkPolicy %s: %w", physical, err)
	}
	p.All = append(p.All, policy)
	return nil
}

// dns reaches the DNS pods by the label that every distribution keeps for
// compatibility (kubernetes.io/docs/tasks/administer-cluster/dns-debugging).
func dns(cidrs []string) *networkingv1.NetworkPolicyEgressRuleArgs {
	to := networkingv1.NetworkPolicyPeerArray{&networkingv1.NetworkPolicyPeerArgs{
		NamespaceSelector: labels(map[string]string{namespaceLabel: "kube-system"}),
		PodSelector:       labels(map[string]string{"k8s-app": "kube-dns"}),
	}}
	return &networkingv1.NetworkPolicyEgressRuleArgs{
		To: append(to, blocks(cidrs)...),
		Ports: networkingv1.NetworkPolicyPortArray{
			&networkingv1.NetworkPolicyPortArgs{Port: pulumi.Int(53), Protocol: pulumi.String("UDP")},
			&networkingv1.NetworkPolicyPortArgs{Port: pulumi.Int(53), Protocol: pulumi.String("TCP")},
		},
	}
}

// workloads are those of the namespace itself, each once, by name.
func workloads(edges []Edge) []Workload {
	var all []Workload
	for _, e := range edges {
		for _, p := range []Peer{e.From, e.To} {
			if !p.inside() {
				continue
			}
			if !slices.ContainsFunc(all, func(w Workload) bool { return w.Name == p.Workload.Name }) {
				all = append(all, *p.Workload)
			}
		}
	}
	slices.SortFunc(all, func(a, b Workload) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// inside says whether the peer is a workload of the policies' own namespace.
func (p Peer) inside() bool { return p.Workload != nil && p.Namespace == "" && !p.EveryNamespace }

func is(p Peer, w Workload) bool { return p.inside() && p.Workload.Name == w.Name }

func reasons(w Workload, edges []Edge) string {
	var why []string
	for _, e := range edges {
		if is(e.From, w) || is(e.To, w) {
			why = append(why, e.Why)
		}
	}
	return strings.Join(slices.Compact(why), "; ")
}

func spec(w Workload, edges []Edge) *networkingv1.NetworkPolicySpecArgs {
	var ingress networkingv1.NetworkPolicyIngressRuleArray
	var egress networkingv1.NetworkPolicyEgressRuleArray
	for _, e := range edges {
		if is(e.To, w) {
			ingress = append(ingress, &networkingv1.NetworkPolicyIngressRuleArgs{From: peers(e.From), Ports: ports(e.Ports)})
		}
		if is(e.From, w) {
			egress = append(egress, &networkingv1.NetworkPolicyEgressRuleArgs{To: peers(e.To), Ports: ports(e.Ports)})
		}
	}
	return &networkingv1.NetworkPolicySpecArgs{
		PodSelector: labels(w.Labels()),
		PolicyTypes: pulumi.ToStringArray([]string{"Ingress", "Egress"}),
		Ingress:     ingress, Egress: egress,
	}
}

func peers(p Peer) networkingv1.NetworkPolicyPeerArray {
	if len(p.CIDRs) > 0 {
		return blocks(p.CIDRs)
	}
	peer := &networkingv1.NetworkPolicyPeerArgs{}
	if p.EveryNamespace {
		peer.NamespaceSelector = &metav1.LabelSelectorArgs{}
	}
	if p.Namespace != "" {
		peer.NamespaceSelector = labels(map[string]string{namespaceLabel: p.Namespace})
	}
	switch {
	case p.Workload == nil:
	case p.EveryNamespace:
		// Each namespace has its own name for the workload.
		peer.PodSelector = &metav1.LabelSelectorArgs{MatchExpressions: metav1.LabelSelectorRequirementArray{
			&metav1.LabelSelectorRequirementArgs{Key: pulumi.String(p.Workload.Label), Operator: pulumi.String("Exists")},
		}}
	default:
		peer.PodSelector = labels(p.Workload.Labels())
	}
	return networkingv1.NetworkPolicyPeerArray{peer}
}

func blocks(cidrs []string) networkingv1.NetworkPolicyPeerArray {
	var all networkingv1.NetworkPolicyPeerArray
	for _, c := range cidrs {
		all = append(all, &networkingv1.NetworkPolicyPeerArgs{IpBlock: &networkingv1.IPBlockArgs{Cidr: pulumi.String(c)}})
	}
	return all
}

func ports(all []Port) networkingv1.NetworkPolicyPortArray {
	var out networkingv1.NetworkPolicyPortArray
	for _, p := range all {
		out = append(out, &networkingv1.NetworkPolicyPortArgs{Port: pulumi.Int(p.Number), Protocol: pulumi.String("TCP")})
	}
	return out
}

func labels(m map[string]string) *metav1.LabelSelectorArgs {
	return &metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(m)}
}

// Target is the port for a Service. It is the number: where a network plugin
// enforces policies on the Service's address, as AWS' does, it has to find the
// Service's port by the policy's number, and a name in between can get lost.
func (p Port) Target() pulumi.Int { return pulumi.Int(p.Number) }

// ContainerPorts declares the workload's ports on a container.
func ContainerPorts(all ...Port) corev1.ContainerPortArray {
	var out corev1.ContainerPortArray
	for _, p := range all {
		out = append(out, &corev1.ContainerPortArgs{Name: pulumi.String(p.Name), ContainerPort: pulumi.Int(p.Number), Protocol: pulumi.String("TCP")})
	}
	return out
}

// Package namespace is the workload's namespace with what must be in it before
// any pod: the restricted Pod Security Standard enforced, and the
// NetworkPolicies.
package namespace

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/mlflow/scripts"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

const token = "mlflow:namespace:Namespace"

// Args are the inputs of the namespace.
type Args struct {
	// Name of the namespace.
	Name string
	// Labels of the namespace, from the stack's tags.
	Labels map[string]string
	// Edges is the table of its NetworkPolicies.
	Edges []netpol.Edge
	// DNSCIDRs are resolvers besides the DNS pods of kube-system.
	DNSCIDRs []string
	// RegistryCredentials are the logins to pull images with, as a Docker client keeps
	// them; empty for none.
	RegistryCredentials string
	// Scope to fill: images.
	Scope pod.Scope
	// Protect guards the namespace: deleting it deletes every volume in it.
	Protect bool
	// Creator is the provider that makes the namespace and refuses one that exists.
	Creator pulumi.ProviderResource
}

// Namespace is the result.
type Namespace struct {
	pulumi.ResourceState
	// Scope is where workloads are created; its After has the policies.
	Scope pod.Scope
}

// New creates the namespace, its policies and the scripts' ConfigMap.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Namespace, error) {
	n := &Namespace{Scope: args.Scope}
	if err := ctx.RegisterComponentResource(token, name, n, opts...); err != nil {
		return nil, err
	}
	labels := pulumi.ToStringMap(args.Labels)
	for k, v := range pod.Labels(nil, "") {
		labels[k] = v
	}
	for _, mode := range []string{"enforce", "warn", "audit"} {
		labels["pod-security.kubernetes.io/"+mode] = pulumi.String("restricted")
	}
	namespace, err := corev1.NewNamespace(ctx, name+"-namespace", &corev1.NamespaceArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(args.Name), Labels: labels},
	}, component.Options(n, append(protect.Options(args.Protect), pulumi.Provider(args.Creator))...)...)
	if err != nil {
		return nil, fmt.Errorf("creating namespace %s: %w", args.Name, err)
	}
	n.Scope.Namespace, n.Scope.NamespaceName = namespace.Metadata.Name().Elem(), args.Name
	policies, err := netpol.New(ctx, name+"-netpol", n.Scope.Namespace, args.Edges, args.DNSCIDRs, component.Options(n)...)
	if err != nil {
		return nil, err
	}
	config, err := scripts.NewConfigMap(ctx, name+"-scripts", n.Scope, component.Options(n)...)
	if err != nil {
		return nil, fmt.Errorf("creating the scripts' ConfigMap: %w", err)
	}
	n.Scope.After = append(policies.All, config)
	if args.RegistryCredentials != "" {
		secret, err := pod.NewRegistrySecret(ctx, name+"-registry", n.Scope.Namespace, args.RegistryCredentials, component.Options(n)...)
		if err != nil {
			return nil, err
		}
		n.Scope.PullSecrets = []string{pod.RegistrySecret}
		n.Scope.After = append(n.Scope.After, secret)
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{"name": n.Scope.Namespace})
}

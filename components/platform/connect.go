package platform

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Connect makes the cluster's providers: they reach it by a kubeconfig, its path
// or its text, and by a context of it. Nil is what kubectl would take. With another
// identifier it is another cluster, to which everything in it goes anew; without one
// a changed address or authority says so.
func (c *Cluster) Connect(ctx *pulumi.Context, name string, kubeconfig, context, identifier pulumi.StringPtrInput, opts ...pulumi.ResourceOption) error {
	var err error
	if c.Provider, err = kubernetes.NewProvider(ctx, name+"-provider", &kubernetes.ProviderArgs{
		Kubeconfig: kubeconfig, Context: context, ClusterIdentifier: identifier,
		EnableServerSideApply: pulumi.Bool(true),
		// Without these a changed Secret or ConfigMap is deleted and made again, and a
		// pod that starts in between cannot mount it. Checksums roll the pods.
		EnableSecretMutable: pulumi.Bool(true), EnableConfigMapMutable: pulumi.Bool(true),
	}, opts...); err != nil {
		return fmt.Errorf("creating the Kubernetes provider: %w", err)
	}
	if c.Creator, err = kubernetes.NewProvider(ctx, name+"-creator", &kubernetes.ProviderArgs{
		Kubeconfig: kubeconfig, Context: context, ClusterIdentifier: identifier, EnableServerSideApply: pulumi.Bool(false),
	}, opts...); err != nil {
		return fmt.Errorf("creating the Kubernetes provider for what must not exist yet: %w", err)
	}
	return nil
}

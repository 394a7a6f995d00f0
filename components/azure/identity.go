package azure

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-azure-native-sdk/managedidentity/v3"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// Identity is a managed identity that the cluster's tokens of one ServiceAccount
// are exchanged for: no key is stored anywhere. Issuer and subject come from the
// cluster, so a new one binds again
// (learn.microsoft.com/azure/aks/workload-identity-overview).
func (p *Platform) Identity(ctx *pulumi.Context, name string, args platform.IdentityArgs, opts ...pulumi.ResourceOption) (*platform.Identity, error) {
	i := &platform.Identity{
		PodLabels: map[string]string{"azure.workload.identity/use": "true"},
		Env:       corev1.EnvVarArray{},
		Checksum:  args.Bucket.Checksum,
	}
	if err := ctx.RegisterComponentResource(identityToken, name, i, opts...); err != nil {
		return nil, err
	}
	identity, err := managedidentity.NewUserAssignedIdentity(ctx, name+"-identity", &managedidentity.UserAssignedIdentityArgs{
		ResourceGroupName: p.made.group, ResourceName: p.name(args.ServiceAccount), Tags: p.tags(),
	}, p.child(i)...)
	if err != nil {
		return nil, fmt.Errorf("creating the identity of %s: %w", args.ServiceAccount, err)
	}
	credential, err := managedidentity.NewFederatedIdentityCredential(ctx, name+"-credential", &managedidentity.FederatedIdentityCredentialArgs{
		ResourceGroupName: p.made.group, ResourceName: identity.Name, FederatedIdentityCredentialResourceName: p.name(args.ServiceAccount),
		Issuer: p.made.issuer, Subject: pulumi.Sprintf("system:serviceaccount:%s:%s", p.settings.Namespace, args.ServiceAccount),
		Audiences: pulumi.ToStringArray([]string{"api://AzureADTokenExchange"}),
	}, p.child(i)...)
	if err != nil {
		return nil, fmt.Errorf("binding %s to its identity: %w", args.ServiceAccount, err)
	}
	container, ok := p.made.containers[strings.Trim(args.Prefix, "/")]
	if !ok {
		return nil, fmt.Errorf("there is no container for %q", args.Prefix)
	}
	access, err := p.assign(ctx, i, name+"-access", roleBlob, identity.PrincipalId, container, servicePrincipal)
	if err != nil {
		return nil, err
	}
	i.ServiceAccountAnnotations = pulumi.StringMap{"azure.workload.identity/client-id": inForce(identity.ClientId, access)}
	i.Ready = append(pod.Join(args.Bucket.Ready), credential, access)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"clientId": identity.ClientId})
}

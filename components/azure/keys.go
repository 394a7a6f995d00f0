package azure

import (
	"fmt"

	"github.com/pulumi/pulumi-azure-native-sdk/authorization/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/keyvault/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/managedidentity/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// Roles by their ids (learn.microsoft.com/azure/role-based-access-control/built-in-roles).
const (
	roleClusterAdmin  = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b" // Azure Kubernetes Service RBAC Cluster Admin
	roleClusterReader = "7f6c6a51-bcf8-42ba-9220-52d62157d7db" // Azure Kubernetes Service RBAC Reader, without Secrets
	roleClusterUser   = "4abbcc35-e782-43d8-92c5-2d3f1bd2253f" // Azure Kubernetes Service Cluster User
	roleNetwork       = "4d97b98b-1d4f-4787-a291-c67834d212e7" // Network Contributor
	roleEncryption    = "e147488a-f6f5-4113-8e2d-b22465e65bf6" // Key Vault Crypto Service Encryption User
	roleCrypto        = "12338af0-0e69-4776-bea7-57ae8d297424" // Key Vault Crypto User
	roleBlob          = "ba92f5b4-2d11-453d-a403-e96b0029c9fe" // Storage Blob Data Contributor
	roleReader        = "acdd72a7-3385-48ef-bd42-f606fba81ae7" // Reader
)

// assign gives a role to a principal of a kind, on a scope and below.
func (p *Platform) assign(ctx *pulumi.Context, parent pulumi.Resource, name, role string, principal, scope pulumi.StringInput, kind string) (pulumi.Resource, error) {
	made, err := authorization.NewRoleAssignment(ctx, name, &authorization.RoleAssignmentArgs{
		PrincipalId: principal, Scope: scope,
		// Without it the SDK says User, and Azure refuses everybody else.
		PrincipalType:    pulumi.String(kind),
		RoleDefinitionId: pulumi.Sprintf("/subscriptions/%s/providers/Microsoft.Authorization/roleDefinitions/%s", p.settings.Account, role),
	}, p.child(parent)...)
	if err != nil {
		return nil, fmt.Errorf("assigning a role, %s: %w", name, err)
	}
	return made, nil
}

// servicePrincipal is what a managed identity is in the directory.
const servicePrincipal = "ServicePrincipal"

// keys are the vault of the stack's keys and the identity with which the database
// and the storage account use them.
type keys struct {
	pulumi.ResourceState
	resource                 *keyvault.Vault
	vault, vaultID, vaultURI pulumi.StringOutput
	// identity is its id, principal what it is in the directory.
	identity, principal pulumi.StringOutput
	// ready must be there before a service uses a key.
	ready []pulumi.Resource
}

// newKeys makes the vault. Purge protection is what storage accounts and databases
// ask of it, and keeps a deleted key for 90 days
// (learn.microsoft.com/azure/key-vault/general/soft-delete-overview).
func (p *Platform) newKeys(ctx *pulumi.Context, name string, parent pulumi.Resource) error {
	k := &keys{}
	if err := ctx.RegisterComponentResource(keysToken, name, k, component.Options(parent)...); err != nil {
		return err
	}
	vault, err := keyvault.NewVault(ctx, name+"-vault", &keyvault.VaultArgs{
		ResourceGroupName: p.made.group, VaultName: p.global(), Tags: p.tags(),
		Properties: &keyvault.VaultPropertiesArgs{
			TenantId: pulumi.String(p.tenant), Sku: &keyvault.SkuArgs{Family: pulumi.String("A"), Name: keyvault.SkuNameStandard},
			EnableRbacAuthorization: pulumi.Bool(true), EnableSoftDelete: pulumi.Bool(true), SoftDeleteRetentionInDays: pulumi.Int(90),
			EnablePurgeProtection: pulumi.Bool(true),
		},
	}, p.child(k, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return fmt.Errorf("creating the key vault: %w", err)
	}
	identity, err := managedidentity.NewUserAssignedIdentity(ctx, name+"-identity", &managedidentity.UserAssignedIdentityArgs{
		ResourceGroupName: p.made.group, ResourceName: p.name("encryption"), Tags: p.tags(),
	}, p.child(k, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return fmt.Errorf("creating the identity that uses the keys: %w", err)
	}
	k.resource = vault
	k.vault, k.vaultID, k.vaultURI = vault.Name, vault.ID().ToStringOutput(), vault.Properties.VaultUri()
	k.identity, k.principal = identity.ID().ToStringOutput(), identity.PrincipalId
	use, err := p.assign(ctx, k, name+"-use", roleEncryption, k.principal, k.vaultID, servicePrincipal)
	if err != nil {
		return err
	}
	k.ready = []pulumi.Resource{use}
	p.made.keys = k
	return ctx.RegisterResourceOutputs(k, pulumi.Map{})
}

// key makes a key. What it encrypts is lost with it.
func (p *Platform) key(ctx *pulumi.Context, parent pulumi.Resource, name, purpose string, rotation keyvault.RotationPolicyPtrInput) (*keyvault.Key, error) {
	key, err := keyvault.NewKey(ctx, name+"-key", &keyvault.KeyArgs{
		ResourceGroupName: p.made.group, VaultName: p.made.keys.vault, KeyName: pulumi.String(purpose), Tags: p.tags(),
		Properties: &keyvault.KeyPropertiesArgs{
			Kty: pulumi.String("RSA"), KeySize: pulumi.Int(3072),
			RotationPolicy: rotation,
		},
	}, p.child(parent, append(protect.Options(p.settings.Protect), p.inVault())...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the %s key: %w", purpose, err)
	}
	return key, nil
}

// yearly rotates a key that its service follows to the newest version.
func yearly() keyvault.RotationPolicyPtrInput {
	return &keyvault.RotationPolicyArgs{LifetimeActions: keyvault.LifetimeActionArray{&keyvault.LifetimeActionArgs{
		Action:  &keyvault.ActionArgs{Type: keyvault.KeyRotationPolicyActionTypeRotate},
		Trigger: &keyvault.TriggerArgs{TimeAfterCreate: pulumi.String("P365D")},
	}}}
}

// inVault is an option of what goes with the vault: deleting it by itself needs a
// role on the vault's data, which nobody has by making it.
func (p *Platform) inVault() pulumi.ResourceOption { return pulumi.DeletedWith(p.made.keys.resource) }

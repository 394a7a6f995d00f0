package azure

import (
	"fmt"
	"time"

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
func (p *Platform) assign(ctx *pulumi.Context, parent pulumi.Resource, name, role string, principal, scope pulumi.StringInput, kind string) (*authorization.RoleAssignment, error) {
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

// roleDelay is how long a role takes at most to be in force everywhere
// (learn.microsoft.com/azure/role-based-access-control/troubleshooting).
const roleDelay = 10 * time.Minute

// inForce is a value that is there when a role is: whoever uses a key, or a network,
// with a role of a minute ago is refused, and the service does not try again. Only
// the first update waits; later the role is older.
func inForce(value pulumi.StringOutput, role *authorization.RoleAssignment) pulumi.StringOutput {
	return pulumi.All(value, role.CreatedOn).ApplyT(func(all []any) (string, error) {
		since, err := time.Parse(time.RFC3339, all[1].(string))
		if err != nil {
			return "", fmt.Errorf("reading when a role was given: %w", err)
		}
		// No longer than that, however far the clocks are apart.
		Sleep(min(roleDelay-Now().Sub(since), roleDelay))
		return all[0].(string), nil
	}).(pulumi.StringOutput)
}

// servicePrincipal is what a managed identity is in the directory.
const servicePrincipal = "ServicePrincipal"

// keys are the vault of the stack's keys and the identity with which the database
// and the storage account use them.
type keys struct {
	pulumi.ResourceState
	resource                 *keyvault.Vault
	vault, vaultID, vaultURI pulumi.StringOutput
	// identity is its id.
	identity pulumi.StringOutput
}

// place is where keys are, and what vault and identity are called there: the vault
// for the whole cloud, the identity in the group. Without one whoever uses the keys
// has another.
type place struct {
	region          string
	vault, identity pulumi.StringInput
	// open lets the vault be reached from everywhere, with a role.
	open bool
	// readers are networks besides, from which people read secrets.
	readers []string
}

// newKeys makes a vault. Purge protection is what storage accounts and databases
// ask of it, and keeps a deleted key for 90 days
// (learn.microsoft.com/azure/key-vault/general/soft-delete-overview).
func (p *Platform) newKeys(ctx *pulumi.Context, name string, parent pulumi.Resource, at place) (*keys, error) {
	k := &keys{}
	if err := ctx.RegisterComponentResource(keysToken, name, k, component.Options(parent)...); err != nil {
		return nil, err
	}
	vault, err := keyvault.NewVault(ctx, name+"-vault", &keyvault.VaultArgs{
		ResourceGroupName: p.made.group, VaultName: at.vault, Location: pulumi.String(at.region), Tags: p.tags(),
		Properties: &keyvault.VaultPropertiesArgs{
			TenantId: pulumi.String(p.tenant), Sku: &keyvault.SkuArgs{Family: pulumi.String("A"), Name: keyvault.SkuNameStandard},
			EnableRbacAuthorization: pulumi.Bool(true), EnableSoftDelete: pulumi.Bool(true), SoftDeleteRetentionInDays: pulumi.Int(90),
			EnablePurgeProtection: pulumi.Bool(true), NetworkAcls: at.acls(),
		},
	}, p.child(k, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the key vault: %w", err)
	}
	k.resource = vault
	k.vault, k.vaultID, k.vaultURI = vault.Name, vault.ID().ToStringOutput(), vault.Properties.VaultUri()
	if at.identity == nil {
		return k, ctx.RegisterResourceOutputs(k, pulumi.Map{})
	}
	identity, err := managedidentity.NewUserAssignedIdentity(ctx, name+"-identity", &managedidentity.UserAssignedIdentityArgs{
		ResourceGroupName: p.made.group, ResourceName: at.identity, Location: pulumi.String(at.region), Tags: p.tags(),
	}, p.child(k, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the identity that uses the keys: %w", err)
	}
	use, err := p.assign(ctx, k, name+"-use", roleEncryption, identity.PrincipalId, k.vaultID, servicePrincipal)
	if err != nil {
		return nil, err
	}
	k.identity = inForce(identity.ID().ToStringOutput(), use)
	return k, ctx.RegisterResourceOutputs(k, pulumi.Map{})
}

// acls close the vault but for services of Azure that use its keys, and for readers
// (learn.microsoft.com/azure/key-vault/general/network-security).
func (at place) acls() keyvault.NetworkRuleSetPtrInput {
	if at.open {
		return nil
	}
	var rules keyvault.IPRuleArray
	for _, cidr := range at.readers {
		rules = append(rules, &keyvault.IPRuleArgs{Value: pulumi.String(cidr)})
	}
	return &keyvault.NetworkRuleSetArgs{
		DefaultAction: pulumi.String("Deny"), Bypass: pulumi.String("AzureServices"), IpRules: rules,
	}
}

// key makes a key. What it encrypts is lost with it.
func (p *Platform) key(ctx *pulumi.Context, parent pulumi.Resource, name, purpose string, rotation keyvault.RotationPolicyPtrInput) (*keyvault.Key, error) {
	return p.keyIn(ctx, p.made.keys, parent, name, purpose, rotation)
}

func (p *Platform) keyIn(ctx *pulumi.Context, k *keys, parent pulumi.Resource, name, purpose string, rotation keyvault.RotationPolicyPtrInput) (*keyvault.Key, error) {
	key, err := keyvault.NewKey(ctx, name+"-key", &keyvault.KeyArgs{
		ResourceGroupName: p.made.group, VaultName: k.vault, KeyName: pulumi.String(purpose), Tags: p.tags(),
		Properties: &keyvault.KeyPropertiesArgs{
			Kty: pulumi.String("RSA"), KeySize: pulumi.Int(3072),
			RotationPolicy: rotation,
		},
	}, p.child(parent, append(protect.Options(p.settings.Protect), k.with())...)...)
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

// with is an option of what goes with the vault: deleting it by itself needs a role
// on the vault's data, which nobody has by making it.
func (k *keys) with() pulumi.ResourceOption { return pulumi.DeletedWith(k.resource) }

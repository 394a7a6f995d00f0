package azure

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-azure-native-sdk/keyvault/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

var _ platform.SecretStore = (*Platform)(nil)

// Copy keeps the logins in the stack's vault, by name, with that of a managed
// database's administrator. Who may read them is a role on the vault, which
// cluster.admins do not get by themselves.
func (p *Platform) Copy(ctx *pulumi.Context, name string, logins map[string]pulumi.Input, opts ...pulumi.ResourceOption) error {
	c := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(secretsToken, name, c, opts...); err != nil {
		return err
	}
	all := maps.Clone(logins)
	if p.made.admin != nil {
		all["database-admin"] = p.made.admin
	}
	for _, role := range slices.Sorted(maps.Keys(all)) {
		if _, err := keyvault.NewSecret(ctx, name+"-"+role, &keyvault.SecretArgs{
			ResourceGroupName: p.made.group, VaultName: p.made.keys.vault, SecretName: pulumi.String(role), Tags: p.tags(),
			Properties: &keyvault.SecretPropertiesArgs{
				ContentType: pulumi.String("application/json"),
				Value:       pulumi.ToSecret(pulumi.JSONMarshal(all[role])).(pulumi.StringOutput),
			},
		}, p.child(c, p.made.keys.with(), pulumi.RetainOnDelete(p.settings.Protect))...); err != nil {
			return fmt.Errorf("writing secret %s: %w", role, err)
		}
	}
	return ctx.RegisterResourceOutputs(c, pulumi.Map{})
}

package aws

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

var _ platform.SecretStore = (*Platform)(nil)

// Copy keeps the logins in Secrets Manager, as mlflow-STACK/NAME, with that of a
// managed database's administrator.
func (p *Platform) Copy(ctx *pulumi.Context, name string, logins map[string]pulumi.Input, opts ...pulumi.ResourceOption) error {
	c := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(secretsToken, name, c, opts...); err != nil {
		return err
	}
	key, err := p.key(ctx, c, name, "secrets")
	if err != nil {
		return err
	}
	all := maps.Clone(logins)
	if p.made.admin != nil {
		all["database-admin"] = p.made.admin
	}
	// A name is taken until the window is over, and a copy is made again by any
	// update; in production somebody may be using it.
	window := 7
	if p.settings.Profile == settings.Dev {
		window = 0
	}
	for _, role := range slices.Sorted(maps.Keys(all)) {
		secret, err := secretsmanager.NewSecret(ctx, name+"-"+role, &secretsmanager.SecretArgs{
			Name: pulumi.String(p.name(naming.IAM) + "/" + role), Description: pulumi.String("A copy; mlflow-platform writes it with every update."),
			KmsKeyId: key.Arn, RecoveryWindowInDays: pulumi.Int(window), Tags: p.tags(role),
		}, p.child(c)...)
		if err != nil {
			return fmt.Errorf("creating secret %s: %w", role, err)
		}
		if _, err := secretsmanager.NewSecretVersion(ctx, name+"-"+role+"-value", &secretsmanager.SecretVersionArgs{
			SecretId: secret.ID(), SecretString: pulumi.ToSecret(pulumi.JSONMarshal(all[role])).(pulumi.StringOutput),
		}, p.child(c)...); err != nil {
			return fmt.Errorf("writing secret %s: %w", role, err)
		}
	}
	return ctx.RegisterResourceOutputs(c, pulumi.Map{})
}

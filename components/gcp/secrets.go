package gcp

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/secretmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

var _ platform.SecretStore = (*Platform)(nil)

// Copy keeps the logins in Secret Manager, by name, with that of a managed database's
// administrator. Who may read them is a role on each, which cluster.admins do not get
// by themselves.
func (p *Platform) Copy(ctx *pulumi.Context, name string, logins map[string]pulumi.Input, opts ...pulumi.ResourceOption) error {
	c := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(secretsToken, name, c, opts...); err != nil {
		return err
	}
	agent, err := p.agent(ctx, name, "secretmanager", c)
	if err != nil {
		return err
	}
	key, ready, err := p.key(ctx, c, name, "secrets", agent)
	if err != nil {
		return err
	}
	// Who read a login, which nobody keeps otherwise
	// (cloud.google.com/secret-manager/docs/audit-logging).
	if _, err := projects.NewIAMAuditConfig(ctx, name+"-audit", &projects.IAMAuditConfigArgs{
		Project: pulumi.String(p.settings.Account), Service: pulumi.String("secretmanager.googleapis.com"),
		AuditLogConfigs: projects.IAMAuditConfigAuditLogConfigArray{
			&projects.IAMAuditConfigAuditLogConfigArgs{LogType: pulumi.String("DATA_READ")}, &projects.IAMAuditConfigAuditLogConfigArgs{LogType: pulumi.String("ADMIN_READ")},
		},
	}, p.child(c, pulumi.DependsOn(p.made.enabled))...); err != nil {
		return fmt.Errorf("keeping who reads logins: %w", err)
	}
	all := maps.Clone(logins)
	if p.made.admin != nil {
		all["database-admin"] = p.made.admin
	}
	for _, role := range slices.Sorted(maps.Keys(all)) {
		secret, err := secretmanager.NewSecret(ctx, name+"-"+role, &secretmanager.SecretArgs{
			SecretId: pulumi.String(p.name(role)), Labels: p.labels(),
			Replication: &secretmanager.SecretReplicationArgs{UserManaged: &secretmanager.SecretReplicationUserManagedArgs{
				Replicas: secretmanager.SecretReplicationUserManagedReplicaArray{&secretmanager.SecretReplicationUserManagedReplicaArgs{
					Location:                  pulumi.String(p.settings.Region),
					CustomerManagedEncryption: &secretmanager.SecretReplicationUserManagedReplicaCustomerManagedEncryptionArgs{KmsKeyName: key},
				}},
			}},
		}, p.child(c, pulumi.DependsOn(ready))...)
		if err != nil {
			return fmt.Errorf("creating secret %s: %w", role, err)
		}
		if _, err := secretmanager.NewSecretVersion(ctx, name+"-"+role+"-version", &secretmanager.SecretVersionArgs{
			Secret: secret.ID(), SecretData: pulumi.ToSecret(pulumi.JSONMarshal(all[role])).(pulumi.StringOutput),
		}, p.child(c)...); err != nil {
			return fmt.Errorf("writing secret %s: %w", role, err)
		}
	}
	return ctx.RegisterResourceOutputs(c, pulumi.Map{})
}

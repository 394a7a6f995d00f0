package azure

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-azure-native-sdk/authorization/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/dbforpostgresql/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/postgres"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// authority are the roots that sign the certificates of Flexible Server: DigiCert
// Global Root G2 and Microsoft RSA Root Certificate Authority 2017
// (learn.microsoft.com/azure/postgresql/security/security-tls).
//
//go:embed database-ca.pem
var authority string

// Database is Azure Database for PostgreSQL, Flexible Server, in a subnet of its
// own.
func (p *Platform) Database(ctx *pulumi.Context, name string, args platform.DatabaseArgs, opts ...pulumi.ResourceOption) (*platform.Database, error) {
	d := postgres.Managed()
	if err := ctx.RegisterComponentResource(databaseToken, name, d, opts...); err != nil {
		return nil, err
	}
	version := p.settings.Database.PasswordVersion
	passwords, err := postgres.NewPasswords(ctx, name+"-admin-password", version, d, p.settings.Protect)
	if err != nil {
		return nil, err
	}
	password := passwords[0]
	server, ready, err := p.server(ctx, name, d, password)
	if err != nil {
		return nil, err
	}
	if err := postgres.Complete(ctx, name, d, postgres.ManagedArgs{
		Scope: args.Scope, Provider: args.Cluster.Provider, Host: server.FullyQualifiedDomainName, Server: ready, Authority: authority,
		AdminPassword: password, PasswordVersion: version, Protect: p.settings.Protect,
	}); err != nil {
		return nil, err
	}
	p.made.admin = d.Login(postgres.Admin, password)
	if err := p.databaseAlerts(ctx, name, d, server); err != nil {
		return nil, err
	}
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"host": d.Host})
}

// server makes the server with its database, parameters, lock and logs; ready is
// what must be there before anything connects.
func (p *Platform) server(ctx *pulumi.Context, name string, d *platform.Database, password pulumi.StringInput) (*dbforpostgresql.Server, []pulumi.Resource, error) {
	s := p.settings.Database
	key, err := p.key(ctx, d, name, "database", yearly())
	if err != nil {
		return nil, nil, err
	}
	zone, link, err := p.zone(ctx, name, d, pulumi.Sprintf("%s.private.postgres.database.azure.com", p.name()))
	if err != nil {
		return nil, nil, err
	}
	availability := &dbforpostgresql.HighAvailabilityArgs{Mode: pulumi.String("Disabled")}
	if s.HighAvailability {
		availability.Mode = pulumi.String("ZoneRedundant")
	}
	server, err := dbforpostgresql.NewServer(ctx, name+"-server", &dbforpostgresql.ServerArgs{
		ResourceGroupName: p.made.group, ServerName: pulumi.Sprintf("%s-%s", p.name(), p.made.suffix), Version: pulumi.String(postgres.Major),
		Sku:                &dbforpostgresql.SkuArgs{Name: pulumi.String(s.InstanceType), Tier: pulumi.String(tierOf(s.InstanceType))},
		AdministratorLogin: pulumi.String(postgres.Admin), AdministratorLoginPassword: password,
		AuthConfig:       &dbforpostgresql.AuthConfigArgs{ActiveDirectoryAuth: pulumi.String("Disabled"), PasswordAuth: pulumi.String("Enabled"), TenantId: pulumi.String(p.tenant)},
		Network:          &dbforpostgresql.NetworkArgs{DelegatedSubnetResourceId: p.made.database, PrivateDnsZoneArmResourceId: zone.ID()},
		Storage:          &dbforpostgresql.StorageArgs{StorageSizeGB: pulumi.Int(s.StorageGiB), AutoGrow: pulumi.String("Enabled"), Type: pulumi.String("Premium_LRS")},
		Backup:           &dbforpostgresql.BackupTypeArgs{BackupRetentionDays: pulumi.Int(s.Backup.RetentionDays), GeoRedundantBackup: pulumi.String("Disabled")},
		HighAvailability: availability,
		Identity: &dbforpostgresql.UserAssignedIdentityArgs{
			Type: pulumi.String("UserAssigned"),
			UserAssignedIdentities: p.made.keys.identity.ApplyT(func(id string) map[string]dbforpostgresql.UserIdentity {
				return map[string]dbforpostgresql.UserIdentity{id: {}}
			}).(dbforpostgresql.UserIdentityMapOutput),
		},
		DataEncryption: &dbforpostgresql.DataEncryptionArgs{
			Type: pulumi.String("AzureKeyVault"), PrimaryKeyURI: key.KeyUri, PrimaryUserAssignedIdentityId: p.made.keys.identity,
		},
		// The nightly dump is at 02:17 UTC; weekly maintenance comes after it.
		MaintenanceWindow: &dbforpostgresql.MaintenanceWindowArgs{
			CustomWindow: pulumi.String("Enabled"), DayOfWeek: pulumi.Int(0), StartHour: pulumi.Int(4), StartMinute: pulumi.Int(0),
		},
		Tags: p.tags(),
	}, p.child(d, append(protect.Options(p.settings.Protect),
		pulumi.DependsOn(append(append([]pulumi.Resource{link}, p.made.network...), p.made.keys.ready...)),
		// A failover swaps the zones, growth changes the size.
		pulumi.IgnoreChanges([]string{"availabilityZone", "highAvailability.standbyAvailabilityZone", "storage.storageSizeGB"}))...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the database server: %w", err)
	}
	database, err := dbforpostgresql.NewDatabase(ctx, name+"-database", &dbforpostgresql.DatabaseArgs{
		ResourceGroupName: p.made.group, ServerName: server.Name, DatabaseName: pulumi.String(d.Name),
		Charset: pulumi.String("UTF8"), Collation: pulumi.String("C"),
	}, p.child(d, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the database: %w", err)
	}
	ready, err := p.parameters(ctx, name, d, server, database)
	if err != nil {
		return nil, nil, err
	}
	if p.settings.Protect {
		// Flexible Server has no protection against deletion of its own.
		lock, err := authorization.NewManagementLockByScope(ctx, name+"-lock", &authorization.ManagementLockByScopeArgs{
			Scope: server.ID(), Level: pulumi.String("CanNotDelete"), LockName: p.name("database"),
			Notes: pulumi.String("mlflow-platform: protect is true"),
		}, p.child(d)...)
		if err != nil {
			return nil, nil, fmt.Errorf("locking the database server: %w", err)
		}
		ready = append(ready, lock)
	}
	if err := p.diagnostics(ctx, name+"-logs", d, server.ID().ToStringOutput(), "PostgreSQLLogs"); err != nil {
		return nil, nil, err
	}
	return server, ready, nil
}

// parameters are set one after the other: the server does one thing at a time.
func (p *Platform) parameters(ctx *pulumi.Context, name string, d *platform.Database, server *dbforpostgresql.Server, database pulumi.Resource) ([]pulumi.Resource, error) {
	ready := []pulumi.Resource{database}
	for _, one := range []struct{ name, value string }{
		// In force after a restart, which a new server needs for it: until then it has
		// Azure's own number for its size, which is higher (docs/decisions/0016).
		{"max_connections", fmt.Sprint(p.settings.Database.MaxConnections)},
		{"require_secure_transport", "ON"},
		{"ssl_min_protocol_version", "TLSv1.2"},
		// Slow statements and lock waits are what on-call looks for first.
		{"log_min_duration_statement", "1000"},
		{"log_lock_waits", "ON"},
	} {
		made, err := dbforpostgresql.NewConfiguration(ctx, name+"-"+strings.ReplaceAll(one.name, "_", "-"), &dbforpostgresql.ConfigurationArgs{
			ResourceGroupName: p.made.group, ServerName: server.Name, ConfigurationName: pulumi.String(one.name),
			Value: pulumi.String(one.value), Source: pulumi.String("user-override"),
		}, p.child(d, pulumi.DependsOn(ready))...)
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", one.name, err)
		}
		ready = append(ready, made)
	}
	return ready, nil
}

// tierOf is the tier of a size: Azure wants both
// (learn.microsoft.com/azure/postgresql/configure-maintain/concepts-compute).
func tierOf(size string) string {
	switch {
	case strings.HasPrefix(size, "Standard_B"):
		return "Burstable"
	case strings.HasPrefix(size, "Standard_E"):
		return "MemoryOptimized"
	}
	return "GeneralPurpose"
}

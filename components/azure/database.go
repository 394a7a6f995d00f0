package azure

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi-azure-native-sdk/dbforpostgresql/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/keyvault/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/postgres"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// authority are the roots that sign the certificates of Flexible Server: DigiCert
// Global Root G2 and Microsoft RSA Root Certificate Authority 2017
// (learn.microsoft.com/azure/postgresql/security/security-tls).
//
//go:embed database-ca.pem
var authority string

// Database is Azure Database for PostgreSQL, Flexible Server, in a subnet of its own;
// or CloudNativePG in the cluster.
func (p *Platform) Database(ctx *pulumi.Context, name string, args platform.DatabaseArgs, opts ...pulumi.ResourceOption) (*platform.Database, error) {
	if p.settings.Database.Mode == "inCluster" {
		return p.inCluster(ctx, name, args, opts...)
	}
	d := postgres.Managed()
	if err := ctx.RegisterComponentResource(databaseToken, name, d, opts...); err != nil {
		return nil, err
	}
	version := p.settings.Database.PasswordVersion
	// Flexible Server wants three kinds of characters
	// (learn.microsoft.com/rest/api/postgresql/servers/create-or-update).
	passwords, err := postgres.NewPasswords(ctx, name+"-admin-password", postgres.PasswordArgs{Version: version, Protect: p.settings.Protect, Mixed: true}, d)
	if err != nil {
		return nil, err
	}
	password := passwords[0]
	server, ready, err := p.server(ctx, name, d, password)
	if err != nil {
		return nil, err
	}
	if err := postgres.Complete(ctx, name, d, postgres.ManagedArgs{
		Scope: args.Scope, Provider: args.Cluster.Provider, Host: server.FullyQualifiedDomainName, Server: ready, Authority: pulumi.String(authority),
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

// inCluster is the database of platform kubernetes on disks that a key of the stack
// encrypts.
func (p *Platform) inCluster(ctx *pulumi.Context, name string, args platform.DatabaseArgs, opts ...pulumi.ResourceOption) (*platform.Database, error) {
	volumes, err := p.volumes(args.Cluster).New(ctx, name+"-volumes", opts...)
	if err != nil {
		return nil, err
	}
	return kubernetes.DatabaseOn(ctx, p.settings, name, databaseClass, volumes, args, opts...)
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
	identities, encryption, geo, err := p.databaseKeys(ctx, name, d, key)
	if err != nil {
		return nil, nil, err
	}
	availability := &dbforpostgresql.HighAvailabilityArgs{Mode: pulumi.String("Disabled")}
	if s.HighAvailability {
		availability.Mode = pulumi.String("ZoneRedundant")
	}
	physical := pulumi.Sprintf("%s-%s", p.name(), p.made.suffix)
	server, err := dbforpostgresql.NewServer(ctx, name+"-server", &dbforpostgresql.ServerArgs{
		ResourceGroupName: p.made.group, ServerName: physical, Version: pulumi.String(postgres.Major),
		Sku:                &dbforpostgresql.SkuArgs{Name: pulumi.String(s.InstanceType), Tier: pulumi.String(tierOf(s.InstanceType))},
		AdministratorLogin: pulumi.String(postgres.Admin), AdministratorLoginPassword: password,
		AuthConfig:       &dbforpostgresql.AuthConfigArgs{ActiveDirectoryAuth: pulumi.String("Disabled"), PasswordAuth: pulumi.String("Enabled"), TenantId: pulumi.String(p.tenant)},
		Network:          &dbforpostgresql.NetworkArgs{DelegatedSubnetResourceId: p.made.database, PrivateDnsZoneArmResourceId: zone.ID()},
		Storage:          &dbforpostgresql.StorageArgs{StorageSizeGB: p.storage(ctx, physical), AutoGrow: pulumi.String("Enabled"), Type: pulumi.String("Premium_LRS")},
		Backup:           &dbforpostgresql.BackupTypeArgs{BackupRetentionDays: pulumi.Int(s.Backup.RetentionDays), GeoRedundantBackup: pulumi.String(geo)},
		HighAvailability: availability,
		Identity:         identities, DataEncryption: encryption,
		// The nightly dump is at 02:17 UTC; weekly maintenance comes after it.
		MaintenanceWindow: &dbforpostgresql.MaintenanceWindowArgs{
			CustomWindow: pulumi.String("Enabled"), DayOfWeek: pulumi.Int(0), StartHour: pulumi.Int(4), StartMinute: pulumi.Int(0),
		},
		Tags: p.tags(),
	}, p.child(d, append(protect.Options(p.settings.Protect),
		pulumi.DependsOn(append([]pulumi.Resource{link}, p.made.network...)),
		// A failover swaps the zones.
		pulumi.IgnoreChanges([]string{"availabilityZone", "highAvailability.standbyAvailabilityZone"}))...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the database server: %w", err)
	}
	// The server refuses what comes while it does something else, also after it said that
	// it is made (github.com/Azure/azure-postgresql/issues/134), and the provider asks
	// once: here for ten minutes.
	busy, err := component.Retry{On: []string{"ServerIsBusy"}, Every: 30 * time.Second, Tries: 20, Sleep: Sleep}.Option(ctx, name+"-busy")
	if err != nil {
		return nil, nil, err
	}
	database, err := dbforpostgresql.NewDatabase(ctx, name+"-database", &dbforpostgresql.DatabaseArgs{
		ResourceGroupName: p.made.group, ServerName: server.Name, DatabaseName: pulumi.String(d.Name),
		Charset: pulumi.String("UTF8"), Collation: pulumi.String("C"),
	}, p.child(d, append(protect.Options(p.settings.Protect), busy)...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the database: %w", err)
	}
	ready, err := p.parameters(ctx, name, d, server, database, busy)
	if err != nil {
		return nil, nil, err
	}
	logged, err := p.diagnostics(ctx, name+"-logs", d, server.ID().ToStringOutput(), "PostgreSQLLogs")
	if err != nil {
		return nil, nil, err
	}
	return server, ready, p.lock(ctx, d, name, "database", server.ID(), append(pod.Join(ready), logged))
}

// databaseKeys are what the server and its backups are encrypted with, and by whom,
// and whether the backups are kept in database.backup.pairedRegion as well: with a key
// and an identity of their own there
// (learn.microsoft.com/azure/postgresql/security/security-data-encryption).
func (p *Platform) databaseKeys(ctx *pulumi.Context, name string, d *platform.Database, key *keyvault.Key) (*dbforpostgresql.UserAssignedIdentityArgs, *dbforpostgresql.DataEncryptionArgs, string, error) {
	users, geo := pulumi.StringArray{p.made.keys.identity}, "Disabled"
	encryption := &dbforpostgresql.DataEncryptionArgs{
		Type: pulumi.String("AzureKeyVault"), PrimaryKeyURI: key.KeyUri, PrimaryUserAssignedIdentityId: p.made.keys.identity,
	}
	if region := p.settings.Database.Backup.PairedRegion; region != "" {
		suffix, err := p.suffix(ctx, name+"-paired", d)
		if err != nil {
			return nil, nil, "", err
		}
		paired, err := p.newKeys(ctx, name+"-paired-keys", d, place{region: region, vault: p.global(suffix), identity: p.name("encryption", region)})
		if err != nil {
			return nil, nil, "", err
		}
		if _, err := p.diagnostics(ctx, name+"-paired-keys-audit", d, paired.vaultID, "AuditEvent"); err != nil {
			return nil, nil, "", err
		}
		second, err := p.keyIn(ctx, paired, d, name+"-paired", "database", yearly())
		if err != nil {
			return nil, nil, "", err
		}
		users, geo = append(users, paired.identity), "Enabled"
		encryption.GeoBackupKeyURI, encryption.GeoBackupUserAssignedIdentityId = second.KeyUri, paired.identity
	}
	identities := &dbforpostgresql.UserAssignedIdentityArgs{
		Type: pulumi.String("UserAssigned"),
		UserAssignedIdentities: users.ToStringArrayOutput().ApplyT(func(ids []string) map[string]dbforpostgresql.UserIdentity {
			all := map[string]dbforpostgresql.UserIdentity{}
			for _, id := range ids {
				all[id] = dbforpostgresql.UserIdentity{}
			}
			return all
		}).(dbforpostgresql.UserIdentityMapOutput),
	}
	return identities, encryption, geo, nil
}

// parameter is one of the server's.
type parameter struct{ name, value string }

// parameters are set one after the other: the server does one thing at a time.
func (p *Platform) parameters(ctx *pulumi.Context, name string, d *platform.Database, server *dbforpostgresql.Server, database pulumi.Resource, busy pulumi.ResourceOption) ([]pulumi.Resource, error) {
	ready := []pulumi.Resource{database}
	all := []parameter{
		// Words as Azure shows them, or a refresh would find a difference.
		// In force after a restart, which a new server needs for it: until then it has
		// Azure's own number for its size, which is higher (docs/decisions/0016).
		{"max_connections", fmt.Sprint(p.settings.Database.MaxConnections)},
		{"require_secure_transport", "on"},
		{"ssl_min_protocol_version", "TLSv1.2"},
		// Slow statements and lock waits are what on-call looks for first.
		{"log_min_duration_statement", "1000"},
		{"log_lock_waits", "on"},
		// The one extension that may be made: MLflow needs none, who looks for slow
		// statements this one (learn.microsoft.com/azure/postgresql/extensions/how-to-allow-extensions).
		{"azure.extensions", "pg_stat_statements"},
	}
	if tierOf(p.settings.Database.InstanceType) != burstable {
		// What took how long and waited for what, for the portal's Query Performance Insight
		// (learn.microsoft.com/azure/postgresql/monitor/concepts-query-store), which burstable
		// servers have no room for.
		all = append(all, parameter{"pg_qs.query_capture_mode", "top"}, parameter{"pgms_wait_sampling.query_capture_mode", "all"})
	}
	for _, one := range all {
		made, err := dbforpostgresql.NewConfiguration(ctx, name+"-"+strings.NewReplacer("_", "-", ".", "-").Replace(one.name), &dbforpostgresql.ConfigurationArgs{
			ResourceGroupName: p.made.group, ServerName: server.Name, ConfigurationName: pulumi.String(one.name),
			Value: pulumi.String(one.value), Source: pulumi.String("user-override"),
		}, p.child(d, pulumi.DependsOn(ready), busy)...)
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", one.name, err)
		}
		ready = append(ready, made)
	}
	return ready, nil
}

const burstable = "Burstable"

// tierOf is the tier of a size: Azure wants both
// (learn.microsoft.com/azure/postgresql/configure-maintain/concepts-compute).
func tierOf(size string) string {
	switch {
	case strings.HasPrefix(size, "Standard_B"):
		return burstable
	case strings.HasPrefix(size, "Standard_E"):
		return "MemoryOptimized"
	}
	return "GeneralPurpose"
}

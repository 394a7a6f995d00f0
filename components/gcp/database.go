package gcp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/sql"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/postgres"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// Database is Cloud SQL for PostgreSQL with an address inside of the network only; or
// CloudNativePG in the cluster.
func (p *Platform) Database(ctx *pulumi.Context, name string, args platform.DatabaseArgs, opts ...pulumi.ResourceOption) (*platform.Database, error) {
	if p.settings.Database.Mode == "inCluster" {
		return p.inCluster(ctx, name, args, opts...)
	}
	d := postgres.Managed()
	// The server's certificate is signed by an authority of this server alone, and names
	// no address: whoever that authority signed for is the server
	// (docs/decisions/0018).
	d.SSLMode = platform.VerifyCA
	if err := ctx.RegisterComponentResource(databaseToken, name, d, opts...); err != nil {
		return nil, err
	}
	version := p.settings.Database.PasswordVersion
	passwords, err := postgres.NewPasswords(ctx, name+"-admin-password", postgres.PasswordArgs{Version: version, Protect: p.settings.Protect}, d)
	if err != nil {
		return nil, err
	}
	password := passwords[0]
	instance, ready, err := p.instance(ctx, name, d, password)
	if err != nil {
		return nil, err
	}
	if err := postgres.Complete(ctx, name, d, postgres.ManagedArgs{
		Scope: args.Scope, Provider: args.Cluster.Provider, Host: instance.PrivateIpAddress, Server: ready, Authority: p.authorities(ctx, instance),
		AdminPassword: password, PasswordVersion: version, Protect: p.settings.Protect,
	}); err != nil {
		return nil, err
	}
	p.made.admin = d.Login(postgres.Admin, password)
	if err := p.databaseAlerts(ctx, name, d, instance); err != nil {
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

// authorities are the instance's, all that are in force: while one is rotated there are
// two or three, and the server's certificate is signed by any of them
// (cloud.google.com/sql/docs/postgres/manage-ssl-instance).
func (p *Platform) authorities(ctx *pulumi.Context, instance *sql.DatabaseInstance) pulumi.StringOutput {
	found := sql.GetCaCertsOutput(ctx, sql.GetCaCertsOutputArgs{Instance: of(instance, instance.Name), Project: pulumi.String(p.settings.Account)}, pulumi.Provider(p.provider))
	return found.Certs().ApplyT(func(all []sql.GetCaCertsCert) (string, error) {
		var texts []string
		for _, one := range all {
			texts = append(texts, strings.TrimSpace(one.Cert)+"\n")
		}
		if len(texts) == 0 {
			return "", errors.New("Cloud SQL shows no authority of the instance")
		}
		slices.Sort(texts)
		return strings.Join(texts, ""), nil
	}).(pulumi.StringOutput)
}

// instance makes the server with its database and administrator; ready is what must
// be there before anything connects.
func (p *Platform) instance(ctx *pulumi.Context, name string, d *platform.Database, password pulumi.StringInput) (*sql.DatabaseInstance, []pulumi.Resource, error) {
	s, guard := p.settings.Database, protect.Options(p.settings.Protect)
	agent, err := p.agent(ctx, name, "sqladmin", d)
	if err != nil {
		return nil, nil, err
	}
	key, before, err := p.key(ctx, d, name, "database", agent)
	if err != nil {
		return nil, nil, err
	}
	availability := "ZONAL"
	if s.HighAvailability {
		availability = "REGIONAL"
	}
	physical := p.unique()
	instance, err := sql.NewDatabaseInstance(ctx, name+"-instance", &sql.DatabaseInstanceArgs{
		Name: physical, Region: pulumi.String(p.settings.Region), DatabaseVersion: pulumi.String("POSTGRES_" + postgres.Major),
		EncryptionKeyName: key, DeletionProtection: pulumi.Bool(p.settings.Protect),
		Settings: &sql.DatabaseInstanceSettingsArgs{
			Tier: pulumi.String(s.InstanceType),
			// Without it Google chooses ENTERPRISE_PLUS from version 16 on, which has other sizes
			// (github.com/hashicorp/terraform-provider-google/issues/20498).
			Edition: pulumi.String("ENTERPRISE"), AvailabilityType: pulumi.String(availability),
			DiskType: pulumi.String("PD_SSD"), DiskSize: p.storage(ctx, physical), DiskAutoresize: pulumi.Bool(true), DiskAutoresizeLimit: pulumi.Int(s.MaxStorageGiB),
			// The other half of deletionProtection, which holds for gcloud and the console too.
			DeletionProtectionEnabled: pulumi.Bool(p.settings.Protect),
			BackupConfiguration: &sql.DatabaseInstanceSettingsBackupConfigurationArgs{
				Enabled: pulumi.Bool(true), Location: pulumi.String(p.settings.Region), StartTime: pulumi.String("03:00"),
				PointInTimeRecoveryEnabled: pulumi.Bool(true),
				// ENTERPRISE keeps seven days of logs at most (cloud.google.com/sql/docs/postgres/backup-recovery/pitr).
				TransactionLogRetentionDays: pulumi.Int(min(7, s.Backup.RetentionDays)),
				BackupRetentionSettings: &sql.DatabaseInstanceSettingsBackupConfigurationBackupRetentionSettingsArgs{
					RetainedBackups: pulumi.Int(s.Backup.RetentionDays), RetentionUnit: pulumi.String("COUNT"),
				},
			},
			IpConfiguration: &sql.DatabaseInstanceSettingsIpConfigurationArgs{
				Ipv4Enabled: pulumi.Bool(false), PrivateNetwork: p.made.network, SslMode: pulumi.String("ENCRYPTED_ONLY"),
				AllocatedIpRange: pulumi.String(p.made.databaseRange), EnablePrivatePathForGoogleCloudServices: pulumi.Bool(false),
			},
			// The nightly dump is at 02:17 UTC; weekly maintenance comes after it.
			MaintenanceWindow: &sql.DatabaseInstanceSettingsMaintenanceWindowArgs{Day: pulumi.Int(7), Hour: pulumi.Int(4), UpdateTrack: pulumi.String("stable")},
			InsightsConfig: &sql.DatabaseInstanceSettingsInsightsConfigArgs{
				QueryInsightsEnabled: pulumi.Bool(true), QueryStringLength: pulumi.Int(1024), QueryPlansPerMinute: pulumi.Int(5),
				RecordApplicationTags: pulumi.Bool(false), RecordClientAddress: pulumi.Bool(false),
			},
			DatabaseFlags: p.flags(), UserLabels: p.labels(),
		},
	}, p.child(d, append(guard, pulumi.DependsOn(append(before, p.made.peered...)), pulumi.Timeouts(patientTimeouts()))...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the database instance: %w", err)
	}
	database, err := sql.NewDatabase(ctx, name+"-database", &sql.DatabaseArgs{
		Name: pulumi.String(d.Name), Instance: instance.Name, Charset: pulumi.String("UTF8"),
		// The only one that its API takes (cloud.google.com/sql/docs/postgres/create-manage-databases).
		Collation: pulumi.String("en_US.UTF8"), DeletionPolicy: pulumi.String("ABANDON"),
	}, p.child(d, append(guard, pulumi.DeletedWith(instance))...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the database: %w", err)
	}
	// Instances do one thing at a time.
	admin, err := sql.NewUser(ctx, name+"-admin", &sql.UserArgs{
		Name: pulumi.String(postgres.Admin), Instance: instance.Name, Password: password, Type: pulumi.String("BUILT_IN"),
		// The server does not give up a role that owns something.
		DeletionPolicy: pulumi.String("ABANDON"),
	}, p.child(d, append(guard, pulumi.DeletedWith(instance), pulumi.DependsOn([]pulumi.Resource{database}))...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating the administrator: %w", err)
	}
	return instance, []pulumi.Resource{database, admin}, nil
}

// flags are the server's parameters; another max_connections restarts it
// (cloud.google.com/sql/docs/postgres/flags).
func (p *Platform) flags() sql.DatabaseInstanceSettingsDatabaseFlagArray {
	all := [][2]string{
		{"max_connections", fmt.Sprint(p.settings.Database.MaxConnections)},
		// Slow statements and lock waits are what on-call looks for first.
		{"log_min_duration_statement", "1000"},
		{"log_lock_waits", "on"},
		{"log_checkpoints", "on"},
	}
	if p.settings.Database.IAMAuthentication {
		all = append(all, [2]string{"cloudsql.iam_authentication", "on"})
	}
	var flags sql.DatabaseInstanceSettingsDatabaseFlagArray
	for _, one := range all {
		flags = append(flags, &sql.DatabaseInstanceSettingsDatabaseFlagArgs{Name: pulumi.String(one[0]), Value: pulumi.String(one[1])})
	}
	return flags
}

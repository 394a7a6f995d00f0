package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/postgres"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// Database is RDS for PostgreSQL in the database subnets, reachable from the
// cluster's nodes and pods only; or CloudNativePG in the cluster.
func (p *Platform) Database(ctx *pulumi.Context, name string, args platform.DatabaseArgs, opts ...pulumi.ResourceOption) (*platform.Database, error) {
	if p.settings.Database.Mode == "inCluster" {
		return p.inCluster(ctx, name, args, opts...)
	}
	d := postgres.Managed()
	if err := ctx.RegisterComponentResource(databaseToken, name, d, opts...); err != nil {
		return nil, err
	}
	version := p.settings.Database.PasswordVersion
	passwords, err := postgres.NewPasswords(ctx, name+"-admin-password", postgres.PasswordArgs{Version: version, Protect: p.settings.Protect}, d)
	if err != nil {
		return nil, err
	}
	password := passwords[0]
	instance, err := p.instance(ctx, name, d, password)
	if err != nil {
		return nil, err
	}
	if err := postgres.Complete(ctx, name, d, postgres.ManagedArgs{
		Scope: args.Scope, Provider: args.Cluster.Provider, Host: instance.Address, Server: []pulumi.Resource{instance}, Authority: pulumi.String(p.authority),
		AdminPassword: password, PasswordVersion: version, Protect: p.settings.Protect,
	}); err != nil {
		return nil, err
	}
	p.made.admin = d.Login(postgres.Admin, password)
	if err := p.databaseAlarms(ctx, name, d, instance); err != nil {
		return nil, err
	}
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"host": d.Host})
}

// inCluster is the database of platform kubernetes on volumes that a key of the
// stack encrypts.
func (p *Platform) inCluster(ctx *pulumi.Context, name string, args platform.DatabaseArgs, opts ...pulumi.ResourceOption) (*platform.Database, error) {
	volumes, err := p.volumes(ctx, name+"-volumes", args.Cluster, opts...)
	if err != nil {
		return nil, err
	}
	return kubernetes.DatabaseOn(ctx, p.settings, name, databaseClass, volumes, args, opts...)
}

func (p *Platform) instance(ctx *pulumi.Context, name string, d *platform.Database, password pulumi.StringInput) (*rds.Instance, error) {
	s := p.settings.Database
	key, err := p.key(ctx, d, name, "database")
	if err != nil {
		return nil, err
	}
	group, err := rds.NewSubnetGroup(ctx, name+"-subnets", &rds.SubnetGroupArgs{
		Name: pulumi.String(p.name(naming.RDS)), SubnetIds: p.made.database, Tags: p.tags("database"),
	}, p.child(d)...)
	if err != nil {
		return nil, fmt.Errorf("creating the database's subnet group: %w", err)
	}
	firewall, err := ec2.NewSecurityGroup(ctx, name+"-firewall", &ec2.SecurityGroupArgs{
		Description: pulumi.String("PostgreSQL, from the nodes of the cluster only"), VpcId: p.made.vpc,
		Ingress: ec2.SecurityGroupIngressArray{&ec2.SecurityGroupIngressArgs{
			Description: pulumi.String("nodes and pods"), Protocol: pulumi.String("tcp"),
			FromPort: pulumi.Int(d.Port), ToPort: pulumi.Int(d.Port), SecurityGroups: pulumi.StringArray{p.made.nodeSecurityGroup},
		}},
		Tags: p.tags("database"),
	}, p.child(d)...)
	if err != nil {
		return nil, fmt.Errorf("creating the database's security group: %w", err)
	}
	parameters, err := rds.NewParameterGroup(ctx, name+"-parameters", &rds.ParameterGroupArgs{
		Name: pulumi.String(p.name(naming.RDS, "postgres"+postgres.Major)), Family: pulumi.String("postgres" + postgres.Major),
		Description: pulumi.String("mlflow-platform " + p.settings.Stack),
		Parameters: rds.ParameterGroupParameterArray{
			// A static parameter: "immediate" is an error, and the group is there before
			// the instance, so its first start has it.
			parameter("max_connections", fmt.Sprint(s.MaxConnections), "pending-reboot"),
			parameter("rds.force_ssl", "1", "immediate"),
			// Slow statements and lock waits are what on-call looks for first.
			parameter("log_min_duration_statement", "1000", "immediate"),
			parameter("log_lock_waits", "1", "immediate"),
		},
		Tags: p.tags("database"),
	}, p.child(d)...)
	if err != nil {
		return nil, fmt.Errorf("creating the database's parameter group: %w", err)
	}
	// A final snapshot's name must be new for the account.
	suffix, err := random.NewRandomId(ctx, name+"-snapshot", &random.RandomIdArgs{ByteLength: pulumi.Int(4)}, component.Options(d)...)
	if err != nil {
		return nil, fmt.Errorf("naming the final snapshot: %w", err)
	}
	physical := p.name(naming.RDS)
	logs, err := p.logGroup(ctx, d, name, "/aws/rds/instance/"+physical+"/postgresql")
	if err != nil {
		return nil, err
	}
	// Only dev goes without a trace: production is deleted after protect was turned
	// off, and then the last snapshot is what is left.
	throwaway := p.settings.Profile == settings.Dev
	instance, err := rds.NewInstance(ctx, name+"-instance", &rds.InstanceArgs{
		Identifier: pulumi.String(physical), Engine: pulumi.String("postgres"), EngineVersion: pulumi.String(postgres.Major),
		AutoMinorVersionUpgrade: pulumi.Bool(true),
		// Extended support is billed by vCPU and hour from the end of standard support on,
		// and read at creation only (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support.html).
		EngineLifecycleSupport: pulumi.String("open-source-rds-extended-support-disabled"),
		InstanceClass:          pulumi.String(s.InstanceType), MultiAz: pulumi.Bool(s.HighAvailability),
		DbName: pulumi.String(d.Name), Username: pulumi.String(postgres.Admin), Password: password,
		DbSubnetGroupName: group.Name, VpcSecurityGroupIds: pulumi.StringArray{firewall.ID().ToStringOutput()}, PubliclyAccessible: pulumi.Bool(false),
		ParameterGroupName: parameters.Name,
		StorageType:        pulumi.String("gp3"), AllocatedStorage: pulumi.Int(s.StorageGiB), MaxAllocatedStorage: pulumi.Int(s.MaxStorageGiB),
		StorageEncrypted: pulumi.Bool(true), KmsKeyId: key.Arn,
		BackupRetentionPeriod: pulumi.Int(s.Backup.RetentionDays), CopyTagsToSnapshot: pulumi.Bool(true), DeleteAutomatedBackups: pulumi.Bool(throwaway),
		// The nightly dump is at 02:17 UTC; weekly maintenance comes after both.
		BackupWindow: pulumi.String("03:00-03:30"), MaintenanceWindow: pulumi.String("sun:04:00-sun:05:00"), ApplyImmediately: pulumi.Bool(false),
		DeletionProtection: pulumi.Bool(p.settings.Protect), SkipFinalSnapshot: pulumi.Bool(throwaway),
		FinalSnapshotIdentifier:    pulumi.Sprintf("%s-final-%s", physical, suffix.Hex),
		PerformanceInsightsEnabled: pulumi.Bool(true), PerformanceInsightsKmsKeyId: key.Arn,
		// Seven days are free (aws.amazon.com/rds/performance-insights/pricing).
		PerformanceInsightsRetentionPeriod: pulumi.Int(7),
		EnabledCloudwatchLogsExports:       pulumi.ToStringArray([]string{"postgresql"}),
		// The authority whose root certificate the pods trust.
		CaCertIdentifier: pulumi.String("rds-ca-rsa2048-g1"),
		Tags:             p.tags("database"),
	}, p.child(d, append(protect.Options(p.settings.Protect), pulumi.DependsOn([]pulumi.Resource{logs}),
		// RDS reads it once and shows the first value for ever.
		pulumi.IgnoreChanges([]string{"engineLifecycleSupport"}))...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the database: %w", err)
	}
	return instance, nil
}

func parameter(name, value, method string) *rds.ParameterGroupParameterArgs {
	return &rds.ParameterGroupParameterArgs{Name: pulumi.String(name), Value: pulumi.String(value), ApplyMethod: pulumi.String(method)}
}

package stacks

import (
	"fmt"
	"maps"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/backup"
	"github.com/mlflow-platform/mlflow-platform/components/exposure"
	"github.com/mlflow-platform/mlflow-platform/components/gateway"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/mlflow"
	"github.com/mlflow-platform/mlflow-platform/components/namespace"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pki"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/retention"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// build holds a stack while it is built: each step uses what the steps before
// made.
type build struct {
	ctx           *pulumi.Context
	settings      *settings.Settings
	platform      platform.Platform
	data, compute pulumi.ResourceState
	random        *random.Provider
	tls           *tls.Provider

	network       *platform.Network
	clusterResult *platform.Cluster
	scope         pod.Scope
	authority     *pki.Authority
	bucket        *platform.Bucket
	database      *platform.Database
	identity      *platform.Identity
	backups       *backup.Access
	server        *mlflow.Server
	gateway       *gateway.Gateway
	exposure      *exposure.Exposure
}

func (b *build) inData() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.Parent(&b.data), pulumi.Providers(b.providers()...)}
}

func (b *build) inCompute() []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.Parent(&b.compute), pulumi.Providers(b.providers()...)}
}

func (b *build) providers() []pulumi.ProviderResource {
	all := []pulumi.ProviderResource{b.random, b.tls}
	if b.clusterResult != nil {
		all = append(all, b.clusterResult.Provider)
	}
	return all
}

// cluster makes the place to run: network, cluster, namespace with its policies.
func (b *build) cluster() error {
	s := b.settings
	var err error
	if b.network, err = b.platform.Network(b.ctx, "network", platform.NetworkArgs{}, b.inData()...); err != nil {
		return err
	}
	if b.clusterResult, err = b.platform.Cluster(b.ctx, "cluster", platform.ClusterArgs{Network: b.network}, b.inCompute()...); err != nil {
		return err
	}
	// The namespace holds the database's volumes, so it belongs to the data.
	ns, err := namespace.New(b.ctx, "workspace", namespace.Args{
		Name: s.Namespace, Labels: s.Tags, Edges: netpol.Edges(tableArgs(s, b.network)), DNSCIDRs: b.network.DNSCIDRs, Protect: s.Protect,
		Creator: b.clusterResult.Creator, RegistryCredentials: string(s.RegistryCredentials),
		Scope: pod.Scope{
			Images: images.Set{
				Local: s.Images.Source == "local", Registry: s.Images.Registry, MLflowVersion: s.MLflow.Version,
				Override: map[string]string{images.MLflow: s.Images.MLflow},
			},
		},
	}, b.inData()...)
	if err != nil {
		return err
	}
	b.scope = ns.Scope
	return nil
}

func tableArgs(s *settings.Settings, network *platform.Network) netpol.Args {
	a := netpol.Args{
		OperatorNamespace: s.Database.OperatorNamespace, MonitoringNamespace: s.Monitoring.Namespace,
		APIServerCIDRs: network.APIServerCIDRs, APIServerPorts: network.APIServerPorts,
		Store: network.Store, BucketSetup: s.Platform == settings.Kubernetes, Database: network.Database,
	}
	switch s.Exposure.Mode {
	case "loadBalancer":
		if a.SourceCIDRs = s.Exposure.SourceCIDRs; len(a.SourceCIDRs) == 0 {
			a.SourceCIDRs = netpol.Anywhere()
		}
	case "ingress", "gateway":
		if a.ControllerNamespace = s.Exposure.ControllerNamespace; a.ControllerNamespace == "" {
			a.ControllerCIDRs = network.GatewayCIDRs
		}
	}
	return a
}

// state makes what must survive, bucket and database, and the identities to use
// the bucket.
func (b *build) state() error {
	var err error
	if b.authority, err = pki.New(b.ctx, "authority", b.inData()...); err != nil {
		return err
	}
	if b.bucket, err = b.platform.Bucket(b.ctx, "bucket", platform.BucketArgs{
		Cluster: b.clusterResult, Scope: b.scope, Authority: b.authority,
	}, b.inData()...); err != nil {
		return err
	}
	if b.database, err = b.platform.Database(b.ctx, "database", platform.DatabaseArgs{
		Network: b.network, Cluster: b.clusterResult, Scope: b.scope,
	}, b.inData()...); err != nil {
		return err
	}
	if b.identity, err = b.platform.Identity(b.ctx, "identity", platform.IdentityArgs{
		Cluster: b.clusterResult, Bucket: b.bucket, ServiceAccount: netpol.MLflow.Name, Prefix: platform.ArtifactPrefix,
	}, b.inCompute()...); err != nil {
		return err
	}
	// The dumps have an identity of their own: the server reads for everybody who
	// logs in what it may read itself.
	identity, err := b.platform.Identity(b.ctx, "backup-identity", platform.IdentityArgs{
		Cluster: b.clusterResult, Bucket: b.bucket, ServiceAccount: netpol.Backup.Name, Prefix: platform.BackupPrefix, Admin: true,
	}, b.inCompute()...)
	if err != nil {
		return err
	}
	b.backups, err = backup.NewAccess(b.ctx, "backup-access", b.scope, b.bucket, identity, b.inCompute()...)
	return err
}

// workload makes the server, the way in and the schedules.
func (b *build) workload() error {
	s := b.settings
	var err error
	if b.server, err = mlflow.New(b.ctx, "mlflow", mlflow.Args{
		Scope: b.scope, Version: s.MLflow.Version, Connections: s.Connections(),
		CPURequest:    s.MLflow.Resources.CPURequest,
		MemoryRequest: s.MLflow.Resources.MemoryRequest, MemoryLimit: s.MLflow.Resources.MemoryLimit,
		TmpGiB: s.MLflow.TmpGiB, Origins: origins(s.Exposure),
		Database: b.database, Bucket: b.bucket, Identity: b.identity, Backups: b.backups, Protect: s.Protect,
	}, b.inCompute()...); err != nil {
		return err
	}
	hashes, err := s.PasswordHashes()
	if err != nil {
		return fmt.Errorf("reading authPasswordHashes: %w", err)
	}
	var public []string
	if s.Exposure.Host != "" {
		public = []string{s.Exposure.Host}
	}
	if b.gateway, err = gateway.New(b.ctx, "gateway", gateway.Args{
		Scope: b.scope, Replicas: s.MLflow.Replicas, Login: s.Auth.Mode == "basic",
		Users: append(append([]string{}, s.Auth.Users...), settings.ServiceUsers...), PasswordHashes: hashes,
		Upstream: b.server.Host, MaxUploadMiB: s.Artifacts.MaxUploadMiB,
		Authority: b.authority, Names: public,
		Certificate: s.Exposure.TLS.Certificate, PrivateKey: string(s.TLSPrivateKey),
	}, b.inCompute()...); err != nil {
		return err
	}
	scope := b.scope
	scope.After = pod.Join(scope.After, b.gateway.Ready)
	if b.exposure, err = exposure.New(b.ctx, "exposure", exposure.Args{
		Scope: scope, Mode: s.Exposure.Mode, Host: s.Exposure.Host, Port: s.Exposure.Port,
		SourceCIDRs: s.Exposure.SourceCIDRs, Annotations: b.annotations(), Variant: b.clusterResult.LoadBalancerVariant, KeepsSource: b.clusterResult.KeepsSource,
		IngressClass: s.Exposure.IngressClass, ParentGateway: s.Exposure.ParentGateway, GoogleGateway: s.GoogleGateway(),
	}, b.inCompute()...); err != nil {
		return err
	}
	if err := b.schedules(); err != nil {
		return err
	}
	if store, ok := b.platform.(platform.SecretStore); ok {
		if err := store.Copy(b.ctx, "secrets", map[string]pulumi.Input{
			"database": b.database.Login(b.database.User, b.database.Password), "passwords": b.gateway.Passwords,
		}, b.inCompute()...); err != nil {
			return err
		}
	}
	if !s.Budget.Enabled {
		return nil
	}
	_, err = b.platform.Budget(b.ctx, "budget", platform.BudgetArgs{}, b.inCompute()...)
	return err
}

// annotations of the object that exposes the gateway: what the cloud needs, then
// the user's.
func (b *build) annotations() map[string]string {
	all := map[string]string{}
	if b.settings.Exposure.Mode == "loadBalancer" {
		maps.Copy(all, b.clusterResult.LoadBalancerAnnotations)
	}
	maps.Copy(all, b.settings.Exposure.Annotations)
	return all
}

func (b *build) schedules() error {
	s := b.settings
	env, volumes, mounts := mlflow.DatabaseAccess(b.database)
	scope := b.scope
	scope.After = pod.Join(scope.After, b.server.Ready)
	if _, err := backup.New(b.ctx, "backup", backup.Args{
		Scope: scope, StorageGiB: s.Database.StorageGiB, Schedule: s.Database.Backup.Schedule, RetentionDays: s.Database.Backup.RetentionDays,
		Enabled: s.Database.Backup.Enabled, Access: b.backups,
		Libpq: mlflow.LibpqEnv(b.database), Volumes: volumes, Mounts: mounts,
	}, b.inCompute()...); err != nil {
		return err
	}
	login := b.gateway.LoginAs(settings.RetentionUser)
	scope.After = pod.Join(scope.After, b.gateway.Ready)
	r := s.MLflow.Retention
	_, err := retention.New(b.ctx, "retention", retention.Args{
		Scope: scope, Schedule: r.Schedule, Enabled: r.Enabled, DryRun: r.DryRun,
		Days: r.Days, TrashDays: r.TrashDays, MaxDeletions: r.MaxDeletions,
		Env:     append(env, login.Env...),
		Volumes: pod.Concat(volumes, login.Volumes), Mounts: pod.ConcatMounts(mounts, login.Mounts),
	}, b.inCompute()...)
	return err
}

// origins are the URLs that browsers send as Origin: MLflow refuses a POST of
// its own pages from any other.
func origins(e settings.Exposure) []string {
	if e.Host == "" {
		return nil
	}
	return []string{publicURL(e)}
}

func publicURL(e settings.Exposure) string {
	if e.Host == "" {
		return ""
	}
	if e.Port == 443 {
		return "https://" + e.Host
	}
	return fmt.Sprintf("https://%s:%d", e.Host, e.Port)
}

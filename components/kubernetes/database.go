package kubernetes

import (
	"cmp"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/postgres"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// DatabaseOn is that of this platform in a cloud's cluster, on volumes of a class that
// is there before.
func DatabaseOn(ctx *pulumi.Context, s *settings.Settings, name, class string, volumes pulumi.Resource, args platform.DatabaseArgs, opts ...pulumi.ResourceOption) (*platform.Database, error) {
	inside, err := New(ctx, s)
	if err != nil {
		return nil, err
	}
	args.StorageClass = class
	args.Scope.After = append(pod.Join(args.Scope.After), volumes)
	return inside.Database(ctx, name, args, opts...)
}

// Database is PostgreSQL inside the cluster, with the operator if the cluster
// does not have it.
func (p *Platform) Database(ctx *pulumi.Context, name string, args platform.DatabaseArgs, opts ...pulumi.ResourceOption) (*platform.Database, error) {
	d := &platform.Database{
		Port: netpol.PostgreSQL.Number, Name: postgres.DatabaseName, User: postgres.User, CAKey: "ca.crt",
	}
	if err := ctx.RegisterComponentResource(databaseToken, name, d, opts...); err != nil {
		return nil, err
	}
	provider := pulumi.Provider(args.Cluster.Provider)
	scope := args.Scope
	db := p.settings.Database
	sharedBuffers, err := quarterMB(db.Resources.MemoryRequest)
	if err != nil {
		return nil, err
	}
	if db.InstallOperator {
		operator, err := postgres.NewOperator(ctx, name+"-operator", postgres.OperatorArgs{
			Namespace: db.OperatorNamespace, Creator: args.Cluster.Creator, Images: scope.Images, Protect: p.settings.Protect,
			RegistryCredentials: string(p.settings.RegistryCredentials),
			Edges: netpol.OperatorEdges(netpol.Args{
				APIServerCIDRs: args.Network.APIServerCIDRs, APIServerPorts: args.Network.APIServerPorts,
				MonitoringNamespace: p.settings.Monitoring.Namespace,
			}),
			DNSCIDRs: args.Network.DNSCIDRs,
		}, component.Options(d, provider)...)
		if err != nil {
			return nil, err
		}
		scope.After = pod.Join(scope.After, operator.Ready)
	}
	cluster, err := postgres.New(ctx, name+"-postgresql", postgres.Args{
		Scope:     scope,
		Instances: db.Instances, StorageGiB: db.StorageGiB, StorageClass: cmp.Or(args.StorageClass, db.StorageClass),
		MaxConnections: db.MaxConnections,
		CPURequest:     db.Resources.CPURequest, MemoryRequest: db.Resources.MemoryRequest, MemoryLimit: db.Resources.MemoryLimit,
		SharedBuffersMB: sharedBuffers,
		Protect:         p.settings.Protect,
	}, component.Options(d, provider)...)
	if err != nil {
		return nil, err
	}
	d.Host = pulumi.String(cluster.Host).ToStringOutput()
	d.Password, d.CASecret, d.Ready = cluster.Password, cluster.CASecret, cluster.Ready
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"host": d.Host})
}

// quarterMB is a quarter of a memory quantity, the documentation's starting
// point for shared_buffers (postgresql.org/docs/current/runtime-config-resource.html).
func quarterMB(quantity string) (int, error) {
	q, err := resource.ParseQuantity(quantity)
	if err != nil {
		return 0, fmt.Errorf("reading the database's memory request %q: %w", quantity, err)
	}
	return int(q.Value() / 4 / 1_000_000), nil
}

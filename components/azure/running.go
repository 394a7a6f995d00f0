package azure

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-azure-native-sdk/containerservice/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/dbforpostgresql/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// lookUpCluster finds the cluster of an earlier update, and what it cannot become:
// Azure refuses that in the middle of the update.
func (p *Platform) lookUpCluster(ctx *pulumi.Context) error {
	found, err := containerservice.LookupManagedCluster(ctx, &containerservice.LookupManagedClusterArgs{
		ResourceGroupName: string(p.name()), ResourceName: string(p.name()),
	}, pulumi.Provider(p.provider))
	if err != nil {
		if absent(err) {
			return nil
		}
		return fmt.Errorf("looking up the cluster: %w", err)
	}
	p.cluster = found
	var problems settings.Problems
	p.checkVersion(&problems)
	p.checkSystemPool(&problems)
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// checkVersion is about another version than the cluster has: with pools of their
// own AKS takes all along or none, and a template names the first one only
// (github.com/Azure/AKS/issues/4765, learn.microsoft.com/azure/aks/auto-upgrade-cluster).
func (p *Platform) checkVersion(problems *settings.Problems) {
	s := p.settings.Cluster
	has := strings.Split(p.cluster.CurrentKubernetesVersion, ".")
	if len(has) < 2 {
		return
	}
	minor := has[0] + "." + has[1]
	problems.Want(minor == s.Version, "cluster.version", s.Version,
		"%s, which the cluster has. For another one first: az aks upgrade --resource-group %s --name %s --kubernetes-version %s", minor, p.name(), p.name(), s.Version)
}

// checkSystemPool is about the pool that the cluster began with: AKS changes neither
// type nor disk of a pool, and takes no cluster without the first
// (learn.microsoft.com/azure/aks/resize-node-pool, github.com/pulumi/pulumi-azure-native/issues/2719).
func (p *Platform) checkSystemPool(problems *settings.Problems) {
	for _, pool := range p.cluster.AgentPoolProfiles {
		if pool.Name != systemPoolName {
			continue
		}
		c := p.settings.Cluster
		separate := pool.EnableAutoScaling == nil || !*pool.EnableAutoScaling
		if separate != (c.SystemNodes.Count > 0) {
			want := "0, without which this cluster began: make another stack for a pool of its own"
			if separate {
				want = "at least 2, with which this cluster began: make another stack without"
			}
			problems.Want(false, "cluster.systemNodes.count", c.SystemNodes.Count, "%s", want)
			return
		}
		key, size := "cluster.systemNodes.type", c.SystemNodes.Type
		if !separate {
			key, size = "cluster.nodes.type", c.Nodes.Type
		}
		const rule = "%v, which the cluster's first pool has: AKS changes neither its type nor its disk"
		if has := pool.VmSize; has != nil {
			problems.Want(*has == size, key, size, rule, *has)
		}
		// The disk of a pool for the cluster's own pods is no setting.
		if has := pool.OsDiskSizeGB; has != nil && !separate {
			problems.Want(*has == c.Nodes.DiskGiB, "cluster.nodes.diskGiB", c.Nodes.DiskGiB, rule, *has)
		}
	}
}

// running is the number of a pool's nodes: as many as the autoscaler has now, since
// an update with another number would scale the pool, or be refused; and
// cluster.nodes.desired before there is one.
func (p *Platform) running(name string) int {
	n := p.settings.Cluster.Nodes
	if p.cluster != nil {
		for _, pool := range p.cluster.AgentPoolProfiles {
			if pool.Name == name && pool.Count != nil {
				return min(max(*pool.Count, n.Min), n.Max)
			}
		}
	}
	return n.Desired
}

// storage is database.storageGiB, or what the server has grown to by itself: a
// smaller number would be refused with every other change of the server. It is an
// error if the server is there and would be another one.
func (p *Platform) storage(ctx *pulumi.Context, server pulumi.StringOutput) pulumi.IntOutput {
	d := p.settings.Database
	return server.ApplyT(func(name string) (int, error) {
		found, err := dbforpostgresql.LookupServer(ctx, &dbforpostgresql.LookupServerArgs{ResourceGroupName: string(p.name()), ServerName: name}, pulumi.Provider(p.provider))
		switch {
		case err != nil && absent(err):
			return d.StorageGiB, nil
		case err != nil:
			return 0, fmt.Errorf("looking up the database: %w", err)
		}
		if b := found.Backup; b != nil && b.GeoRedundantBackup != nil {
			var problems settings.Problems
			geo := *b.GeoRedundantBackup == "Enabled"
			rule := "the paired region, where this server's backups are: it is decided when a server is made"
			if !geo {
				rule = "nothing, without which this server was made: it is decided then"
			}
			if problems.Want(geo == (d.Backup.PairedRegion != ""), "database.backup.pairedRegion", d.Backup.PairedRegion, "%s", rule); len(problems) > 0 {
				return 0, problems
			}
		}
		if found.Storage == nil || found.Storage.StorageSizeGB == nil || *found.Storage.StorageSizeGB <= d.StorageGiB {
			return d.StorageGiB, nil
		}
		has := *found.Storage.StorageSizeGB
		return has, ctx.Log.Info(fmt.Sprintf("database.storageGiB is %d; the server has %d GiB, and storage never shrinks", d.StorageGiB, has), nil)
	}).(pulumi.IntOutput)
}

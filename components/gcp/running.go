package gcp

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/sql"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// absent says whether an error is Google's word that something is not there: with an
// API that is not enabled nothing is.
func absent(err error) bool {
	return disabled(err) || strings.Contains(err.Error(), "not found") || strings.Contains(err.Error(), "notFound") || strings.Contains(err.Error(), "Error 404")
}

// of is a value that is known when a resource is made, to ask Google about it: a preview
// that knows its name already would ask about what is not there.
func of(made pulumi.CustomResource, value pulumi.StringInput) pulumi.StringOutput {
	return pulumi.All(made.ID(), value).ApplyT(func(all []any) string { return all[1].(string) }).(pulumi.StringOutput)
}

// lookUpCluster finds the cluster of an earlier update, and what it cannot become:
// Google refuses that in the middle of the update, or the engine wants another
// cluster.
func (p *Platform) lookUpCluster(ctx *pulumi.Context) error {
	location := p.settings.Region
	found, err := container.LookupCluster(ctx, &container.LookupClusterArgs{Name: p.name(), Location: &location}, pulumi.Provider(p.provider))
	if err != nil {
		if absent(err) {
			return nil
		}
		return fmt.Errorf("looking up the cluster: %w", err)
	}
	if found.MasterVersion == "" {
		return nil
	}
	p.cluster = found
	var problems settings.Problems
	p.checkNetwork(&problems)
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// checkNetwork is about addresses, which stay for as long as the cluster does.
func (p *Platform) checkNetwork(problems *settings.Problems) {
	pods, services := p.cluster.ClusterIpv4Cidr, p.cluster.ServicesIpv4Cidr
	key, says := "network.cidr", p.settings.Network.CIDR
	if p.settings.Network.Existing() {
		key, says = "network.ranges.pods", p.settings.Network.Ranges.Pods
	}
	problems.Want(pods == "" || pods == p.made.ranges.pods.String(), key, says, "the one in which the cluster's pods have %s: it cannot change", pods)
	problems.Want(services == "" || services == p.settings.Cluster.ServiceCIDR, "cluster.serviceCIDR", p.settings.Cluster.ServiceCIDR, "%s, which the cluster has: it cannot change", services)
}

// secretsEncryption encrypts Secrets with a key. GKE of 1.35 says later that it encrypts
// everything, a word that the provider does not know and refuses after a refresh; what
// is there stays when nothing is said
// (github.com/hashicorp/terraform-provider-google/issues/27091).
func (p *Platform) secretsEncryption(key pulumi.StringInput) container.ClusterDatabaseEncryptionPtrInput {
	if p.cluster != nil {
		for _, has := range p.cluster.DatabaseEncryptions {
			if has.State != "" && has.State != "ENCRYPTED" && has.State != "DECRYPTED" {
				return nil
			}
		}
	}
	return &container.ClusterDatabaseEncryptionArgs{State: pulumi.String("ENCRYPTED"), KeyName: key.ToStringOutput()}
}

// storage is database.storageGiB, or what the server has grown to by itself: every
// update sends the size, and a smaller one is refused.
func (p *Platform) storage(ctx *pulumi.Context, instance pulumi.StringOutput) pulumi.IntOutput {
	wants := p.settings.Database.StorageGiB
	return instance.ApplyT(func(name string) (int, error) {
		found, err := sql.LookupDatabaseInstance(ctx, &sql.LookupDatabaseInstanceArgs{Name: name, Project: &p.settings.Account}, pulumi.Provider(p.provider))
		switch {
		case err != nil && absent(err):
			return wants, nil
		case err != nil:
			return 0, fmt.Errorf("looking up the database: %w", err)
		case len(found.Settings) == 0 || found.Settings[0].DiskSize <= wants:
			return wants, nil
		}
		has := found.Settings[0].DiskSize
		return has, ctx.Log.Info(fmt.Sprintf("database.storageGiB is %d; the server has %d GiB, and storage never shrinks", wants, has), nil)
	}).(pulumi.IntOutput)
}

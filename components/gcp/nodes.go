package gcp

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// roleNode is what GKE asks of its nodes' account: logs, metrics and nothing else
// (cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster).
const roleNode = "roles/container.defaultNodeServiceAccount"

// roleImages lets nodes pull images from the project's Artifact Registry.
const roleImages = "roles/artifactregistry.reader"

// What every node has.
const (
	diskType  = "pd-balanced"
	imageType = "COS_CONTAINERD"
	// cloudPlatform is what the roles limit; narrower scopes are the old way.
	cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"
)

// nodeAccount is the nodes' account, and what lets it and the disks' key be used.
type nodeAccount struct {
	email pulumi.StringOutput
	ready []pulumi.Resource
}

// nodeAccount makes the account of the nodes, and the key of their disks: the
// project's default account may change everything in it.
func (p *Platform) nodeAccount(ctx *pulumi.Context, name string, c *platform.Cluster) (nodeAccount, error) {
	account, err := serviceaccount.NewAccount(ctx, name+"-nodes-account", &serviceaccount.AccountArgs{
		AccountId: pulumi.String(p.fit(naming.ServiceAccount, "nodes")), DisplayName: pulumi.String("Nodes of " + p.name()),
		Project: pulumi.String(p.settings.Account),
	}, p.child(c, pulumi.DependsOn(p.made.enabled))...)
	if err != nil {
		return nodeAccount{}, fmt.Errorf("creating the nodes' account: %w", err)
	}
	role, err := p.grant(ctx, name+"-nodes-role", c, roleNode, member(account.Email))
	if err != nil {
		return nodeAccount{}, err
	}
	ready := []pulumi.Resource{role}
	if p.settings.ArtifactRegistry() {
		pull, err := p.grant(ctx, name+"-nodes-images", c, roleImages, member(account.Email))
		if err != nil {
			return nodeAccount{}, err
		}
		ready = append(ready, pull)
	}
	if p.made.disks, p.made.disksReady, err = p.key(ctx, c, name+"-disks", "disks", p.usual("compute-system")); err != nil {
		return nodeAccount{}, err
	}
	return nodeAccount{account.Email, append(ready, p.made.disksReady...)}, nil
}

// firstNode is what every cluster begins with, one in each zone, and that goes at once:
// the project's rules about nodes hold for it too.
func (p *Platform) firstNode(account nodeAccount) *container.ClusterNodeConfigArgs {
	return &container.ClusterNodeConfigArgs{
		MachineType: pulumi.String("e2-medium"), DiskType: pulumi.String(diskType), DiskSizeGb: pulumi.Int(20), ImageType: pulumi.String(imageType),
		ServiceAccount: account.email, OauthScopes: pulumi.ToStringArray([]string{cloudPlatform}), BootDiskKmsKey: p.made.disks,
		Metadata:               pulumi.StringMap{"disable-legacy-endpoints": pulumi.String("true")},
		WorkloadMetadataConfig: &container.ClusterNodeConfigWorkloadMetadataConfigArgs{Mode: pulumi.String("GKE_METADATA")},
		ShieldedInstanceConfig: &container.ClusterNodeConfigShieldedInstanceConfigArgs{EnableSecureBoot: pulumi.Bool(true), EnableIntegrityMonitoring: pulumi.Bool(true)},
	}
}

// nodePool is where everything runs. GKE replaces its nodes one by one, a new one first,
// for another type or disk as for an upgrade
// (cloud.google.com/kubernetes-engine/docs/how-to/vertically-scale-node-pools).
func (p *Platform) nodePool(ctx *pulumi.Context, name string, c *platform.Cluster, cluster *container.Cluster, account nodeAccount) (*container.NodePool, error) {
	n := p.settings.Cluster.Nodes
	zones := p.zones()[:min(3, n.Desired)]
	pool, err := container.NewNodePool(ctx, name+"-nodes-pool", &container.NodePoolArgs{
		Name: pulumi.String("nodes"), Cluster: cluster.ID(), Location: pulumi.String(p.settings.Region),
		NodeLocations: pulumi.ToStringArray(zones),
		// In each zone; the autoscaler's bounds are for all of them.
		InitialNodeCount: pulumi.Int(n.Desired / len(zones)),
		Autoscaling: &container.NodePoolAutoscalingArgs{
			TotalMinNodeCount: pulumi.Int(n.Min), TotalMaxNodeCount: pulumi.Int(n.Max), LocationPolicy: pulumi.String("BALANCED"),
		},
		MaxPodsPerNode: pulumi.Int(maxPods),
		Management:     &container.NodePoolManagementArgs{AutoRepair: pulumi.Bool(true), AutoUpgrade: pulumi.Bool(true)},
		UpgradeSettings: &container.NodePoolUpgradeSettingsArgs{
			Strategy: pulumi.String("SURGE"), MaxSurge: pulumi.Int(1), MaxUnavailable: pulumi.Int(0),
		},
		NetworkConfig: &container.NodePoolNetworkConfigArgs{EnablePrivateNodes: pulumi.Bool(true)},
		NodeConfig: &container.NodePoolNodeConfigArgs{
			MachineType: pulumi.String(n.Type), DiskType: pulumi.String(diskType), DiskSizeGb: pulumi.Int(n.DiskGiB), ImageType: pulumi.String(imageType),
			ServiceAccount: account.email, OauthScopes: pulumi.ToStringArray([]string{cloudPlatform}), BootDiskKmsKey: p.made.disks,
			Tags: pulumi.ToStringArray([]string{p.name("nodes")}), ResourceLabels: p.labels(),
			Metadata:               pulumi.StringMap{"disable-legacy-endpoints": pulumi.String("true")},
			WorkloadMetadataConfig: &container.NodePoolNodeConfigWorkloadMetadataConfigArgs{Mode: pulumi.String("GKE_METADATA")},
			ShieldedInstanceConfig: &container.NodePoolNodeConfigShieldedInstanceConfigArgs{EnableSecureBoot: pulumi.Bool(true), EnableIntegrityMonitoring: pulumi.Bool(true)},
			GcfsConfig:             &container.NodePoolNodeConfigGcfsConfigArgs{Enabled: pulumi.Bool(p.settings.Cluster.ImageStreaming)},
		},
	}, p.child(c, pulumi.DeletedWith(cluster), pulumi.DependsOn(account.ready), pulumi.Timeouts(patientTimeouts()),
		pulumi.IgnoreChanges([]string{
			// Of the beginning; the autoscaler counts.
			"initialNodeCount",
			// GKE adds to them what the program did not say.
			"nodeConfig.kubeletConfig", "nodeConfig.resourceLabels",
		}))...)
	if err != nil {
		return nil, fmt.Errorf("creating the node pool: %w", err)
	}
	return pool, nil
}

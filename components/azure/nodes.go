package azure

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/pulumi/pulumi-azure-native-sdk/containerservice/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// systemDiskGiB is the disk of a node that runs nothing but the cluster's own pods.
const systemDiskGiB = 64

// What every node has.
const (
	osSKU = "AzureLinux"
	// maxPods is Kubernetes' own recommendation; the overlay has room for 250.
	maxPods = 110
	// drainMinutes are for what a pod finishes before its node is upgraded, and maxSurge
	// nodes more are there meanwhile.
	drainMinutes = 30
	maxSurge     = "1"
	// hostEncryption needs a feature that somebody has to register in the subscription;
	// the disks are encrypted by the set.
	hostEncryption = false
)

// systemPoolName is that of the pool that a cluster begins with.
const systemPoolName = "system"

// systemPool is the pool that a cluster begins with: for the cluster's own pods, kept
// free of others by the taint that these tolerate
// (learn.microsoft.com/azure/aks/use-system-pools), or for all. Its version is the
// cluster's: of several pools AKS wants one said of all or of none (checkVersion).
func (p *Platform) systemPool() *containerservice.ManagedClusterAgentPoolProfileArgs {
	s, n := p.settings.Cluster.SystemNodes, p.settings.Cluster.Nodes
	pool := &containerservice.ManagedClusterAgentPoolProfileArgs{
		Name: pulumi.String(systemPoolName), Mode: pulumi.String("System"), Type: pulumi.String("VirtualMachineScaleSets"),
		OsType: pulumi.String("Linux"), OsSKU: pulumi.String(osSKU), OsDiskType: pulumi.String("Managed"),
		AvailabilityZones: pulumi.ToStringArray(zones), VnetSubnetID: p.made.nodes, EnableNodePublicIP: pulumi.Bool(false),
		EnableEncryptionAtHost: pulumi.Bool(hostEncryption),
		SecurityProfile:        trustedLaunch(), LocalDNSProfile: noLocalDNS(), MaxPods: pulumi.Int(maxPods), UpgradeSettings: surge(), Tags: p.tags(),
	}
	if s.Count > 0 {
		pool.VmSize, pool.OsDiskSizeGB = pulumi.String(s.Type), pulumi.Int(systemDiskGiB)
		pool.Count, pool.EnableAutoScaling = pulumi.Int(s.Count), pulumi.Bool(false)
		pool.NodeTaints = pulumi.ToStringArray([]string{"CriticalAddonsOnly=true:NoSchedule"})
		return pool
	}
	pool.VmSize, pool.OsDiskSizeGB = pulumi.String(n.Type), pulumi.Int(n.DiskGiB)
	pool.Count, pool.EnableAutoScaling = pulumi.Int(p.running(systemPoolName)), pulumi.Bool(true)
	pool.MinCount, pool.MaxCount = pulumi.Int(n.Min), pulumi.Int(n.Max)
	return pool
}

// nodePool is where everything else runs. Nodes of another type or disk are another
// pool, with a name of its own, and the old one goes when that is there: AKS changes
// neither (learn.microsoft.com/azure/aks/resize-node-pool).
func (p *Platform) nodePool(ctx *pulumi.Context, name string, c *platform.Cluster, cluster *containerservice.ManagedCluster) (*containerservice.AgentPool, error) {
	n := p.settings.Cluster.Nodes
	physical := poolName(n.Type, n.DiskGiB)
	pool, err := containerservice.NewAgentPool(ctx, name+"-nodes-pool", &containerservice.AgentPoolArgs{
		ResourceGroupName: p.made.group, ResourceName: cluster.Name, AgentPoolName: pulumi.String(physical),
		Mode: pulumi.String("User"), Type: pulumi.String("VirtualMachineScaleSets"),
		VmSize: pulumi.String(n.Type), OsType: pulumi.String("Linux"), OsSKU: pulumi.String(osSKU), OsDiskSizeGB: pulumi.Int(n.DiskGiB), OsDiskType: pulumi.String("Managed"),
		Count: pulumi.Int(p.running(physical)), MinCount: pulumi.Int(n.Min), MaxCount: pulumi.Int(n.Max), EnableAutoScaling: pulumi.Bool(true),
		AvailabilityZones: pulumi.ToStringArray(zones), VnetSubnetID: p.made.nodes, EnableNodePublicIP: pulumi.Bool(false),
		EnableEncryptionAtHost: pulumi.Bool(hostEncryption),
		SecurityProfile:        trustedLaunch(), LocalDNSProfile: noLocalDNS(), MaxPods: pulumi.Int(maxPods), UpgradeSettings: surge(), Tags: p.tags(),
	}, p.child(c, pulumi.DeletedWith(cluster))...)
	if err != nil {
		return nil, fmt.Errorf("creating the node pool: %w", err)
	}
	return pool, nil
}

// poolName is of at most twelve letters and digits, and follows what cannot change
// (learn.microsoft.com/azure/aks/use-system-pools).
func poolName(size string, diskGiB int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", size, diskGiB))
	return "nodes" + hex.EncodeToString(sum[:3])
}

// trustedLaunch lets nodes start signed software only
// (learn.microsoft.com/azure/aks/use-trusted-launch).
func trustedLaunch() *containerservice.AgentPoolSecurityProfileArgs {
	return &containerservice.AgentPoolSecurityProfileArgs{EnableSecureBoot: pulumi.Bool(true), EnableVTPM: pulumi.Bool(true)}
}

// noLocalDNS is said because a later default would answer DNS from the node, where no
// policy lets pods.
func noLocalDNS() *containerservice.LocalDNSProfileArgs {
	return &containerservice.LocalDNSProfileArgs{Mode: pulumi.String("Disabled")}
}

func surge() *containerservice.AgentPoolUpgradeSettingsArgs {
	return &containerservice.AgentPoolUpgradeSettingsArgs{MaxSurge: pulumi.String(maxSurge), DrainTimeoutInMinutes: pulumi.Int(drainMinutes)}
}

package azure

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-azure-native-sdk/compute/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/containerservice/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/keyvault/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/managedidentity/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"sigs.k8s.io/yaml"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// zones of a region that has them.
var zones = []string{"1", "2", "3"}

// podCIDR are the pods' addresses, which nobody outside of the cluster sees: the
// overlay gives what leaves it the address of a node
// (learn.microsoft.com/azure/aks/concepts-network-azure-cni-overlay).
const podCIDR = "10.244.0.0/16"

// entraServer is the application of AKS in every directory
// (learn.microsoft.com/azure/aks/kubelogin-authentication).
const entraServer = "6dae42f8-4368-4678-94ff-3960e28e3630"

// Cluster is AKS over three zones: a pool of nodes for the cluster's own pods and one
// for everything else, or one for both.
func (p *Platform) Cluster(ctx *pulumi.Context, name string, _ platform.ClusterArgs, opts ...pulumi.ResourceOption) (*platform.Cluster, error) {
	c := &platform.Cluster{KeepsSource: true, LoadBalancerAnnotations: map[string]string{
		// Azure's default of 4 idle minutes ends a slow upload's connection.
		loadBalancerPrefix + "tcp-idle-timeout": "30",
	}}
	if err := ctx.RegisterComponentResource(clusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	cluster, err := p.aks(ctx, name, c)
	if err != nil {
		return nil, err
	}
	var ready []pulumi.Resource
	if p.settings.Cluster.SystemNodes.Count > 0 {
		pool, err := p.nodePool(ctx, name, c, cluster)
		if err != nil {
			return nil, err
		}
		ready = append(ready, pool)
	}
	p.made.issuer = cluster.OidcIssuerProfile.IssuerURL().Elem()
	if err := p.maintenance(ctx, name, c, cluster); err != nil {
		return nil, err
	}
	if err := p.clusterLogs(ctx, name, c, cluster); err != nil {
		return nil, err
	}
	if p.settings.Database.Mode == "inCluster" {
		// The database's disks are in the group of the nodes, which goes with the cluster.
		if err := p.lock(ctx, c, name, "cluster", cluster.ID(), ready); err != nil {
			return nil, err
		}
	}
	// The name has a random part, which stays when AKS rotates its authority.
	if err := c.Connect(ctx, name, p.kubeconfig(ctx, cluster), nil, cluster.Fqdn, component.Options(c, pulumi.DependsOn(ready))...); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"name": cluster.Name})
}

// loadBalancerPrefix begins the annotations that Azure's controller reads
// (learn.microsoft.com/azure/aks/load-balancer-standard).
const loadBalancerPrefix = "service.beta.kubernetes.io/azure-load-balancer-"

func (p *Platform) aks(ctx *pulumi.Context, name string, c *platform.Cluster) (*containerservice.ManagedCluster, error) {
	s, guard := p.settings.Cluster, pulumi.Protect(p.settings.Protect)
	identity, err := managedidentity.NewUserAssignedIdentity(ctx, name+"-identity", &managedidentity.UserAssignedIdentityArgs{
		ResourceGroupName: p.made.group, ResourceName: p.name("cluster"), Tags: p.tags(),
		// Without it, and the key that it uses, Secrets cannot be read any more.
	}, p.child(c, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the cluster's identity: %w", err)
	}
	if p.made.disks, err = p.disks(ctx, name, c); err != nil {
		return nil, err
	}
	admitted, err := p.admit(ctx, name, c)
	if err != nil {
		return nil, err
	}
	secrets, key, err := p.secretsKey(ctx, name, c)
	if err != nil {
		return nil, err
	}
	before, using := append(admitted, p.made.network...), identity.ID().ToStringOutput()
	for _, one := range []struct {
		role, id string
		scope    pulumi.StringInput
	}{
		{"nodes", roleNetwork, p.made.nodes}, {"api-server", roleNetwork, p.made.apiServer}, {"crypto", roleCrypto, secrets.vaultID},
		// Of the disk encryption set; on that alone it would be given, and waited for, only
		// after the set is there.
		{"disks-reader", roleReader, p.made.groupID},
	} {
		assigned, err := p.assign(ctx, c, name+"-"+one.role, one.id, identity.PrincipalId, one.scope, servicePrincipal)
		if err != nil {
			return nil, err
		}
		before, using = append(before, assigned), inForce(using, assigned)
	}
	dns, err := p.dnsAddress()
	if err != nil {
		return nil, err
	}
	cluster, err := containerservice.NewManagedCluster(ctx, name+"-aks", &containerservice.ManagedClusterArgs{
		ResourceGroupName: p.made.group, ResourceName: p.name(), DnsPrefix: p.name(), NodeResourceGroup: p.name("nodes"),
		// What AKS makes is AKS' to change.
		NodeResourceGroupProfile: &containerservice.ManagedClusterNodeResourceGroupProfileArgs{RestrictionLevel: pulumi.String("ReadOnly")},
		KubernetesVersion:        pulumi.String(s.Version),
		// Standard has the uptime agreement, Free has none and fewer nodes
		// (learn.microsoft.com/azure/aks/free-standard-pricing-tiers).
		Sku:                 &containerservice.ManagedClusterSKUArgs{Name: pulumi.String("Base"), Tier: pulumi.String(p.tier())},
		Identity:            &containerservice.ManagedClusterIdentityArgs{Type: containerservice.ResourceIdentityTypeUserAssigned, UserAssignedIdentities: pulumi.StringArray{using}},
		DiskEncryptionSetID: p.made.disks,
		// Nobody but the directory lets anybody in: no password and no certificate that a
		// kubeconfig could leak.
		DisableLocalAccounts: pulumi.Bool(true), EnableRBAC: pulumi.Bool(true),
		AadProfile:             &containerservice.ManagedClusterAADProfileArgs{Managed: pulumi.Bool(true), EnableAzureRBAC: pulumi.Bool(true), TenantID: pulumi.String(p.tenant)},
		ApiServerAccessProfile: p.apiServerAccess(),
		OidcIssuerProfile:      &containerservice.ManagedClusterOIDCIssuerProfileArgs{Enabled: pulumi.Bool(true)},
		SecurityProfile: &containerservice.ManagedClusterSecurityProfileArgs{
			Defender:         p.defender(),
			WorkloadIdentity: &containerservice.ManagedClusterSecurityProfileWorkloadIdentityArgs{Enabled: pulumi.Bool(true)},
			ImageCleaner:     &containerservice.ManagedClusterSecurityProfileImageCleanerArgs{Enabled: pulumi.Bool(true), IntervalHours: pulumi.Int(7 * 24)},
			AzureKeyVaultKms: &containerservice.AzureKeyVaultKmsArgs{Enabled: pulumi.Bool(true), KeyId: key.KeyUriWithVersion, KeyVaultNetworkAccess: pulumi.String("Public")},
		},
		NetworkProfile: &containerservice.ContainerServiceNetworkProfileArgs{
			NetworkPlugin: pulumi.String("azure"), NetworkPluginMode: pulumi.String("overlay"),
			// Cilium enforces NetworkPolicies; Azure's own engine ends in 2028
			// (learn.microsoft.com/azure/aks/use-network-policies).
			NetworkDataplane: pulumi.String("cilium"), NetworkPolicy: pulumi.String("cilium"),
			PodCidr: pulumi.String(podCIDR), ServiceCidr: pulumi.String(s.ServiceCIDR), DnsServiceIP: pulumi.String(dns),
			LoadBalancerSku: pulumi.String("standard"), OutboundType: pulumi.String(p.made.outbound),
		},
		AutoUpgradeProfile: &containerservice.ManagedClusterAutoUpgradeProfileArgs{
			// Patches of the version that the settings name, and images of the nodes.
			UpgradeChannel: pulumi.String("patch"), NodeOSUpgradeChannel: pulumi.String("NodeImage"),
		},
		AgentPoolProfiles: containerservice.ManagedClusterAgentPoolProfileArray{p.systemPool()},
		AddonProfiles:     p.addons(),
		Tags:              p.tags(),
	}, p.child(c, guard, pulumi.DependsOn(before),
		// For the key see secretsKey.
		pulumi.IgnoreChanges([]string{"securityProfile.azureKeyVaultKms.keyId"}))...)
	if err != nil {
		return nil, fmt.Errorf("creating the cluster: %w", err)
	}
	return cluster, nil
}

// secretsKey makes the key of the Secrets in etcd, in a vault of its own: AKS reaches it
// over the internet, unless the cluster's identity may change the vault to make a
// private link to it (learn.microsoft.com/azure/aks/use-kms-etcd-encryption). AKS stays
// with the key's version that it was given, and Secrets have to be written anew after
// another one: no rotation by itself.
func (p *Platform) secretsKey(ctx *pulumi.Context, name string, c *platform.Cluster) (*keys, *keyvault.Key, error) {
	suffix, err := p.suffix(ctx, name+"-keys", c)
	if err != nil {
		return nil, nil, err
	}
	vault, err := p.newKeys(ctx, name+"-keys", c, place{region: p.settings.Region, vault: p.global(suffix), open: true})
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.diagnostics(ctx, name+"-keys-audit", c, vault.vaultID, "AuditEvent"); err != nil {
		return nil, nil, err
	}
	key, err := p.keyIn(ctx, vault, c, name, "cluster", nil)
	return vault, key, err
}

// apiServerAccess keeps the API server's address in the network, where nodes and pods
// use it (learn.microsoft.com/azure/aks/api-server-vnet-integration). Besides it has a
// public one for cluster.apiAccessCIDRs, or none: then its public name stands for the
// private address, so that connected networks need no DNS zone of it
// (learn.microsoft.com/azure/aks/private-clusters).
func (p *Platform) apiServerAccess() *containerservice.ManagedClusterAPIServerAccessProfileArgs {
	access := &containerservice.ManagedClusterAPIServerAccessProfileArgs{
		EnableVnetIntegration: pulumi.Bool(true), SubnetId: p.made.apiServer, DisableRunCommand: pulumi.Bool(true),
		EnablePrivateCluster: pulumi.Bool(p.private()),
	}
	if p.private() {
		access.PrivateDNSZone, access.EnablePrivateClusterPublicFQDN = pulumi.String("none"), pulumi.Bool(true)
	} else {
		access.AuthorizedIPRanges = pulumi.ToStringArray(p.settings.Cluster.APIAccessCIDRs)
	}
	return access
}

// private says that the API server has no public address.
func (p *Platform) private() bool { return len(p.settings.Cluster.APIAccessCIDRs) == 0 }

// defender is nil unless cluster.defender is on
// (learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-introduction).
func (p *Platform) defender() containerservice.ManagedClusterSecurityProfileDefenderPtrInput {
	if !p.settings.Cluster.Defender {
		return nil
	}
	return &containerservice.ManagedClusterSecurityProfileDefenderArgs{
		LogAnalyticsWorkspaceResourceId: p.made.workspace,
		SecurityMonitoring:              &containerservice.ManagedClusterSecurityProfileDefenderSecurityMonitoringArgs{Enabled: pulumi.Bool(true)},
	}
}

// addons are those of AKS that a setting turns on
// (learn.microsoft.com/azure/governance/policy/concepts/policy-for-kubernetes).
func (p *Platform) addons() containerservice.ManagedClusterAddonProfileMap {
	if !p.settings.Cluster.AzurePolicy {
		return nil
	}
	return containerservice.ManagedClusterAddonProfileMap{"azurepolicy": &containerservice.ManagedClusterAddonProfileArgs{Enabled: pulumi.Bool(true)}}
}

func (p *Platform) tier() string {
	if p.settings.Profile == settings.Dev {
		return "Free"
	}
	return "Standard"
}

// dnsAddress is the tenth of the Services' addresses, AKS' own choice.
func (p *Platform) dnsAddress() (string, error) {
	services, err := netip.ParsePrefix(p.settings.Cluster.ServiceCIDR)
	if err != nil {
		return "", fmt.Errorf("reading cluster.serviceCIDR: %w", err)
	}
	return platform.Subnet(services, 32, 10).Addr().String(), nil
}

// disks encrypts the nodes' disks with a key of the stack, always its newest
// version.
func (p *Platform) disks(ctx *pulumi.Context, name string, c *platform.Cluster) (pulumi.StringOutput, error) {
	key, err := p.key(ctx, c, name+"-disks", "disks", yearly())
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	set, err := compute.NewDiskEncryptionSet(ctx, name+"-disks", &compute.DiskEncryptionSetArgs{
		ResourceGroupName: p.made.group, DiskEncryptionSetName: p.name("disks"), EncryptionType: pulumi.String("EncryptionAtRestWithCustomerKey"),
		Identity:                          &compute.EncryptionSetIdentityArgs{Type: pulumi.String("UserAssigned"), UserAssignedIdentities: pulumi.StringArray{p.made.keys.identity}},
		ActiveKey:                         &compute.KeyForDiskEncryptionSetArgs{KeyUrl: key.KeyUriWithVersion},
		RotationToLatestKeyVersionEnabled: pulumi.Bool(true), Tags: p.tags(),
	}, p.child(c, pulumi.Protect(p.settings.Protect),
		// Azure follows the key's versions by itself.
		pulumi.IgnoreChanges([]string{"activeKey.keyUrl"}))...)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("creating the disk encryption set: %w", err)
	}
	return set.ID().ToStringOutput(), nil
}

// admit lets cluster.admins administer the cluster and cluster.viewers look at it,
// without Secrets; both may fetch its address. A role is in force after some minutes
// (learn.microsoft.com/azure/aks/manage-azure-rbac), so it is given on the resource
// group, which has no other cluster, before this one is made.
func (p *Platform) admit(ctx *pulumi.Context, name string, c *platform.Cluster) ([]pulumi.Resource, error) {
	var all []pulumi.Resource
	admit := func(who, role, id string) error {
		logical := name + "-" + role + "-" + naming.Label.Fit(who)
		kind, object := settings.AzurePrincipal(who)
		for _, one := range []struct{ name, role string }{{logical, id}, {logical + "-user", roleClusterUser}} {
			assigned, err := p.assign(ctx, c, one.name, one.role, pulumi.String(object), p.made.groupID, kind)
			if err != nil {
				return err
			}
			all = append(all, assigned)
		}
		return nil
	}
	for _, who := range p.settings.Cluster.Admins {
		if err := admit(who, "admin", roleClusterAdmin); err != nil {
			return nil, err
		}
	}
	for _, who := range p.settings.Cluster.Viewers {
		if err := admit(who, "viewer", roleClusterReader); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// maintenance keeps automatic upgrades to Sunday, after the nightly dump and the
// hour in which the database has its own
// (learn.microsoft.com/azure/aks/planned-maintenance).
func (p *Platform) maintenance(ctx *pulumi.Context, name string, c *platform.Cluster, cluster *containerservice.ManagedCluster) error {
	for role, physical := range map[string]string{"upgrades": "aksManagedAutoUpgradeSchedule", "images": "aksManagedNodeOSUpgradeSchedule"} {
		if _, err := containerservice.NewMaintenanceConfiguration(ctx, name+"-"+role, &containerservice.MaintenanceConfigurationArgs{
			ResourceGroupName: p.made.group, ResourceName: cluster.Name, ConfigName: pulumi.String(physical),
			MaintenanceWindow: &containerservice.MaintenanceWindowArgs{
				Schedule:  &containerservice.ScheduleArgs{Weekly: &containerservice.WeeklyScheduleArgs{DayOfWeek: pulumi.String("Sunday"), IntervalWeeks: pulumi.Int(1)}},
				StartTime: pulumi.String("05:00"), DurationHours: pulumi.Int(4), UtcOffset: pulumi.String("+00:00"),
			},
		}, p.child(c)...); err != nil {
			return fmt.Errorf("planning the maintenance of %s: %w", role, err)
		}
	}
	return nil
}

// kubeconfig asks kubelogin for a token each time, with the login of the Azure CLI
// unless AAD_LOGIN_METHOD says another: it holds no credentials.
func (p *Platform) kubeconfig(ctx *pulumi.Context, cluster *containerservice.ManagedCluster) pulumi.StringOutput {
	var fqdn pulumi.StringPtrInput
	if p.private() {
		fqdn = pulumi.String("public")
	}
	given := containerservice.ListManagedClusterUserCredentialsOutput(ctx, containerservice.ListManagedClusterUserCredentialsOutputArgs{
		ResourceGroupName: p.made.group, ResourceName: cluster.Name, Format: pulumi.String("exec"), ServerFqdn: fqdn,
	}, pulumi.Provider(p.provider))
	text := given.Kubeconfigs().ApplyT(func(all []containerservice.CredentialResultResponse) (string, error) {
		if len(all) == 0 {
			return "", errors.New("AKS gave no kubeconfig")
		}
		return withKubelogin(all[0].Value)
	}).(pulumi.StringOutput)
	return pulumi.ToSecret(text).(pulumi.StringOutput)
}

// withKubelogin takes the cluster's address and authority from a kubeconfig of AKS.
func withKubelogin(encoded string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("decoding AKS' kubeconfig: %w", err)
	}
	var given struct {
		Clusters []struct {
			Cluster map[string]any `json:"cluster"`
		} `json:"clusters"`
	}
	if err := yaml.Unmarshal(raw, &given); err != nil {
		return "", fmt.Errorf("reading AKS' kubeconfig: %w", err)
	}
	if len(given.Clusters) != 1 {
		return "", fmt.Errorf("AKS' kubeconfig has %d clusters; want one", len(given.Clusters))
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "aks",
		"clusters": []any{map[string]any{"name": "aks", "cluster": given.Clusters[0].Cluster}},
		"contexts": []any{map[string]any{"name": "aks", "context": map[string]any{"cluster": "aks", "user": "azure"}}},
		"users": []any{map[string]any{"name": "azure", "user": map[string]any{"exec": map[string]any{
			"apiVersion": "client.authentication.k8s.io/v1", "command": "kubelogin", "interactiveMode": "Never",
			"args": []any{"get-token", "--login", "azurecli", "--server-id", entraServer},
		}}}},
	})
	if err != nil {
		return "", fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return string(text), nil
}

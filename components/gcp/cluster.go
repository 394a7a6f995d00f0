package gcp

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Roles of people in the project (cloud.google.com/kubernetes-engine/docs/how-to/iam).
const (
	roleAdmin = "roles/container.admin"
	// roleViewer sees everything but Secrets.
	roleViewer = "roles/container.viewer"
)

// Cluster is GKE with a control plane and nodes in three zones.
func (p *Platform) Cluster(ctx *pulumi.Context, name string, _ platform.ClusterArgs, opts ...pulumi.ResourceOption) (*platform.Cluster, error) {
	c := &platform.Cluster{KeepsSource: true}
	if p.settings.Exposure.InternalOnGCP() {
		// One of another kind is another load balancer. Networks that are connected are not
		// always in the region.
		c.LoadBalancerVariant = "internal"
		c.LoadBalancerAnnotations = map[string]string{"networking.gke.io/internal-load-balancer-allow-global-access": "true"}
	}
	if err := ctx.RegisterComponentResource(clusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	if err := p.admit(ctx, name, c); err != nil {
		return nil, err
	}
	account, err := p.nodeAccount(ctx, name, c)
	if err != nil {
		return nil, err
	}
	cluster, err := p.gke(ctx, name, c, account)
	if err != nil {
		return nil, err
	}
	pool, err := p.nodePool(ctx, name, c, cluster, account)
	if err != nil {
		return nil, err
	}
	// Its address and authority change when the control plane's credentials are rotated;
	// the cluster is the same.
	if err := c.Connect(ctx, name, p.kubeconfig(cluster), nil, cluster.SelfLink, component.Options(c, pulumi.DependsOn([]pulumi.Resource{pool}))...); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"name": cluster.Name})
}

func (p *Platform) gke(ctx *pulumi.Context, name string, c *platform.Cluster, account nodeAccount) (*container.Cluster, error) {
	s := p.settings.Cluster
	key, keyReady, err := p.key(ctx, c, name, "cluster", p.usual("container-engine-robot"))
	if err != nil {
		return nil, err
	}
	before := append(append(keyReady, account.ready...), p.made.ready...)
	cluster, err := container.NewCluster(ctx, name+"-gke", &container.ClusterArgs{
		Name: pulumi.String(p.name()), Location: pulumi.String(p.settings.Region), NodeLocations: pulumi.ToStringArray(p.zones()),
		Network: p.made.network, Subnetwork: p.made.subnet, NetworkingMode: pulumi.String("VPC_NATIVE"),
		IpAllocationPolicy: &container.ClusterIpAllocationPolicyArgs{
			ClusterSecondaryRangeName: pulumi.String(p.made.podRange), ServicesSecondaryRangeName: pulumi.String(p.made.serviceRange), StackType: pulumi.String("IPV4"),
		},
		DefaultMaxPodsPerNode: pulumi.Int(maxPods),
		// Cilium, which enforces NetworkPolicies; it takes no networkPolicy besides
		// (cloud.google.com/kubernetes-engine/docs/concepts/dataplane-v2).
		DatapathProvider: pulumi.String("ADVANCED_DATAPATH"),
		// Google turns it on where Gateways are, and the provider replaces a cluster to
		// turn it off (github.com/hashicorp/terraform-provider-google/issues/19138).
		EnableL4IlbSubsetting: pulumi.Bool(true),
		GatewayApiConfig:      &container.ClusterGatewayApiConfigArgs{Channel: pulumi.String("CHANNEL_STANDARD")},
		PrivateClusterConfig: &container.ClusterPrivateClusterConfigArgs{
			EnablePrivateNodes: pulumi.Bool(true), EnablePrivateEndpoint: pulumi.Bool(p.private()), MasterIpv4CidrBlock: pulumi.String(p.made.ranges.apiServer.String()),
			// Networks that are connected are not always in the region.
			MasterGlobalAccessConfig: &container.ClusterPrivateClusterConfigMasterGlobalAccessConfigArgs{Enabled: pulumi.Bool(true)},
		},
		MasterAuthorizedNetworksConfig: p.authorizedNetworks(),
		MasterAuth: &container.ClusterMasterAuthArgs{
			ClientCertificateConfig: &container.ClusterMasterAuthClientCertificateConfigArgs{IssueClientCertificate: pulumi.Bool(false)},
		},
		EnableLegacyAbac:         pulumi.Bool(false),
		ServiceExternalIpsConfig: &container.ClusterServiceExternalIpsConfigArgs{Enabled: pulumi.Bool(false)},
		WorkloadIdentityConfig:   &container.ClusterWorkloadIdentityConfigArgs{WorkloadPool: pulumi.String(p.workloadPool())},
		DatabaseEncryption:       p.secretsEncryption(key),
		EnableShieldedNodes:      pulumi.Bool(true),
		SecurityPostureConfig: &container.ClusterSecurityPostureConfigArgs{
			// What is wrong with workloads shows for nothing; scanning images is billed.
			Mode: pulumi.String("BASIC"), VulnerabilityMode: pulumi.String("VULNERABILITY_DISABLED"),
		},
		ReleaseChannel:   &container.ClusterReleaseChannelArgs{Channel: pulumi.String("REGULAR")},
		MinMasterVersion: pulumi.String(s.Version),
		MaintenancePolicy: &container.ClusterMaintenancePolicyArgs{
			// After the nightly dump. GKE wants 48 hours in 32 days, in windows of at least
			// four (cloud.google.com/kubernetes-engine/docs/concepts/maintenance-windows-and-exclusions).
			RecurringWindow: &container.ClusterMaintenancePolicyRecurringWindowArgs{
				StartTime: pulumi.String("2026-01-03T04:00:00Z"), EndTime: pulumi.String("2026-01-03T10:00:00Z"), Recurrence: pulumi.String("FREQ=WEEKLY;BYDAY=SA,SU"),
			},
		},
		AddonsConfig: &container.ClusterAddonsConfigArgs{
			HttpLoadBalancing:                &container.ClusterAddonsConfigHttpLoadBalancingArgs{Disabled: pulumi.Bool(false)},
			HorizontalPodAutoscaling:         &container.ClusterAddonsConfigHorizontalPodAutoscalingArgs{Disabled: pulumi.Bool(false)},
			GcePersistentDiskCsiDriverConfig: &container.ClusterAddonsConfigGcePersistentDiskCsiDriverConfigArgs{Enabled: pulumi.Bool(true)},
			// It would answer DNS from the node, where no policy lets pods.
			DnsCacheConfig: &container.ClusterAddonsConfigDnsCacheConfigArgs{Enabled: pulumi.Bool(false)},
		},
		LoggingConfig: &container.ClusterLoggingConfigArgs{EnableComponents: pulumi.ToStringArray([]string{"SYSTEM_COMPONENTS", "WORKLOADS"})},
		MonitoringConfig: &container.ClusterMonitoringConfigArgs{
			EnableComponents: pulumi.ToStringArray([]string{"SYSTEM_COMPONENTS"}),
			// Billed by the sample; what scrapes the platform is in monitoring.namespace.
			ManagedPrometheus: &container.ClusterMonitoringConfigManagedPrometheusArgs{Enabled: pulumi.Bool(false)},
		},
		CostManagementConfig: &container.ClusterCostManagementConfigArgs{Enabled: pulumi.Bool(true)},
		// The pool that a cluster begins with goes at once, but its nodes have to come up.
		RemoveDefaultNodePool: pulumi.Bool(true), InitialNodeCount: pulumi.Int(1), NodeConfig: p.firstNode(account),
		DeletionProtection: pulumi.Bool(p.settings.Protect), ResourceLabels: p.labels(),
	}, p.child(c, pulumi.Protect(p.settings.Protect), pulumi.DependsOn(before), pulumi.Timeouts(patientTimeouts()),
		pulumi.IgnoreChanges([]string{
			"nodeConfig", "initialNodeCount",
			// It may report its own choice, and refuses to have it taken back
			// (github.com/hashicorp/terraform-provider-google/issues/21948).
			"dnsConfig",
		}))...)
	if err != nil {
		return nil, fmt.Errorf("creating the cluster: %w", err)
	}
	return cluster, nil
}

// patientTimeouts are longer than the provider's 40 minutes: an upgrade of the
// control plane waits for the one that Google began by itself.
func patientTimeouts() *pulumi.CustomTimeouts {
	return &pulumi.CustomTimeouts{Create: "90m", Update: "120m", Delete: "90m"}
}

// private says that the API server has no public address.
func (p *Platform) private() bool { return len(p.settings.Cluster.APIAccessCIDRs) == 0 }

// authorizedNetworks may ask the API server, at its public or its private address;
// without the block everybody might. Nodes and pods may anyway.
func (p *Platform) authorizedNetworks() *container.ClusterMasterAuthorizedNetworksConfigArgs {
	blocks := container.ClusterMasterAuthorizedNetworksConfigCidrBlockArray{}
	for _, one := range []struct {
		key   string
		cidrs []string
	}{{"cluster.apiAccessCIDRs", p.settings.Cluster.APIAccessCIDRs}, {"cluster.privateAccessCIDRs", p.settings.Cluster.PrivateAccessCIDRs}} {
		for _, cidr := range one.cidrs {
			blocks = append(blocks, &container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs{CidrBlock: pulumi.String(cidr), DisplayName: pulumi.String(one.key)})
		}
	}
	return &container.ClusterMasterAuthorizedNetworksConfigArgs{
		CidrBlocks: blocks,
		// Or everybody's virtual machines in Google Cloud were let in.
		GcpPublicCidrsAccessEnabled: pulumi.Bool(false),
	}
}

// workloadPool is the project's, which its clusters share: an identity is told apart
// by namespace and ServiceAccount, not by cluster
// (cloud.google.com/kubernetes-engine/docs/concepts/workload-identity).
func (p *Platform) workloadPool() string { return p.settings.Account + ".svc.id.goog" }

// admit lets cluster.admins administer the project's clusters and cluster.viewers look
// at them: GKE takes both from roles of the project.
func (p *Platform) admit(ctx *pulumi.Context, name string, c *platform.Cluster) error {
	for _, group := range []struct {
		role, id string
		people   []string
	}{{"admin", roleAdmin, p.settings.Cluster.Admins}, {"viewer", roleViewer, p.settings.Cluster.Viewers}} {
		for _, who := range group.people {
			if _, err := p.grant(ctx, name+"-"+group.role+"-"+naming.Label.Fit(who), c, group.id, pulumi.String(who)); err != nil {
				return err
			}
		}
	}
	return nil
}

// grant gives a role in the project, to one more.
func (p *Platform) grant(ctx *pulumi.Context, name string, parent pulumi.Resource, role string, who pulumi.StringInput) (pulumi.Resource, error) {
	given, err := projects.NewIAMMember(ctx, name, &projects.IAMMemberArgs{
		Project: pulumi.String(p.settings.Account), Role: pulumi.String(role), Member: who,
	}, p.child(parent, pulumi.DependsOn(p.made.enabled), p.granted)...)
	if err != nil {
		return nil, fmt.Errorf("giving %s: %w", role, err)
	}
	return given, nil
}

// kubeconfig asks gke-gcloud-auth-plugin for a token each time, with the credentials
// that the provider uses too, those of the application, and not gcloud's own: it holds
// none.
func (p *Platform) kubeconfig(cluster *container.Cluster) pulumi.StringOutput {
	address := cluster.PrivateClusterConfig.PublicEndpoint().Elem()
	if p.private() {
		address = cluster.PrivateClusterConfig.PrivateEndpoint().Elem()
	}
	text := pulumi.All(address, cluster.MasterAuth.ClusterCaCertificate().Elem()).ApplyT(func(all []any) (string, error) {
		text, err := json.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "Config", "current-context": "gke",
			"clusters": []any{map[string]any{"name": "gke", "cluster": map[string]any{
				"server": "https://" + all[0].(string), "certificate-authority-data": all[1],
			}}},
			"contexts": []any{map[string]any{"name": "gke", "context": map[string]any{"cluster": "gke", "user": "google"}}},
			"users": []any{map[string]any{"name": "google", "user": map[string]any{"exec": map[string]any{
				"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "gke-gcloud-auth-plugin", "args": []any{"--use_application_default_credentials"}, "interactiveMode": "Never", "provideClusterInfo": true,
			}}}},
		})
		if err != nil {
			return "", fmt.Errorf("writing the kubeconfig: %w", err)
		}
		return string(text), nil
	}).(pulumi.StringOutput)
	return pulumi.ToSecret(text).(pulumi.StringOutput)
}

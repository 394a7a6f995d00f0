package aws

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Cluster is EKS with a managed node group over three zones.
func (p *Platform) Cluster(ctx *pulumi.Context, name string, _ platform.ClusterArgs, opts ...pulumi.ResourceOption) (*platform.Cluster, error) {
	c := &platform.Cluster{LoadBalancerAnnotations: p.loadBalancer(), LoadBalancerVariant: p.loadBalancerVariant()}
	if err := ctx.RegisterComponentResource(clusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	cluster, err := p.eks(ctx, name, c)
	if err != nil {
		return nil, err
	}
	admitted, err := p.admit(ctx, name, c, cluster)
	if err != nil {
		return nil, err
	}
	ready, err := p.nodes(ctx, name, c, cluster)
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx, name, p.kubeconfig(cluster), nil, nil, component.Options(c, pulumi.DependsOn(append(admitted, ready...)))...); err != nil {
		return nil, err
	}
	if _, err := p.storageClass(ctx, name, c, c, defaultClass, nil); err != nil {
		return nil, err
	}
	p.made.cluster = cluster.Name
	p.made.nodeSecurityGroup = cluster.VpcConfig.ClusterSecurityGroupId().Elem()
	p.made.identities = ready
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"name": cluster.Name})
}

func (p *Platform) eks(ctx *pulumi.Context, name string, c *platform.Cluster) (*eks.Cluster, error) {
	s := p.settings.Cluster
	physical := p.name(naming.EKS)
	key, err := p.key(ctx, c, name, "cluster")
	if err != nil {
		return nil, err
	}
	role, ready, err := p.role(ctx, c, name, "cluster", trust("eks.amazonaws.com", nil), "AmazonEKSClusterPolicy")
	if err != nil {
		return nil, err
	}
	logs, err := p.logGroup(ctx, c, name, "/aws/eks/"+physical+"/cluster")
	if err != nil {
		return nil, err
	}
	private, err := p.privateAccess(ctx, name, c)
	if err != nil {
		return nil, err
	}
	cluster, err := eks.NewCluster(ctx, name+"-eks", &eks.ClusterArgs{
		Name: pulumi.String(physical), Version: pulumi.String(s.Version), RoleArn: role.Arn,
		VpcConfig: &eks.ClusterVpcConfigArgs{
			SubnetIds: p.made.private, SecurityGroupIds: private,
			EndpointPrivateAccess: pulumi.Bool(true), EndpointPublicAccess: pulumi.Bool(len(s.APIAccessCIDRs) > 0),
			PublicAccessCidrs: pulumi.ToStringArray(s.APIAccessCIDRs),
		},
		KubernetesNetworkConfig: &eks.ClusterKubernetesNetworkConfigArgs{ServiceIpv4Cidr: pulumi.String(s.ServiceCIDR)},
		AccessConfig: &eks.ClusterAccessConfigArgs{
			AuthenticationMode: pulumi.String("API"),
			// Whoever creates the cluster gets no hidden right: cluster.admins says who
			// may what. It is read at creation only.
			BootstrapClusterCreatorAdminPermissions: pulumi.Bool(false),
		},
		EncryptionConfig: &eks.ClusterEncryptionConfigArgs{
			Provider:  &eks.ClusterEncryptionConfigProviderArgs{KeyArn: key.Arn},
			Resources: pulumi.ToStringArray([]string{"secrets"}),
		},
		// The add-ons below are the only ones; a later change makes a new cluster.
		BootstrapSelfManagedAddons: pulumi.Bool(false),
		EnabledClusterLogTypes:     pulumi.ToStringArray([]string{"api", "audit", "authenticator"}),
		// Extended support costs six times as much, from the day on which standard
		// support ends (aws.amazon.com/eks/pricing).
		UpgradePolicy: &eks.ClusterUpgradePolicyArgs{SupportType: pulumi.String("STANDARD")},
		Tags:          p.tags("cluster"),
	}, p.child(c, pulumi.Protect(p.settings.Protect), pulumi.DependsOn(append(append(ready, logs), p.made.network...)))...)
	if err != nil {
		return nil, fmt.Errorf("creating the cluster: %w", err)
	}
	return cluster, nil
}

// privateAccess lets cluster.privateAccessCIDRs reach the API server's private
// address: the group that EKS makes knows nobody but the nodes
// (docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html).
func (p *Platform) privateAccess(ctx *pulumi.Context, name string, c *platform.Cluster) (pulumi.StringArray, error) {
	from := p.settings.Cluster.PrivateAccessCIDRs
	if len(from) == 0 {
		return nil, nil
	}
	group, err := ec2.NewSecurityGroup(ctx, name+"-access", &ec2.SecurityGroupArgs{
		Description: pulumi.String("The Kubernetes API, from cluster.privateAccessCIDRs"), VpcId: p.made.vpc,
		Ingress: ec2.SecurityGroupIngressArray{&ec2.SecurityGroupIngressArgs{
			Description: pulumi.String("kubectl and pulumi"), Protocol: pulumi.String("tcp"),
			FromPort: pulumi.Int(443), ToPort: pulumi.Int(443), CidrBlocks: pulumi.ToStringArray(from),
		}},
		Tags: p.tags("access"),
	}, p.child(c)...)
	if err != nil {
		return nil, fmt.Errorf("creating the security group of the API server: %w", err)
	}
	return pulumi.StringArray{group.ID().ToStringOutput()}, nil
}

// admit lets cluster.admins administer the cluster and cluster.viewers look at it:
// an access entry and a policy each
// (docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html).
func (p *Platform) admit(ctx *pulumi.Context, name string, c *platform.Cluster, cluster *eks.Cluster) ([]pulumi.Resource, error) {
	var all []pulumi.Resource
	admit := func(who, role, policyName string) error {
		logical := name + "-" + role + "-" + naming.Label.Fit(who)
		entry, err := eks.NewAccessEntry(ctx, logical, &eks.AccessEntryArgs{
			ClusterName: cluster.Name, PrincipalArn: pulumi.String(who), Type: pulumi.String("STANDARD"), Tags: p.tags(role),
		}, p.child(c)...)
		if err != nil {
			return fmt.Errorf("admitting %s: %w", who, err)
		}
		policy, err := eks.NewAccessPolicyAssociation(ctx, logical+"-policy", &eks.AccessPolicyAssociationArgs{
			ClusterName: cluster.Name, PrincipalArn: entry.PrincipalArn,
			PolicyArn:   pulumi.String("arn:" + partition + ":eks::aws:cluster-access-policy/" + policyName),
			AccessScope: &eks.AccessPolicyAssociationAccessScopeArgs{Type: pulumi.String("cluster")},
		}, p.child(c)...)
		if err != nil {
			return fmt.Errorf("giving %s to %s: %w", policyName, who, err)
		}
		all = append(all, policy)
		return nil
	}
	for _, admin := range p.settings.Cluster.Admins {
		if err := admit(admin, "admin", "AmazonEKSClusterAdminPolicy"); err != nil {
			return nil, err
		}
	}
	for _, viewer := range p.settings.Cluster.Viewers {
		if err := admit(viewer, "viewer", "AmazonEKSViewPolicy"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// nodes makes the node group, with the network before it and what needs nodes
// after it: without the network plugin nodes never get ready, and without nodes
// CoreDNS waits in vain for twenty minutes.
func (p *Platform) nodes(ctx *pulumi.Context, name string, c *platform.Cluster, cluster *eks.Cluster) ([]pulumi.Resource, error) {
	cni, cniReady, err := p.role(ctx, c, name, "vpc-cni", p.podTrust(), "AmazonEKS_CNI_Policy")
	if err != nil {
		return nil, err
	}
	csi, csiReady, err := p.role(ctx, c, name, "ebs-csi", p.podTrust(), "service-role/AmazonEBSCSIDriverPolicy")
	if err != nil {
		return nil, err
	}
	p.made.volumeDriver = csi.Name
	before, err := p.addons(ctx, name, c, cluster, cniReady, []addon{
		{name: "eks-pod-identity-agent"},
		{name: "kube-proxy"},
		// Without this value NetworkPolicies are accepted and ignored
		// (docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html).
		{name: "vpc-cni", values: p.networkPlugin(), account: "aws-node", role: cni},
	})
	if err != nil {
		return nil, err
	}
	group, err := p.nodeGroup(ctx, name, c, cluster, before)
	if err != nil {
		return nil, err
	}
	after, err := p.addons(ctx, name, c, cluster, append(csiReady, group), []addon{
		{name: "coredns"},
		{name: "metrics-server"},
		// Without it the repair of nodes sees no more than the kubelet's own word
		// (docs.aws.amazon.com/eks/latest/userguide/node-health.html).
		{name: "eks-node-monitoring-agent"},
		{name: "aws-ebs-csi-driver", account: "ebs-csi-controller-sa", role: csi},
	})
	if err != nil {
		return nil, err
	}
	if len(p.made.recommended) > 0 {
		// One line to paste: two environments of one commit are alike only when pinned.
		if err := ctx.Log.Info("versions that AWS recommends now, of what cluster.addons and cluster.nodes.release do not pin: "+strings.Join(p.made.recommended, ", "), nil); err != nil {
			return nil, fmt.Errorf("logging: %w", err)
		}
	}
	return append(append(before, group), after...), nil
}

// networkPlugin is its configuration. In a network of others pods stay in the
// subnets of the nodes: the plugin would take every one that is tagged for it
// (github.com/aws/amazon-vpc-cni-k8s: ENABLE_SUBNET_DISCOVERY).
func (p *Platform) networkPlugin() map[string]any {
	values := map[string]any{"enableNetworkPolicy": "true"}
	if p.settings.Network.VPCID != "" {
		values["env"] = map[string]any{"ENABLE_SUBNET_DISCOVERY": "false"}
	}
	return values
}

// addon is a managed add-on of EKS.
type addon struct {
	name string
	// values is its configuration.
	values map[string]any
	// account gets role by Pod Identity.
	account string
	role    *iam.Role
}

func (p *Platform) addons(ctx *pulumi.Context, name string, c *platform.Cluster, cluster *eks.Cluster, after []pulumi.Resource, all []addon) ([]pulumi.Resource, error) {
	var made []pulumi.Resource
	for _, a := range all {
		version, err := p.addonVersion(ctx, a.name)
		if err != nil {
			return nil, err
		}
		args := &eks.AddonArgs{
			ClusterName: cluster.Name, AddonName: pulumi.String(a.name), AddonVersion: pulumi.String(version),
			// What a person changed by hand goes back to what is written here.
			ResolveConflictsOnCreate: pulumi.String("OVERWRITE"), ResolveConflictsOnUpdate: pulumi.String("OVERWRITE"),
			Tags: p.tags(a.name),
		}
		if a.values != nil {
			text, err := json.Marshal(a.values)
			if err != nil {
				return nil, fmt.Errorf("encoding the values of %s: %w", a.name, err)
			}
			args.ConfigurationValues = pulumi.String(text)
		}
		if a.role != nil {
			args.PodIdentityAssociations = eks.AddonPodIdentityAssociationArray{&eks.AddonPodIdentityAssociationArgs{
				RoleArn: a.role.Arn, ServiceAccount: pulumi.String(a.account),
			}}
		}
		done, err := eks.NewAddon(ctx, name+"-"+a.name, args, p.child(c, pulumi.DependsOn(after))...)
		if err != nil {
			return nil, fmt.Errorf("creating add-on %s: %w", a.name, err)
		}
		made = append(made, done)
	}
	return made, nil
}

// addonVersion is the version that cluster.addons pins, or the one that AWS
// has tested with this Kubernetes version; the preview shows when that changes.
func (p *Platform) addonVersion(ctx *pulumi.Context, name string) (string, error) {
	if pinned := p.settings.Cluster.Addons[name]; pinned != "" {
		return pinned, nil
	}
	found, err := eks.GetAddonVersion(ctx, &eks.GetAddonVersionArgs{
		AddonName: name, KubernetesVersion: p.settings.Cluster.Version,
	}, pulumi.Provider(p.provider))
	if err != nil {
		return "", fmt.Errorf("looking up the version of add-on %s for Kubernetes %s: %w", name, p.settings.Cluster.Version, err)
	}
	p.made.recommended = append(p.made.recommended, name+": "+found.Version)
	return found.Version, nil
}

// nodeRelease is the release of the nodes' image that cluster.nodes.release pins, or
// the one that AWS recommends for this Kubernetes version
// (docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html). A group without
// one keeps that of its first day for ever.
func (p *Platform) nodeRelease(ctx *pulumi.Context) (string, error) {
	s := p.settings.Cluster
	if s.Nodes.Release != "" {
		return s.Nodes.Release, nil
	}
	found, err := ssm.LookupParameter(ctx, &ssm.LookupParameterArgs{
		Name: "/aws/service/eks/optimized-ami/" + s.Version + "/amazon-linux-2023/x86_64/standard/recommended/release_version",
	}, pulumi.Provider(p.provider))
	if err != nil {
		return "", fmt.Errorf("looking up the nodes' image for Kubernetes %s: %w", s.Version, err)
	}
	p.made.recommended = append(p.made.recommended, "release: "+found.InsecureValue)
	return found.InsecureValue, nil
}

func (p *Platform) nodeGroup(ctx *pulumi.Context, name string, c *platform.Cluster, cluster *eks.Cluster, after []pulumi.Resource) (*eks.NodeGroup, error) {
	n := p.settings.Cluster.Nodes
	release, err := p.nodeRelease(ctx)
	if err != nil {
		return nil, err
	}
	role, ready, err := p.role(ctx, c, name, "nodes", trust("ec2.amazonaws.com", nil),
		// No network plugin policy: the plugin has a role of its own.
		"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
	if err != nil {
		return nil, err
	}
	template, err := ec2.NewLaunchTemplate(ctx, name+"-template", &ec2.LaunchTemplateArgs{
		Name: pulumi.String(p.name(naming.IAM, "nodes")), UpdateDefaultVersion: pulumi.Bool(true),
		MetadataOptions: &ec2.LaunchTemplateMetadataOptionsArgs{
			// A pod is one hop further away than its node: it never gets the node's
			// credentials (docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html).
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
		},
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{&ec2.LaunchTemplateBlockDeviceMappingArgs{
			DeviceName: pulumi.String("/dev/xvda"),
			Ebs: &ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
				// The account's default key, AWS' own unless somebody changed it: the service role
				// of auto scaling may use no other without a grant, and the disks hold images
				// and logs only.
				Encrypted: pulumi.String("true"), VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(n.DiskGiB),
				DeleteOnTermination: pulumi.String("true"),
			},
		}},
		TagSpecifications: ec2.LaunchTemplateTagSpecificationArray{
			&ec2.LaunchTemplateTagSpecificationArgs{ResourceType: pulumi.String("instance"), Tags: p.tags("node")},
			&ec2.LaunchTemplateTagSpecificationArgs{ResourceType: pulumi.String("volume"), Tags: p.tags("node")},
			&ec2.LaunchTemplateTagSpecificationArgs{ResourceType: pulumi.String("network-interface"), Tags: p.tags("node")},
		},
		Tags: p.tags("nodes"),
	}, p.child(c)...)
	if err != nil {
		return nil, fmt.Errorf("creating the nodes' launch template: %w", err)
	}
	group, err := eks.NewNodeGroup(ctx, name+"-nodes", &eks.NodeGroupArgs{
		ClusterName: cluster.Name, NodeRoleArn: role.Arn, SubnetIds: p.made.private,
		AmiType: pulumi.String("AL2023_x86_64_STANDARD"), CapacityType: pulumi.String("ON_DEMAND"),
		InstanceTypes: pulumi.ToStringArray([]string{n.Type}), Version: cluster.Version, ReleaseVersion: pulumi.String(release),
		ScalingConfig:    &eks.NodeGroupScalingConfigArgs{MinSize: pulumi.Int(n.Min), DesiredSize: pulumi.Int(n.Desired), MaxSize: pulumi.Int(n.Max)},
		UpdateConfig:     &eks.NodeGroupUpdateConfigArgs{MaxUnavailable: pulumi.Int(1)},
		NodeRepairConfig: &eks.NodeGroupNodeRepairConfigArgs{Enabled: pulumi.Bool(true)},
		LaunchTemplate: &eks.NodeGroupLaunchTemplateArgs{
			Id: template.ID(), Version: pulumi.Sprintf("%d", template.LatestVersion),
		},
		Tags: p.tags("nodes"),
	}, p.child(c, pulumi.DependsOn(append(append(ready, after...), p.made.network...)))...)
	if err != nil {
		return nil, fmt.Errorf("creating the nodes: %w", err)
	}
	return group, nil
}

// podTrust lets EKS hand a role to pods of this account
// (docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html).
func (p *Platform) podTrust() pulumi.StringOutput {
	condition := p.ours()
	condition["ArnEquals"] = map[string]any{"aws:SourceArn": p.arn("eks", "cluster/"+p.name(naming.EKS))}
	return trust("pods.eks.amazonaws.com", condition, "sts:TagSession")
}

// kubeconfig asks the AWS CLI for a token each time: it holds no credentials.
func (p *Platform) kubeconfig(cluster *eks.Cluster) pulumi.StringOutput {
	text := pulumi.JSONMarshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "eks",
		"clusters": []any{map[string]any{"name": "eks", "cluster": map[string]any{
			"server": cluster.Endpoint, "certificate-authority-data": cluster.CertificateAuthority.Data().Elem(),
		}}},
		"contexts": []any{map[string]any{"name": "eks", "context": map[string]any{"cluster": "eks", "user": "aws"}}},
		"users": []any{map[string]any{"name": "aws", "user": map[string]any{"exec": map[string]any{
			"apiVersion": "client.authentication.k8s.io/v1", "command": "aws", "interactiveMode": "Never",
			"args": []any{"--region", p.settings.Region, "eks", "get-token", "--cluster-name", cluster.Name, "--output", "json"},
		}}}},
	})
	return pulumi.ToSecret(text).(pulumi.StringOutput)
}

// loadBalancer asks for a network load balancer: the classic one that is the
// default ends a connection after 60 idle seconds, in the middle of an upload.
func (p *Platform) loadBalancer() map[string]string {
	var tags []string
	for key, value := range p.tagTexts("load-balancer") {
		tags = append(tags, key+"="+value)
	}
	slices.Sort(tags)
	annotations := map[string]string{
		loadBalancerPrefix + "type": "nlb", loadBalancerPrefix + "cross-zone-load-balancing-enabled": "true",
		loadBalancerPrefix + "additional-resource-tags": strings.Join(tags, ","),
	}
	if subnets := p.settings.Network.LoadBalancerSubnetIDs; len(subnets) > 0 {
		annotations[loadBalancerPrefix+"subnets"] = strings.Join(subnets, ",")
	}
	return annotations
}

// loadBalancerVariant names what the controller does not change of a load balancer
// that is there, whether it is internal and its subnets: another one is made then.
func (p *Platform) loadBalancerVariant() string {
	var parts []string
	if p.settings.Exposure.InternalOnAWS() {
		parts = append(parts, "internal")
	}
	// In another order they are the same subnets.
	if subnets := slices.Sorted(slices.Values(p.settings.Network.LoadBalancerSubnetIDs)); len(subnets) > 0 {
		parts = append(parts, fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(subnets, ","))))[:6])
	}
	return strings.Join(parts, "-")
}

// loadBalancerPrefix begins the annotations of a Service that the cloud's
// controller reads (github.com/kubernetes/cloud-provider-aws/blob/master/docs/service_controller.md).
const loadBalancerPrefix = "service.beta.kubernetes.io/aws-load-balancer-"

package azure

import (
	"fmt"

	"github.com/pulumi/pulumi-azure-native-sdk/network/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/storage/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// Bucket is a storage account that answers inside of the network only, with a
// container for artifacts and one for dumps: roles are given on containers, so the
// server does not read the dumps.
func (p *Platform) Bucket(ctx *pulumi.Context, name string, _ platform.BucketArgs, opts ...pulumi.ResourceOption) (*platform.Bucket, error) {
	b := &platform.Bucket{Scheme: "wasbs", Region: p.settings.Region}
	if err := ctx.RegisterComponentResource(bucketToken, name, b, opts...); err != nil {
		return nil, err
	}
	account, err := p.account(ctx, name, b)
	if err != nil {
		return nil, err
	}
	b.Ready = []pulumi.Resource{account}
	p.made.containers = map[string]pulumi.StringOutput{}
	roots := map[string]pulumi.StringOutput{}
	for _, prefix := range []string{platform.ArtifactPrefix, platform.BackupPrefix} {
		container, err := storage.NewBlobContainer(ctx, name+"-"+prefix, &storage.BlobContainerArgs{
			ResourceGroupName: p.made.group, AccountName: account.Name, ContainerName: pulumi.String(prefix), PublicAccess: storage.PublicAccessNone,
		}, p.child(b, protect.Options(p.settings.Protect)...)...)
		if err != nil {
			return nil, fmt.Errorf("creating the container %s: %w", prefix, err)
		}
		p.made.containers[prefix] = container.ID().ToStringOutput()
		roots[prefix] = pulumi.Sprintf("%s://%s@%s.blob.core.windows.net", b.Scheme, container.Name, account.Name)
		b.Ready = append(b.Ready, container)
	}
	lifecycle, err := p.lifecycle(ctx, name, b, account)
	if err != nil {
		return nil, err
	}
	reached, err := p.endpoint(ctx, name, b, account)
	if err != nil {
		return nil, err
	}
	logged, err := p.diagnostics(ctx, name+"-access", b, pulumi.Sprintf("%s/blobServices/default", account.ID()), "StorageRead", "StorageWrite", "StorageDelete")
	if err != nil {
		return nil, err
	}
	if err := p.bucketAlert(ctx, name, b, account); err != nil {
		return nil, err
	}
	b.ArtifactRoot, b.BackupRoot = roots[platform.ArtifactPrefix], roots[platform.BackupPrefix]
	b.Checksum = b.ArtifactRoot.ApplyT(func(root string) string { return pod.Checksum(root) }).(pulumi.StringOutput)
	b.Ready = append(append(b.Ready, lifecycle...), reached...)
	if err := p.lock(ctx, b, name, "bucket", account.ID(), append(pod.Join(b.Ready), logged)); err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"artifactRoot": b.ArtifactRoot})
}

func (p *Platform) account(ctx *pulumi.Context, name string, b *platform.Bucket) (*storage.StorageAccount, error) {
	key, err := p.key(ctx, b, name, "bucket", yearly())
	if err != nil {
		return nil, err
	}
	account, err := storage.NewStorageAccount(ctx, name+"-account", &storage.StorageAccountArgs{
		ResourceGroupName: p.made.group, AccountName: p.global(p.made.suffix), Kind: pulumi.String("StorageV2"),
		Sku: &storage.SkuArgs{Name: pulumi.String("Standard_ZRS")}, AccessTier: storage.AccessTierHot,
		// Nobody without an identity, nothing over plain HTTP, no key that could leak.
		AllowBlobPublicAccess: pulumi.Bool(false), AllowSharedKeyAccess: pulumi.Bool(false), DefaultToOAuthAuthentication: pulumi.Bool(true),
		AllowCrossTenantReplication: pulumi.Bool(false), EnableHttpsTrafficOnly: pulumi.Bool(true), MinimumTlsVersion: pulumi.String("TLS1_2"),
		IsLocalUserEnabled: pulumi.Bool(false), IsSftpEnabled: pulumi.Bool(false),
		PublicNetworkAccess: pulumi.String("Disabled"),
		NetworkRuleSet:      &storage.NetworkRuleSetArgs{DefaultAction: storage.DefaultActionDeny, Bypass: pulumi.String("None")},
		Identity:            &storage.IdentityArgs{Type: pulumi.String("UserAssigned"), UserAssignedIdentities: pulumi.StringArray{p.made.keys.identity}},
		Encryption: &storage.EncryptionArgs{
			KeySource:          pulumi.String("Microsoft.Keyvault"),
			EncryptionIdentity: &storage.EncryptionIdentityArgs{EncryptionUserAssignedIdentity: p.made.keys.identity},
			// Without a version the account follows the key's newest.
			KeyVaultProperties:              &storage.KeyVaultPropertiesArgs{KeyName: key.Name, KeyVaultUri: p.made.keys.vaultURI},
			RequireInfrastructureEncryption: pulumi.Bool(true),
			Services:                        &storage.EncryptionServicesArgs{Blob: &storage.EncryptionServiceArgs{Enabled: pulumi.Bool(true), KeyType: pulumi.String("Account")}},
		},
		Tags: p.tags(),
	}, p.child(b, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the storage account: %w", err)
	}
	return account, nil
}

// lifecycle undoes deletions for a while and moves what is old to cheaper tiers. It
// never deletes a current blob: that would delete registered models
// (docs/operations/retention.md). Blocks of unfinished uploads go by themselves
// after a week.
func (p *Platform) lifecycle(ctx *pulumi.Context, name string, b *platform.Bucket, account *storage.StorageAccount) ([]pulumi.Resource, error) {
	a := p.settings.Artifacts
	kept := &storage.DeleteRetentionPolicyArgs{Enabled: pulumi.Bool(true), Days: pulumi.Int(a.NoncurrentDays)}
	service, err := storage.NewBlobServiceProperties(ctx, name+"-versions", &storage.BlobServicePropertiesArgs{
		ResourceGroupName: p.made.group, AccountName: account.Name, BlobServicesName: pulumi.String("default"),
		IsVersioningEnabled: pulumi.Bool(true), DeleteRetentionPolicy: kept, ContainerDeleteRetentionPolicy: kept,
	}, p.child(b, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return nil, fmt.Errorf("keeping versions: %w", err)
	}
	block := pulumi.ToStringArray([]string{"blockBlob"})
	// A deleted version can be undeleted for as long as everything else.
	old := &storage.DateAfterCreationArgs{DaysAfterCreationGreaterThan: pulumi.Float64(1)}
	rules := storage.ManagementPolicyRuleArray{&storage.ManagementPolicyRuleArgs{
		Name: pulumi.String("noncurrent"), Enabled: pulumi.Bool(true), Type: pulumi.String("Lifecycle"),
		Definition: &storage.ManagementPolicyDefinitionArgs{
			Filters: &storage.ManagementPolicyFilterArgs{BlobTypes: block},
			Actions: &storage.ManagementPolicyActionArgs{Version: &storage.ManagementPolicyVersionArgs{Delete: old}, Snapshot: &storage.ManagementPolicySnapShotArgs{Delete: old}},
		},
	}}
	if a.TransitionDays > 0 {
		after := &storage.DateAfterModificationArgs{DaysAfterModificationGreaterThan: pulumi.Float64(float64(a.TransitionDays))}
		base := &storage.ManagementPolicyBaseBlobArgs{TierToCool: after}
		if a.TransitionClass == "Cold" {
			base = &storage.ManagementPolicyBaseBlobArgs{TierToCold: after}
		}
		rules = append(rules, &storage.ManagementPolicyRuleArgs{
			Name: pulumi.String("cheaper"), Enabled: pulumi.Bool(true), Type: pulumi.String("Lifecycle"),
			Definition: &storage.ManagementPolicyDefinitionArgs{
				Filters: &storage.ManagementPolicyFilterArgs{BlobTypes: block, PrefixMatch: pulumi.ToStringArray([]string{platform.ArtifactPrefix + "/"})},
				Actions: &storage.ManagementPolicyActionArgs{BaseBlob: base},
			},
		})
	}
	// Rules about versions need versions to be there.
	policy, err := storage.NewManagementPolicy(ctx, name+"-lifecycle", &storage.ManagementPolicyArgs{
		ResourceGroupName: p.made.group, AccountName: account.Name, ManagementPolicyName: pulumi.String("default"),
		Policy: &storage.ManagementPolicySchemaArgs{Rules: rules},
	}, p.child(b, pulumi.DependsOn([]pulumi.Resource{service}))...)
	if err != nil {
		return nil, fmt.Errorf("lifecycle of the bucket: %w", err)
	}
	return []pulumi.Resource{service, policy}, nil
}

// endpoint is the account's address in the network, under its usual name.
func (p *Platform) endpoint(ctx *pulumi.Context, name string, b *platform.Bucket, account *storage.StorageAccount) ([]pulumi.Resource, error) {
	zone, ready := p.blobZone(), []pulumi.Resource(nil)
	if zone == nil {
		made, link, err := p.zone(ctx, name, b, pulumi.String("privatelink.blob.core.windows.net"))
		if err != nil {
			return nil, err
		}
		zone, ready = made.ID(), append(ready, link)
	}
	endpoint, err := network.NewPrivateEndpoint(ctx, name+"-endpoint", &network.PrivateEndpointArgs{
		ResourceGroupName: p.made.group, PrivateEndpointName: p.name("blob"), Subnet: &network.SubnetTypeArgs{Id: p.made.endpoints},
		PrivateLinkServiceConnections: network.PrivateLinkServiceConnectionArray{&network.PrivateLinkServiceConnectionArgs{
			Name: pulumi.String("blob"), PrivateLinkServiceId: account.ID(), GroupIds: pulumi.ToStringArray([]string{"blob"}),
		}},
		Tags: p.tags(),
	}, p.child(b, pulumi.DependsOn(p.made.network))...)
	if err != nil {
		return nil, fmt.Errorf("creating the private endpoint of the bucket: %w", err)
	}
	names, err := network.NewPrivateDnsZoneGroup(ctx, name+"-endpoint-names", &network.PrivateDnsZoneGroupArgs{
		ResourceGroupName: p.made.group, PrivateEndpointName: endpoint.Name, PrivateDnsZoneGroupName: pulumi.String("default"),
		PrivateDnsZoneConfigs: network.PrivateDnsZoneConfigArray{&network.PrivateDnsZoneConfigArgs{Name: pulumi.String("blob"), PrivateDnsZoneId: zone.ToStringOutput()}},
	}, p.child(b)...)
	if err != nil {
		return nil, fmt.Errorf("naming the private endpoint of the bucket: %w", err)
	}
	return append(ready, names), nil
}

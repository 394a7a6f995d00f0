package aws

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	storagev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/storage/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// The storage classes.
const (
	// defaultClass is the cluster's default: EKS has none since 1.30.
	defaultClass = "gp3"
	// databaseClass is that of a database in the cluster.
	databaseClass = "mlflow-database"
)

// volumes makes the storage class of a database in the cluster: encrypted with a
// key of the stack, which the driver may use.
func (p *Platform) volumes(ctx *pulumi.Context, name string, cluster *platform.Cluster, opts ...pulumi.ResourceOption) (*storagev1.StorageClass, error) {
	v := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(volumesToken, name, v, opts...); err != nil {
		return nil, err
	}
	key, err := p.key(ctx, v, name, "volumes")
	if err != nil {
		return nil, err
	}
	// The driver's own policy has no right to any key. These are what a principal
	// needs that makes and attaches encrypted volumes
	// (docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html).
	policy, err := iam.NewRolePolicy(ctx, name+"-policy", &iam.RolePolicyArgs{
		Role: p.made.volumeDriver,
		Policy: document(
			statement{
				Sid: "Attach", Effect: "Allow", Action: []string{"kms:CreateGrant"}, Resource: key.Arn,
				Condition: map[string]any{"Bool": map[string]any{"kms:GrantIsForAWSResource": "true"}},
			},
			statement{
				Sid: "Key", Effect: "Allow", Resource: key.Arn,
				Action: []string{"kms:DescribeKey", "kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"},
			},
		),
	}, p.child(v)...)
	if err != nil {
		return nil, fmt.Errorf("allowing the volume driver to use the database's key: %w", err)
	}
	class, err := p.storageClass(ctx, name, v, cluster, databaseClass, pulumi.StringMap{"kmsKeyId": key.Arn}, pulumi.DependsOn([]pulumi.Resource{policy}))
	if err != nil {
		return nil, err
	}
	return class, ctx.RegisterResourceOutputs(v, pulumi.Map{})
}

// storageClass is encrypted, grows, tags its volumes, and makes one in the zone of
// its pod. Other tags make the class anew; volumes that are there keep theirs.
func (p *Platform) storageClass(ctx *pulumi.Context, name string, parent pulumi.Resource, cluster *platform.Cluster, class string, parameters pulumi.StringMap, opts ...pulumi.ResourceOption) (*storagev1.StorageClass, error) {
	all := pulumi.StringMap{"type": pulumi.String("gp3"), "encrypted": pulumi.String("true")}
	maps.Copy(all, parameters)
	tags := p.tagTexts(class)
	for i, tag := range slices.Sorted(maps.Keys(tags)) {
		all[fmt.Sprintf("tagSpecification_%d", i+1)] = pulumi.String(tag + "=" + tags[tag])
	}
	made, err := storagev1.NewStorageClass(ctx, name+"-storage", &storagev1.StorageClassArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(class), Annotations: pulumi.StringMap{"storageclass.kubernetes.io/is-default-class": pulumi.String(fmt.Sprint(class == defaultClass))},
		},
		Provisioner: pulumi.String("ebs.csi.aws.com"), VolumeBindingMode: pulumi.String("WaitForFirstConsumer"),
		AllowVolumeExpansion: pulumi.Bool(true), ReclaimPolicy: pulumi.String(p.settings.ReclaimPolicy()), Parameters: all,
	}, component.Options(parent, append(opts, pulumi.Provider(cluster.Provider))...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the storage class %s: %w", class, err)
	}
	return made, nil
}

package aws

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// Identity is an IAM role that EKS Pod Identity hands to the pods of one
// ServiceAccount: no key is stored anywhere, and a recreated cluster binds
// again by itself.
func (p *Platform) Identity(ctx *pulumi.Context, name string, args platform.IdentityArgs, opts ...pulumi.ResourceOption) (*platform.Identity, error) {
	i := &platform.Identity{
		ServiceAccountAnnotations: pulumi.StringMap{},
		Env:                       corev1.EnvVarArray{pod.Env("AWS_REGION", p.settings.Region), pod.Env("AWS_DEFAULT_REGION", p.settings.Region)},
		Checksum:                  args.Bucket.Checksum,
	}
	if err := ctx.RegisterComponentResource(identityToken, name, i, opts...); err != nil {
		return nil, err
	}
	role, ready, err := p.role(ctx, i, name, args.ServiceAccount, p.podTrust())
	if err != nil {
		return nil, err
	}
	policy, err := iam.NewRolePolicy(ctx, name+"-policy", &iam.RolePolicyArgs{
		Role: role.Name, Policy: document(p.prefixAccess(args.Prefix)...),
	}, p.child(i)...)
	if err != nil {
		return nil, fmt.Errorf("allowing %s to use the bucket: %w", args.ServiceAccount, err)
	}
	association, err := eks.NewPodIdentityAssociation(ctx, name+"-association", &eks.PodIdentityAssociationArgs{
		ClusterName: p.made.cluster, Namespace: pulumi.String(p.settings.Namespace), ServiceAccount: pulumi.String(args.ServiceAccount),
		RoleArn: role.Arn, Tags: p.tags(args.ServiceAccount),
	}, p.child(i, pulumi.DependsOn(append(pod.Join(ready, p.made.identities), policy)))...)
	if err != nil {
		return nil, fmt.Errorf("binding %s to its role: %w", args.ServiceAccount, err)
	}
	i.Ready = append(pod.Join(args.Bucket.Ready), association)
	return i, ctx.RegisterResourceOutputs(i, pulumi.Map{"roleArn": role.Arn})
}

// prefixAccess is what one prefix of the bucket needs, multipart uploads and
// the bucket's key included, and nothing else.
func (p *Platform) prefixAccess(prefix string) []statement {
	bucket := "arn:" + partition + ":s3:::" + p.bucketName("data")
	prefix = strings.Trim(prefix, "/")
	return []statement{
		{
			Sid: "List", Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{bucket},
			Condition: map[string]any{"StringLike": map[string]any{"s3:prefix": []string{prefix, prefix + "/*"}}},
		},
		{
			Sid: "Objects", Effect: "Allow", Resource: []string{bucket + "/" + prefix + "/*"},
			Action: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
		},
		{
			Sid: "Key", Effect: "Allow", Action: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resource: p.made.bucketKey,
			Condition: map[string]any{"StringEquals": map[string]any{"kms:ViaService": "s3." + p.settings.Region + ".amazonaws.com"}},
		},
	}
}

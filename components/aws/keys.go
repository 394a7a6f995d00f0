package aws

import (
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// outlived are the keys of what a production stack leaves behind also without
// protection: snapshots and backups, volumes, and copies of secrets for a week.
var outlived = []string{"database", "volumes", "secrets"}

// key makes a KMS key that rotates every year, with an alias. What it encrypts
// is lost with it, so it is guarded, and a deletion waits for 30 days, the
// longest there is.
func (p *Platform) key(ctx *pulumi.Context, parent pulumi.Resource, name, purpose string, more ...statement) (*kms.Key, error) {
	account := statement{
		Sid: "Account", Effect: "Allow", Action: []string{"kms:*"}, Resource: "*",
		// The account decides by IAM who uses the key; without it nobody could ever
		// change the policy again.
		Principal: map[string]any{"AWS": fmt.Sprintf("arn:%s:iam::%s:root", partition, p.settings.Account)},
	}
	key, err := kms.NewKey(ctx, name+"-key", &kms.KeyArgs{
		Description:       pulumi.String(fmt.Sprintf("mlflow-platform %s: %s", p.settings.Stack, purpose)),
		EnableKeyRotation: pulumi.Bool(true), DeletionWindowInDays: pulumi.Int(30),
		Policy: document(append([]statement{account}, more...)...), Tags: p.tags(purpose),
	}, p.child(parent, pulumi.Protect(p.settings.Protect),
		pulumi.RetainOnDelete(p.settings.Protect || p.settings.Profile == settings.Production && slices.Contains(outlived, purpose)))...)
	if err != nil {
		return nil, fmt.Errorf("creating the %s key: %w", purpose, err)
	}
	_, err = kms.NewAlias(ctx, name+"-key-alias", &kms.AliasArgs{
		Name: pulumi.String("alias/" + p.name(naming.IAM, purpose)), TargetKeyId: key.KeyId,
	}, p.child(parent)...)
	if err != nil {
		return nil, fmt.Errorf("naming the %s key: %w", purpose, err)
	}
	return key, nil
}

// usableBy lets a service send what is encrypted with the key
// (docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
func (p *Platform) usableBy(sid, service string) statement {
	return statement{
		Sid: sid, Effect: "Allow", Principal: map[string]any{"Service": service}, Resource: "*",
		Action:    []string{"kms:Decrypt", "kms:GenerateDataKey*"},
		Condition: p.ours(),
	}
}

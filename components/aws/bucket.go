package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// bucketName is unique in the world: the account is part of it.
func (p *Platform) bucketName(role string) string {
	return p.name(naming.Bucket, p.settings.Account, p.settings.Region, role)
}

// Bucket is an S3 bucket with a key of its own, and one for its access logs.
func (p *Platform) Bucket(ctx *pulumi.Context, name string, _ platform.BucketArgs, opts ...pulumi.ResourceOption) (*platform.Bucket, error) {
	physical := p.bucketName("data")
	b := &platform.Bucket{Scheme: "s3", Name: physical, Region: p.settings.Region, Checksum: pulumi.String(pod.Checksum(physical)).ToStringOutput()}
	if err := ctx.RegisterComponentResource(bucketToken, name, b, opts...); err != nil {
		return nil, err
	}
	key, err := p.key(ctx, b, name, "bucket")
	if err != nil {
		return nil, err
	}
	p.made.bucketKey = key.Arn
	logs, err := p.privateBucket(ctx, b, name+"-logs", p.bucketName("logs"), "AES256", nil, p.logDelivery())
	if err != nil {
		return nil, err
	}
	data, err := p.privateBucket(ctx, b, name+"-data", physical, "aws:kms", key.Arn, ownKey(physical, key.Arn)...)
	if err != nil {
		return nil, err
	}
	if _, err := s3.NewBucketLoggingV2(ctx, name+"-logging", &s3.BucketLoggingV2Args{
		Bucket: data.id, TargetBucket: logs.id, TargetPrefix: pulumi.String("s3/"),
	}, p.child(b, pulumi.DependsOn(logs.ready))...); err != nil {
		return nil, fmt.Errorf("logging access to the bucket: %w", err)
	}
	if err := p.lifecycle(ctx, b, name, data, logs); err != nil {
		return nil, err
	}
	if err := p.growthAlarm(ctx, name, b); err != nil {
		return nil, err
	}
	b.ArtifactRoot = pulumi.Sprintf("s3://%s/artifacts", data.id)
	b.BackupRoot = pulumi.Sprintf("s3://%s/backups", data.id)
	b.Ready = data.ready
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"artifactRoot": b.ArtifactRoot})
}

// bucket is a bucket that nobody else can read.
type bucket struct {
	id         pulumi.StringOutput
	versioning *s3.BucketVersioningV2
	ready      []pulumi.Resource
}

// privateBucket makes a bucket without public access, ACLs, plain HTTP or
// foreign accounts, versioned and encrypted.
func (p *Platform) privateBucket(ctx *pulumi.Context, parent pulumi.Resource, name, physical, algorithm string, key pulumi.StringPtrInput, more ...statement) (*bucket, error) {
	fail := func(what string, err error) (*bucket, error) {
		return nil, fmt.Errorf("%s of bucket %s: %w", what, physical, err)
	}
	guard := protect.Options(p.settings.Protect)
	made, err := s3.NewBucketV2(ctx, name+"-bucket", &s3.BucketV2Args{
		Bucket: pulumi.String(physical), ForceDestroy: pulumi.Bool(!p.settings.Protect), Tags: p.tags("bucket"),
	}, p.child(parent, guard...)...)
	if err != nil {
		return fail("creation", err)
	}
	b := &bucket{id: made.ID().ToStringOutput(), ready: []pulumi.Resource{made}}
	public, err := s3.NewBucketPublicAccessBlock(ctx, name+"-public-access", &s3.BucketPublicAccessBlockArgs{
		Bucket: made.ID(), BlockPublicAcls: pulumi.Bool(true), BlockPublicPolicy: pulumi.Bool(true),
		IgnorePublicAcls: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, p.child(parent)...)
	if err != nil {
		return fail("public access block", err)
	}
	owner, err := s3.NewBucketOwnershipControls(ctx, name+"-ownership", &s3.BucketOwnershipControlsArgs{
		Bucket: made.ID(), Rule: &s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, p.child(parent)...)
	if err != nil {
		return fail("ownership", err)
	}
	if b.versioning, err = s3.NewBucketVersioningV2(ctx, name+"-versioning", &s3.BucketVersioningV2Args{
		Bucket:                  made.ID(),
		VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, p.child(parent, guard...)...); err != nil {
		return fail("versioning", err)
	}
	encryption, err := s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name+"-encryption", &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: made.ID(),
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{&s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			// One key of the bucket for many objects: a thousandth of the KMS requests.
			BucketKeyEnabled: pulumi.Bool(true),
			ApplyServerSideEncryptionByDefault: &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String(algorithm), KmsMasterKeyId: key,
			},
		}},
	}, p.child(parent)...)
	if err != nil {
		return fail("encryption", err)
	}
	policy, err := s3.NewBucketPolicy(ctx, name+"-policy", &s3.BucketPolicyArgs{
		Bucket: made.ID(), Policy: document(append(p.closed(physical), more...)...),
	}, p.child(parent, pulumi.DependsOn([]pulumi.Resource{public}))...)
	if err != nil {
		return fail("policy", err)
	}
	b.ready = append(b.ready, public, owner, b.versioning, encryption, policy)
	return b, nil
}

// closed denies plain HTTP and principals of other accounts, whatever their
// own policies say.
func (p *Platform) closed(physical string) []statement {
	all := []string{"arn:" + partition + ":s3:::" + physical, "arn:" + partition + ":s3:::" + physical + "/*"}
	return []statement{
		{
			Sid: "NoPlainHTTP", Effect: "Deny", Principal: "*", Action: []string{"s3:*"}, Resource: all,
			Condition: map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
		},
		{
			Sid: "NoForeignAccounts", Effect: "Deny", Principal: "*", Action: []string{"s3:*"}, Resource: all,
			Condition: map[string]any{
				"StringNotEquals": map[string]any{"aws:PrincipalAccount": p.settings.Account},
				"Bool":            map[string]any{"aws:PrincipalIsAWSService": "false"},
			},
		},
	}
}

// ownKey denies what is put with another key than the bucket's, or with none of
// KMS: objects that nobody could read once that key is gone. Who names no key gets
// the bucket's (docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html).
func ownKey(physical string, key pulumi.StringInput) []statement {
	deny := func(sid, header string, want any) statement {
		return statement{
			Sid: sid, Effect: "Deny", Principal: "*", Action: []string{"s3:PutObject"}, Resource: []string{"arn:" + partition + ":s3:::" + physical + "/*"},
			Condition: map[string]any{
				"StringNotEquals": map[string]any{header: want},
				"Null":            map[string]any{header: "false"},
			},
		}
	}
	return []statement{
		deny("NoForeignKeys", "s3:x-amz-server-side-encryption-aws-kms-key-id", key),
		deny("NoWeakerEncryption", "s3:x-amz-server-side-encryption", "aws:kms"),
	}
}

// logDelivery lets S3 write access logs of this account's buckets
// (docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html).
func (p *Platform) logDelivery() statement {
	return statement{
		Sid: "AccessLogs", Effect: "Allow", Principal: map[string]any{"Service": "logging.s3.amazonaws.com"}, Action: []string{"s3:PutObject"},
		Resource:  []string{"arn:" + partition + ":s3:::" + p.bucketName("logs") + "/s3/*"},
		Condition: p.ours(),
	}
}

// lifecycle never expires a current object of the data: that would delete
// registered models (docs/operations/retention.md).
func (p *Platform) lifecycle(ctx *pulumi.Context, parent pulumi.Resource, name string, data, logs *bucket) error {
	a := p.settings.Artifacts
	everything := &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")}
	garbage := s3.BucketLifecycleConfigurationV2RuleArray{
		&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("noncurrent"), Status: pulumi.String("Enabled"), Filter: everything,
			NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{NoncurrentDays: pulumi.Int(a.NoncurrentDays)},
		},
		&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("unfinished-uploads"), Status: pulumi.String("Enabled"), Filter: everything,
			AbortIncompleteMultipartUpload: &s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{DaysAfterInitiation: pulumi.Int(a.AbortUploadDays)},
		},
		// A rule of its own: together with days the API refuses it.
		&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("delete-markers"), Status: pulumi.String("Enabled"), Filter: everything,
			Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{ExpiredObjectDeleteMarker: pulumi.Bool(true)},
		},
	}
	rules := append(s3.BucketLifecycleConfigurationV2RuleArray{}, garbage...)
	if a.TransitionDays > 0 {
		rules = append(rules, &s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("cheaper"), Status: pulumi.String("Enabled"),
			Filter: &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("artifacts/")},
			Transitions: s3.BucketLifecycleConfigurationV2RuleTransitionArray{&s3.BucketLifecycleConfigurationV2RuleTransitionArgs{
				Days: pulumi.Int(a.TransitionDays), StorageClass: pulumi.String(a.TransitionClass),
			}},
		})
	}
	expire := append(s3.BucketLifecycleConfigurationV2RuleArray{&s3.BucketLifecycleConfigurationV2RuleArgs{
		Id: pulumi.String("expire"), Status: pulumi.String("Enabled"), Filter: everything,
		Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(logDays)},
	}}, garbage...)
	for _, one := range []struct {
		role  string
		of    *bucket
		rules s3.BucketLifecycleConfigurationV2RuleArray
	}{{"data", data, rules}, {"logs", logs, expire}} {
		// Noncurrent rules need versioning to be there.
		_, err := s3.NewBucketLifecycleConfigurationV2(ctx, name+"-"+one.role+"-lifecycle", &s3.BucketLifecycleConfigurationV2Args{
			Bucket: one.of.id, Rules: one.rules,
		}, p.child(parent, pulumi.DependsOn([]pulumi.Resource{one.of.versioning}))...)
		if err != nil {
			return fmt.Errorf("lifecycle of the %s bucket: %w", one.role, err)
		}
	}
	return nil
}

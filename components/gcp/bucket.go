package gcp

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// softDelete is how long what was deleted for good, a version or a whole bucket, can
// be brought back, in seconds: Google's own seven days
// (cloud.google.com/storage/docs/soft-delete).
const softDelete = 7 * 24 * 3600

// logDays is how long access logs are kept, as on the other clouds.
const logDays = 90

// analytics writes the access logs (cloud.google.com/storage/docs/access-logs).
const analytics = "group:cloud-storage-analytics@google.com"

// Bucket is a bucket for artifacts and one for dumps, both with the stack's key, and
// one for their access logs: roles are given on whole buckets, so the server does not
// read the dumps.
func (p *Platform) Bucket(ctx *pulumi.Context, name string, _ platform.BucketArgs, opts ...pulumi.ResourceOption) (*platform.Bucket, error) {
	b := &platform.Bucket{Scheme: "gs", Region: p.settings.Region}
	if err := ctx.RegisterComponentResource(bucketToken, name, b, opts...); err != nil {
		return nil, err
	}
	// Asking for the agent makes it; before the API is enabled there is nobody to ask.
	agent := storage.GetProjectServiceAccountOutput(ctx, storage.GetProjectServiceAccountOutputArgs{
		Project: of(p.made.services["storage"], pulumi.String(p.settings.Account)),
	}, pulumi.Provider(p.provider))
	key, keyReady, err := p.key(ctx, b, name, "bucket", agent.EmailAddress())
	if err != nil {
		return nil, err
	}
	logs, err := p.bucket(ctx, name+"-logs", b, "logs", nil, keyReady, func(args *storage.BucketArgs) {
		args.LifecycleRules = storage.BucketLifecycleRuleArray{rule("Delete", "", &storage.BucketLifecycleRuleConditionArgs{Age: pulumi.Int(logDays)})}
	})
	if err != nil {
		return nil, err
	}
	written, err := storage.NewBucketIAMMember(ctx, name+"-logs-writer", &storage.BucketIAMMemberArgs{
		Bucket: logs.Name, Role: pulumi.String("roles/storage.objectCreator"), Member: pulumi.String(analytics),
	}, p.child(b)...)
	if err != nil {
		return nil, fmt.Errorf("letting access logs be written: %w", err)
	}
	keyReady = append(keyReady, written)
	p.made.buckets = map[string]pulumi.StringOutput{}
	roots := map[string]pulumi.StringOutput{}
	for _, prefix := range []string{platform.ArtifactPrefix, platform.BackupPrefix} {
		made, err := p.bucket(ctx, name+"-"+prefix, b, prefix, key, keyReady, func(args *storage.BucketArgs) {
			args.Logging = &storage.BucketLoggingArgs{LogBucket: logs.Name, LogObjectPrefix: pulumi.String(prefix)}
			args.Versioning = &storage.BucketVersioningArgs{Enabled: pulumi.Bool(true)}
			p.lifecycle(args, prefix)
		})
		if err != nil {
			return nil, err
		}
		p.made.buckets[prefix] = made.Name
		roots[prefix] = pulumi.Sprintf("%s://%s/%s", b.Scheme, made.Name, prefix)
		b.Ready = append(b.Ready, made)
	}
	if err := p.bucketAlert(ctx, name, b); err != nil {
		return nil, err
	}
	b.ArtifactRoot, b.BackupRoot = roots[platform.ArtifactPrefix], roots[platform.BackupPrefix]
	b.Checksum = b.ArtifactRoot.ApplyT(func(root string) string { return pod.Checksum(root) }).(pulumi.StringOutput)
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"artifactRoot": b.ArtifactRoot})
}

// bucket makes a bucket without lists of access and never public, whatever anybody sets
// later.
func (p *Platform) bucket(ctx *pulumi.Context, name string, b *platform.Bucket, part string, key pulumi.StringPtrInput, after []pulumi.Resource, more func(*storage.BucketArgs)) (*storage.Bucket, error) {
	args := &storage.BucketArgs{
		Name: p.unique(part),
		// Google shows it in capitals.
		Location: pulumi.String(strings.ToUpper(p.settings.Region)), StorageClass: pulumi.String("STANDARD"),
		UniformBucketLevelAccess: pulumi.Bool(true), PublicAccessPrevention: pulumi.String("enforced"),
		SoftDeletePolicy: &storage.BucketSoftDeletePolicyArgs{RetentionDurationSeconds: pulumi.Int(softDelete)},
		ForceDestroy:     pulumi.Bool(!p.settings.Protect), Labels: p.labels(),
	}
	if key != nil {
		args.Encryption = &storage.BucketEncryptionArgs{DefaultKmsKeyName: key.ToStringPtrOutput().Elem()}
	}
	more(args)
	made, err := storage.NewBucket(ctx, name+"-bucket", args, p.child(b, append(protect.Options(p.settings.Protect), pulumi.DependsOn(after))...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the bucket of %s: %w", part, err)
	}
	closed, err := p.closed(ctx, name, b, made)
	b.Ready = append(b.Ready, closed...)
	return made, err
}

// closed takes from a bucket the roles that Google gives whoever may look at or edit the
// project as a whole; its owners keep theirs, with which they can delete it
// (cloud.google.com/storage/docs/access-control/iam-roles#basic-roles-modifiable).
func (p *Platform) closed(ctx *pulumi.Context, name string, b *platform.Bucket, made *storage.Bucket) ([]pulumi.Resource, error) {
	var all []pulumi.Resource
	for logical, role := range map[string]string{
		"readers": "legacyObjectReader", "owners": "legacyObjectOwner", "bucket-readers": "legacyBucketReader", "bucket-owners": "legacyBucketOwner",
	} {
		owners, err := storage.NewBucketIAMBinding(ctx, name+"-"+logical, &storage.BucketIAMBindingArgs{
			Bucket: made.Name, Role: pulumi.String("roles/storage." + role), Members: pulumi.ToStringArray([]string{"projectOwner:" + p.settings.Account}),
		}, p.child(b)...)
		if err != nil {
			return nil, fmt.Errorf("closing the bucket %s: %w", name, err)
		}
		all = append(all, owners)
	}
	return all, nil
}

// lifecycle undoes deletions for a while and moves what is old to cheaper classes. It
// never deletes a current object: that would delete registered models
// (docs/operations/retention.md).
func (p *Platform) lifecycle(args *storage.BucketArgs, prefix string) {
	a := p.settings.Artifacts
	rules := storage.BucketLifecycleRuleArray{
		rule("AbortIncompleteMultipartUpload", "", &storage.BucketLifecycleRuleConditionArgs{Age: pulumi.Int(a.AbortUploadDays)}),
		rule("Delete", "", &storage.BucketLifecycleRuleConditionArgs{DaysSinceNoncurrentTime: pulumi.Int(a.NoncurrentDays), WithState: pulumi.String("ARCHIVED")}),
	}
	switch {
	case prefix != platform.ArtifactPrefix || a.TransitionDays == 0:
	case a.TransitionClass == settings.GCPAutoclass:
		// Back as well, when it is read again, which costs nothing.
		args.Autoclass = &storage.BucketAutoclassArgs{Enabled: pulumi.Bool(true), TerminalStorageClass: pulumi.String("NEARLINE")}
	default:
		rules = append(rules, rule("SetStorageClass", a.TransitionClass,
			&storage.BucketLifecycleRuleConditionArgs{Age: pulumi.Int(a.TransitionDays), MatchesStorageClasses: pulumi.ToStringArray([]string{"STANDARD"}), WithState: pulumi.String("LIVE")}))
	}
	args.LifecycleRules = rules
}

func rule(action, class string, condition *storage.BucketLifecycleRuleConditionArgs) *storage.BucketLifecycleRuleArgs {
	does := &storage.BucketLifecycleRuleActionArgs{Type: pulumi.String(action)}
	if class != "" {
		does.StorageClass = pulumi.String(class)
	}
	return &storage.BucketLifecycleRuleArgs{Action: does, Condition: condition}
}

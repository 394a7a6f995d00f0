package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

const gib = 1 << 30

// databaseAlarms tell budget.emails before the database fails.
func (p *Platform) databaseAlarms(ctx *pulumi.Context, name string, d *platform.Database, instance *rds.Instance) error {
	s := p.settings.Database
	for _, a := range []struct {
		role, metric, why string
		// above is the threshold, or below if that is set.
		above, below float64
		// minutes it must last.
		minutes int
	}{
		// A fifth of the first size, also after the storage has grown by itself.
		{role: "storage", metric: "FreeStorageSpace", below: float64(s.StorageGiB) * gib / 5, minutes: 15,
			why: "The database has used 80 % of its storage; it grows up to database.maxStorageGiB."},
		{role: "connections", metric: "DatabaseConnections", above: float64(s.MaxConnections) * 0.8, minutes: 5,
			why: "80 % of max_connections are in use; look for clients outside the platform."},
		{role: "cpu", metric: "CPUUtilization", above: 80, minutes: 15, why: "The database's CPU is busy; consider a larger database.instanceType."},
		{role: "memory", metric: "FreeableMemory", below: gib / 4, minutes: 15, why: "The database is short of memory; consider a larger database.instanceType."},
	} {
		operator, threshold := "GreaterThanThreshold", a.above
		if a.below > 0 {
			operator, threshold = "LessThanThreshold", a.below
		}
		if err := p.alarm(ctx, name, d, "database", a.role, &cloudwatch.MetricAlarmArgs{
			AlarmDescription: pulumi.String(a.why),
			Namespace:        pulumi.String("AWS/RDS"), MetricName: pulumi.String(a.metric), Statistic: pulumi.String("Average"),
			Dimensions: pulumi.StringMap{"DBInstanceIdentifier": instance.Identifier},
			Period:     pulumi.Int(300), EvaluationPeriods: pulumi.Int(a.minutes / 5),
			ComparisonOperator: pulumi.String(operator), Threshold: pulumi.Float64(threshold),
			// A database that says nothing is not well.
			TreatMissingData: pulumi.String("breaching"),
		}); err != nil {
			return err
		}
	}
	// An alarm compares with the first size: that the storage grows no more is known
	// to RDS alone (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html).
	if _, err := rds.NewEventSubscription(ctx, name+"-events", &rds.EventSubscriptionArgs{
		Name: pulumi.String(p.name(naming.RDS)), SnsTopic: p.made.alerts,
		SourceType: pulumi.String("db-instance"), SourceIds: pulumi.StringArray{instance.Identifier},
		EventCategories: pulumi.ToStringArray([]string{"failover", "failure", "low storage", "notification"}),
		Tags:            p.tags("events"),
	}, p.child(d)...); err != nil {
		return fmt.Errorf("subscribing to the database's events: %w", err)
	}
	return nil
}

// storageTypes are where S3 counts the objects of a storage class
// (docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html).
var storageTypes = map[string][]string{
	"STANDARD_IA": {"StandardIAStorage"}, "ONEZONE_IA": {"OneZoneIAStorage"}, "GLACIER_IR": {"GlacierInstantRetrievalStorage"},
	"INTELLIGENT_TIERING": {"IntelligentTieringFAStorage", "IntelligentTieringIAStorage", "IntelligentTieringAIAStorage"},
}

// growthAlarm tells budget.emails that the bucket is larger than the estimate
// assumes: bills grow with it, and nothing else says so until the budget does.
func (p *Platform) growthAlarm(ctx *pulumi.Context, name string, b *platform.Bucket) error {
	types := []string{"StandardStorage"}
	if p.settings.Artifacts.TransitionDays > 0 {
		types = append(types, storageTypes[p.settings.Artifacts.TransitionClass]...)
	}
	queries := cloudwatch.MetricAlarmMetricQueryArray{&cloudwatch.MetricAlarmMetricQueryArgs{
		Id: pulumi.String("size"), Label: pulumi.String("Size of the bucket"), ReturnData: pulumi.Bool(true),
		// A class without objects has no data.
		Expression: pulumi.String("SUM(FILL(METRICS(), 0))"),
	}}
	for i, t := range types {
		queries = append(queries, &cloudwatch.MetricAlarmMetricQueryArgs{
			Id: pulumi.String(fmt.Sprintf("m%d", i)), ReturnData: pulumi.Bool(false),
			Metric: &cloudwatch.MetricAlarmMetricQueryMetricArgs{
				Namespace: pulumi.String("AWS/S3"), MetricName: pulumi.String("BucketSizeBytes"), Stat: pulumi.String("Average"),
				// S3 counts once a day.
				Period:     pulumi.Int(24 * 3600),
				Dimensions: pulumi.StringMap{"BucketName": pulumi.String(b.Name), "StorageType": pulumi.String(t)},
			},
		})
	}
	return p.alarm(ctx, name, b, "bucket", "growth", &cloudwatch.MetricAlarmArgs{
		AlarmDescription: pulumi.String("The bucket holds more than budget.usage.storedGiB; read a report of mlflow.retention, or raise it."),
		// S3's number of a day arrives hours after it, and until then the sum is 0.
		MetricQueries: queries, EvaluationPeriods: pulumi.Int(3), DatapointsToAlarm: pulumi.Int(1),
		ComparisonOperator: pulumi.String("GreaterThanThreshold"), Threshold: pulumi.Float64(float64(p.settings.Budget.Usage.StoredGiB) * gib),
		// A bucket has no size on its first day.
		TreatMissingData: pulumi.String("notBreaching"),
	})
}

// alarm completes and makes an alarm about a part of the platform.
func (p *Platform) alarm(ctx *pulumi.Context, name string, parent pulumi.Resource, part, role string, args *cloudwatch.MetricAlarmArgs) error {
	args.Name = pulumi.String(p.name(naming.IAM, part, role))
	args.AlarmActions, args.OkActions = pulumi.Array{p.made.alerts}, pulumi.Array{p.made.alerts}
	args.Tags = p.tags("alarm")
	if _, err := cloudwatch.NewMetricAlarm(ctx, name+"-alarm-"+role, args, p.child(parent)...); err != nil {
		return fmt.Errorf("creating the %s alarm: %w", role, err)
	}
	return nil
}

// rdsEvents is who sends the events of databases.
const rdsEvents = "events.rds.amazonaws.com"

// publishes lets a service send messages about this account's resources to a topic.
func (p *Platform) publishes(sid, service, topic string) statement {
	return statement{
		Sid: sid, Effect: "Allow", Principal: map[string]any{"Service": service}, Action: []string{"sns:Publish"},
		Resource:  p.arn("sns", topic),
		Condition: p.ours(),
	}
}

// alerts makes the topic that sends alarms to budget.emails; each address confirms
// the subscription once.
func (p *Platform) alerts(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) error {
	a := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(alertsToken, name, a, opts...); err != nil {
		return err
	}
	events := p.usableBy("Events", rdsEvents)
	// As AWS writes it (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.GrantingPermissions.html);
	// the topic lets in this account's events only.
	events.Condition = nil
	key, err := p.key(ctx, a, name, "alerts", p.usableBy("Alarms", "cloudwatch.amazonaws.com"), events)
	if err != nil {
		return err
	}
	physical := p.name(naming.IAM, "alerts")
	topic, err := sns.NewTopic(ctx, name+"-topic", &sns.TopicArgs{
		Name: pulumi.String(physical), KmsMasterKeyId: key.Arn, Tags: p.tags("alerts"),
		Policy: document(p.publishes("Alarms", "cloudwatch.amazonaws.com", physical), p.publishes("Events", rdsEvents, physical)),
	}, p.child(a)...)
	if err != nil {
		return fmt.Errorf("creating the alerts' topic: %w", err)
	}
	for i, email := range p.settings.Budget.Emails {
		if _, err := sns.NewTopicSubscription(ctx, fmt.Sprintf("%s-email-%d", name, i), &sns.TopicSubscriptionArgs{
			Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(email),
		}, p.child(a)...); err != nil {
			return fmt.Errorf("subscribing %s: %w", email, err)
		}
	}
	p.made.alerts = topic.Arn
	return ctx.RegisterResourceOutputs(a, pulumi.Map{"topic": topic.Arn})
}

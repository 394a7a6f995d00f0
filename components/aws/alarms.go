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

// alarm is a CloudWatch alarm on the database.
type alarm struct {
	role, metric, why string
	// above is the threshold, or below if that is set.
	above, below float64
	// minutes it must last.
	minutes int
}

// databaseAlarms tell budget.emails before the database fails.
func (p *Platform) databaseAlarms(ctx *pulumi.Context, name string, d *platform.Database, instance *rds.Instance) error {
	topic, err := p.alerts(ctx, name, d)
	if err != nil {
		return err
	}
	s := p.settings.Database
	const gib = 1 << 30
	for _, a := range []alarm{
		// A fifth of the first size, also after the storage has grown by itself.
		{role: "storage", metric: "FreeStorageSpace", below: float64(s.StorageGiB) * gib / 5, minutes: 15,
			why: "The database has used 80 % of its storage; it grows up to database.maxStorageGiB."},
		{role: "connections", metric: "DatabaseConnections", above: float64(s.MaxConnections) * 0.8, minutes: 5,
			why: "80 % of max_connections are in use; look for clients outside the platform."},
		{role: "cpu", metric: "CPUUtilization", above: 80, minutes: 15, why: "The database's CPU is busy; consider a larger database.instanceType."},
		{role: "memory", metric: "FreeableMemory", below: gib / 4, minutes: 15, why: "The database is short of memory; consider a larger database.instanceType."},
	} {
		if err := p.alarm(ctx, name, d, instance, topic, a); err != nil {
			return err
		}
	}
	return nil
}

func (p *Platform) alarm(ctx *pulumi.Context, name string, d *platform.Database, instance *rds.Instance, topic *sns.Topic, a alarm) error {
	operator, threshold := "GreaterThanThreshold", a.above
	if a.below > 0 {
		operator, threshold = "LessThanThreshold", a.below
	}
	_, err := cloudwatch.NewMetricAlarm(ctx, name+"-alarm-"+a.role, &cloudwatch.MetricAlarmArgs{
		Name: pulumi.String(p.name(naming.IAM, "database", a.role)), AlarmDescription: pulumi.String(a.why),
		Namespace: pulumi.String("AWS/RDS"), MetricName: pulumi.String(a.metric), Statistic: pulumi.String("Average"),
		Dimensions: pulumi.StringMap{"DBInstanceIdentifier": instance.Identifier},
		Period:     pulumi.Int(300), EvaluationPeriods: pulumi.Int(a.minutes / 5),
		ComparisonOperator: pulumi.String(operator), Threshold: pulumi.Float64(threshold),
		// A database that says nothing is not well.
		TreatMissingData: pulumi.String("breaching"),
		AlarmActions:     pulumi.Array{topic.Arn}, OkActions: pulumi.Array{topic.Arn},
		Tags: p.tags("alarm"),
	}, p.child(d)...)
	if err != nil {
		return fmt.Errorf("creating the %s alarm: %w", a.role, err)
	}
	return nil
}

// alerts is the topic that sends alarms to budget.emails; each address confirms
// the subscription once.
func (p *Platform) alerts(ctx *pulumi.Context, name string, parent pulumi.Resource) (*sns.Topic, error) {
	key, err := p.key(ctx, parent, name+"-alerts", "alerts", p.usableBy("Alarms", "cloudwatch.amazonaws.com"))
	if err != nil {
		return nil, err
	}
	physical := p.name(naming.IAM, "alerts")
	topic, err := sns.NewTopic(ctx, name+"-alerts", &sns.TopicArgs{
		Name: pulumi.String(physical), KmsMasterKeyId: key.Arn, Tags: p.tags("alerts"),
		Policy: document(statement{
			Sid: "Alarms", Effect: "Allow", Principal: map[string]any{"Service": "cloudwatch.amazonaws.com"}, Action: []string{"sns:Publish"},
			Resource:  p.arn("sns", physical),
			Condition: p.ours(),
		}),
	}, p.child(parent)...)
	if err != nil {
		return nil, fmt.Errorf("creating the alerts' topic: %w", err)
	}
	for i, email := range p.settings.Budget.Emails {
		if _, err := sns.NewTopicSubscription(ctx, fmt.Sprintf("%s-alerts-%d", name, i), &sns.TopicSubscriptionArgs{
			Topic: topic.Arn, Protocol: pulumi.String("email"), Endpoint: pulumi.String(email),
		}, p.child(parent)...); err != nil {
			return nil, fmt.Errorf("subscribing %s: %w", email, err)
		}
	}
	return topic, nil
}

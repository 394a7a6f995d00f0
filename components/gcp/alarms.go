package gcp

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/monitoring"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/sql"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

const gib = 1 << 30

// newAlerts makes the channels by which alerts and the budget tell people.
func (p *Platform) newAlerts(ctx *pulumi.Context, name string, parent pulumi.Resource) error {
	a := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(alertsToken, name, a, component.Options(parent)...); err != nil {
		return err
	}
	for i, email := range p.settings.Budget.Emails {
		channel, err := monitoring.NewNotificationChannel(ctx, fmt.Sprintf("%s-email-%d", name, i), &monitoring.NotificationChannelArgs{
			Type: pulumi.String("email"), DisplayName: pulumi.String(fmt.Sprintf("%s %d", p.name(), i)), Enabled: pulumi.Bool(true),
			Labels: pulumi.StringMap{"email_address": pulumi.String(email)}, UserLabels: p.labels(),
			// Policies that name it go first, or lose it.
			ForceDelete: pulumi.Bool(false),
		}, p.child(a, pulumi.DependsOn(p.made.enabled))...)
		if err != nil {
			return fmt.Errorf("creating the channel to %s: %w", email, err)
		}
		p.made.people = append(p.made.people, channel.Name)
	}
	return ctx.RegisterResourceOutputs(a, pulumi.Map{})
}

// alert is a threshold on a metric (cloud.google.com/monitoring/api/metrics_gcp).
type alert struct {
	role, why string
	// resource is what is measured, of the kind that has the metric, filter which part of
	// the metric.
	resource       pulumi.StringInput
	metric, filter string
	// aligner makes one value of a period, reducer one of several series, which is none
	// without it.
	aligner, reducer string
	// period is in seconds, duration how long it has to last.
	period, duration string
	// above is what is too much, below what is too little if it is not zero.
	above, below float64
}

func (p *Platform) alert(ctx *pulumi.Context, name, part string, parent pulumi.Resource, a alert) error {
	comparison, threshold := "COMPARISON_GT", a.above
	if a.below != 0 {
		comparison, threshold = "COMPARISON_LT", a.below
	}
	aggregation := &monitoring.AlertPolicyConditionConditionThresholdAggregationArgs{AlignmentPeriod: pulumi.String(a.period), PerSeriesAligner: pulumi.String(a.aligner)}
	if a.reducer != "" {
		aggregation.CrossSeriesReducer = pulumi.String(a.reducer)
	}
	if _, err := monitoring.NewAlertPolicy(ctx, name+"-alert-"+a.role, &monitoring.AlertPolicyArgs{
		DisplayName: pulumi.String(p.name(part, a.role)), Combiner: pulumi.String("OR"), Enabled: pulumi.Bool(true), Severity: pulumi.String("WARNING"),
		Documentation: &monitoring.AlertPolicyDocumentationArgs{Content: pulumi.String(a.why), MimeType: pulumi.String("text/markdown")},
		Conditions: monitoring.AlertPolicyConditionArray{&monitoring.AlertPolicyConditionArgs{
			DisplayName: pulumi.String(a.role),
			ConditionThreshold: &monitoring.AlertPolicyConditionConditionThresholdArgs{
				Filter:     pulumi.Sprintf(`metric.type="%s"%s AND %s`, a.metric, a.filter, a.resource),
				Comparison: pulumi.String(comparison), ThresholdValue: pulumi.Float64(threshold), Duration: pulumi.String(a.duration),
				Aggregations: monitoring.AlertPolicyConditionConditionThresholdAggregationArray{aggregation},
				Trigger:      &monitoring.AlertPolicyConditionConditionThresholdTriggerArgs{Count: pulumi.Int(1)},
			},
		}},
		AlertStrategy:        &monitoring.AlertPolicyAlertStrategyArgs{AutoClose: pulumi.String("604800s")},
		NotificationChannels: p.made.people, UserLabels: p.labels(),
	}, p.child(parent)...); err != nil {
		return fmt.Errorf("creating the %s alert: %w", a.role, err)
	}
	return nil
}

// databaseAlerts tell budget.emails before the database fails.
func (p *Platform) databaseAlerts(ctx *pulumi.Context, name string, d *platform.Database, instance *sql.DatabaseInstance) error {
	const space = "cloudsql.googleapis.com/database/"
	s := p.settings.Database
	for _, a := range []alert{
		// Of the limit to which it grows: Google's own number is of the size that it has.
		{role: "storage", metric: "disk/bytes_used", above: float64(s.MaxStorageGiB) * gib * 0.8, why: "The database has used 80 % of database.maxStorageGiB, up to which its storage grows; raise it."},
		{role: "connections", metric: "postgresql/num_backends", reducer: "REDUCE_SUM", above: float64(s.MaxConnections) * 0.8, why: "80 % of max_connections are in use; look for clients outside the platform."},
		{role: "cpu", metric: "cpu/utilization", above: 0.8, why: "The database's CPU is busy; consider a larger database.instanceType."},
		// What the cache takes is not short of anything.
		{role: "memory", metric: "memory/components", filter: ` AND metric.labels.component=monitoring.regex.full_match("(?i)usage")`, above: 90, why: "The database is short of memory; consider a larger database.instanceType."},
		{role: "up", metric: "up", below: 1, aligner: "ALIGN_MAX", why: "The database does not answer."},
	} {
		a.metric, a.period, a.duration = space+a.metric, "300s", "600s"
		if a.aligner == "" {
			a.aligner = "ALIGN_MEAN"
		}
		a.resource = pulumi.Sprintf(`resource.type="cloudsql_database" AND resource.labels.database_id="%s:%s"`, p.settings.Account, instance.Name)
		if err := p.alert(ctx, name, "database", d, a); err != nil {
			return err
		}
	}
	return nil
}

// bucketAlert tells budget.emails that the buckets are larger than assumed: bills grow
// with them, and nothing else says so until the budget does.
func (p *Platform) bucketAlert(ctx *pulumi.Context, name string, b *platform.Bucket) error {
	return p.alert(ctx, name, "bucket", b, alert{
		role: "growth", metric: "storage.googleapis.com/storage/v2/total_bytes", aligner: "ALIGN_MEAN", reducer: "REDUCE_SUM", period: "86400s", duration: "0s",
		above: float64(p.settings.Budget.Usage.StoredGiB) * gib,
		resource: pulumi.Sprintf(`resource.type="gcs_bucket" AND resource.labels.bucket_name=one_of("%s","%s")`,
			p.made.buckets[platform.ArtifactPrefix], p.made.buckets[platform.BackupPrefix]),
		why: "The buckets hold more than budget.usage.storedGiB; read a report of mlflow.retention, or raise it.",
	})
}

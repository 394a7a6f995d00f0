package azure

import (
	"cmp"
	"fmt"

	"github.com/pulumi/pulumi-azure-native-sdk/dbforpostgresql/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/monitor/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/storage/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

const gib = 1 << 30

// newAlerts makes the group of people that alerts and the budget tell.
func (p *Platform) newAlerts(ctx *pulumi.Context, name string, parent pulumi.Resource) error {
	a := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(alertsToken, name, a, component.Options(parent)...); err != nil {
		return err
	}
	var people monitor.EmailReceiverArray
	for i, email := range p.settings.Budget.Emails {
		people = append(people, &monitor.EmailReceiverArgs{
			Name: pulumi.String(fmt.Sprintf("email-%d", i)), EmailAddress: pulumi.String(email), UseCommonAlertSchema: pulumi.Bool(true),
		})
	}
	group, err := monitor.NewActionGroup(ctx, name+"-group", &monitor.ActionGroupArgs{
		ResourceGroupName: p.made.group, ActionGroupName: p.name("alerts"),
		// At most twelve characters, shown in every mail.
		GroupShortName: pulumi.String("mlflow"), Location: pulumi.String("Global"), Enabled: pulumi.Bool(true), EmailReceivers: people, Tags: p.tags(),
	}, p.child(a)...)
	if err != nil {
		return fmt.Errorf("creating the group of the alerts: %w", err)
	}
	p.made.alerts = group.ID().ToStringOutput()
	return ctx.RegisterResourceOutputs(a, pulumi.Map{})
}

// alert is a threshold on a metric
// (learn.microsoft.com/azure/azure-monitor/reference/metrics-index).
type alert struct {
	role, why, namespace, metric, aggregation string
	// above is what is too much, below what is too little if it is not zero.
	above, below float64
	// window is over what it is computed and frequency how often, ISO 8601.
	window, frequency string
}

func (p *Platform) alert(ctx *pulumi.Context, name, part string, parent pulumi.Resource, resource pulumi.StringInput, a alert) error {
	operator, threshold := "GreaterThan", a.above
	if a.below != 0 {
		operator, threshold = "LessThan", a.below
	}
	if _, err := monitor.NewMetricAlert(ctx, name+"-alert-"+a.role, &monitor.MetricAlertArgs{
		ResourceGroupName: p.made.group, RuleName: p.name(part, a.role), Location: pulumi.String("global"), Description: pulumi.String(a.why),
		Enabled: pulumi.Bool(true), Severity: pulumi.Int(2), AutoMitigate: pulumi.Bool(true), Scopes: pulumi.StringArray{resource},
		WindowSize: pulumi.String(a.window), EvaluationFrequency: pulumi.String(a.frequency),
		Criteria: &monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs{
			OdataType: pulumi.String("Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"),
			AllOf: monitor.MetricCriteriaArray{&monitor.MetricCriteriaArgs{
				Name: pulumi.String(a.role), CriterionType: pulumi.String("StaticThresholdCriterion"), MetricNamespace: pulumi.String(a.namespace), MetricName: pulumi.String(a.metric),
				Operator: pulumi.String(operator), Threshold: pulumi.Float64(threshold), TimeAggregation: pulumi.String(a.aggregation),
			}},
		},
		Actions: monitor.MetricAlertActionArray{&monitor.MetricAlertActionArgs{ActionGroupId: p.made.alerts}}, Tags: p.tags(),
	}, p.child(parent)...); err != nil {
		return fmt.Errorf("creating the %s alert: %w", a.role, err)
	}
	return nil
}

// databaseAlerts tell budget.emails before the database fails.
func (p *Platform) databaseAlerts(ctx *pulumi.Context, name string, d *platform.Database, server *dbforpostgresql.Server) error {
	const space = "Microsoft.DBforPostgreSQL/flexibleServers"
	for _, a := range []alert{
		{role: "storage", metric: "storage_percent", above: 80, why: "The database has used 80 % of its storage; it grows by itself, up to Azure's limit."},
		{role: "connections", metric: "active_connections", above: float64(p.settings.Database.MaxConnections) * 0.8, why: "80 % of max_connections are in use; look for clients outside the platform."},
		{role: "cpu", metric: "cpu_percent", above: 80, why: "The database's CPU is busy; consider a larger database.instanceType."},
		{role: "alive", metric: "is_db_alive", below: 1, aggregation: "Maximum", why: "The database does not answer."},
		{role: "memory", metric: "memory_percent", above: 90, why: "The database is short of memory; consider a larger database.instanceType."},
	} {
		a.namespace, a.aggregation, a.window, a.frequency = space, cmp.Or(a.aggregation, "Average"), "PT15M", "PT5M"
		if err := p.alert(ctx, name, "database", d, server.ID().ToStringOutput(), a); err != nil {
			return err
		}
	}
	return nil
}

// bucketAlert tells budget.emails that the bucket is larger than assumed: bills grow
// with it, and nothing else says so until the budget does.
func (p *Platform) bucketAlert(ctx *pulumi.Context, name string, b *platform.Bucket, account *storage.StorageAccount) error {
	return p.alert(ctx, name, "bucket", b, account.ID().ToStringOutput(), alert{
		role: "growth", namespace: "Microsoft.Storage/storageAccounts", metric: "UsedCapacity", aggregation: "Average",
		above: float64(p.settings.Budget.Usage.StoredGiB) * gib, window: "PT6H", frequency: "PT1H",
		why: "The bucket holds more than budget.usage.storedGiB; read a report of mlflow.retention, or raise it.",
	})
}

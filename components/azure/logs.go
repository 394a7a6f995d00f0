package azure

import (
	"fmt"

	"github.com/pulumi/pulumi-azure-native-sdk/containerservice/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/monitor/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/operationalinsights/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// logDays is how long logs are kept.
const logDays = 90

// newLogs makes the place of all logs, and keeps who used the keys and the secrets.
func (p *Platform) newLogs(ctx *pulumi.Context, name string, n *platform.Network) error {
	workspace, err := operationalinsights.NewWorkspace(ctx, name+"-logs", &operationalinsights.WorkspaceArgs{
		ResourceGroupName: p.made.group, WorkspaceName: p.name(), RetentionInDays: pulumi.Int(logDays),
		Sku: &operationalinsights.WorkspaceSkuArgs{Name: pulumi.String("PerGB2018")},
		// A runaway log ends at ten times the assumed volume and not on the bill.
		WorkspaceCapping: &operationalinsights.WorkspaceCappingArgs{DailyQuotaGb: pulumi.Float64(max(1, float64(p.settings.Budget.Usage.LoggedGiB)/3))},
		Tags:             p.tags(),
	}, p.child(n)...)
	if err != nil {
		return fmt.Errorf("creating the workspace of the logs: %w", err)
	}
	p.made.workspace = workspace.ID().ToStringOutput()
	_, err = p.diagnostics(ctx, name+"-keys-audit", n, p.made.keys.vaultID, "AuditEvent")
	return err
}

// clusterLogs keeps the audit log: kube-audit-admin leaves out what only reads,
// which is nine tenths of it and of its bill
// (learn.microsoft.com/azure/aks/monitor-aks-reference).
func (p *Platform) clusterLogs(ctx *pulumi.Context, name string, c *platform.Cluster, cluster *containerservice.ManagedCluster) error {
	_, err := p.diagnostics(ctx, name+"-audit", c, cluster.ID().ToStringOutput(), "kube-audit-admin", "guard")
	return err
}

// diagnostics sends categories of a resource's logs to the workspace.
func (p *Platform) diagnostics(ctx *pulumi.Context, name string, parent pulumi.Resource, resource pulumi.StringInput, categories ...string) (pulumi.Resource, error) {
	var logs monitor.LogSettingsArray
	for _, category := range categories {
		logs = append(logs, &monitor.LogSettingsArgs{Category: pulumi.String(category), Enabled: pulumi.Bool(true)})
	}
	kept, err := monitor.NewDiagnosticSetting(ctx, name, &monitor.DiagnosticSettingArgs{
		Name: p.name("logs"), ResourceUri: resource, WorkspaceId: p.made.workspace, Logs: logs,
		LogAnalyticsDestinationType: pulumi.String("Dedicated"),
	}, p.child(parent,
		// Azure does not show it for every service (github.com/Azure/azure-rest-api-specs/issues/22400).
		pulumi.IgnoreChanges([]string{"logAnalyticsDestinationType"}))...)
	if err != nil {
		return nil, fmt.Errorf("keeping the logs of %s: %w", name, err)
	}
	return kept, nil
}

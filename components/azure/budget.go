package azure

import (
	"fmt"
	"math"
	"time"

	"github.com/pulumi/pulumi-azure-native-sdk/consumption/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Budget tells budget.emails when the month's cost of the resource group passes a
// threshold. The nodes are in a group of their own, which AKS makes: the budget
// watches the subscription, filtered by both groups.
func (p *Platform) Budget(ctx *pulumi.Context, name string, _ platform.BudgetArgs, opts ...pulumi.ResourceOption) (*platform.Budget, error) {
	b := &platform.Budget{}
	if err := ctx.RegisterComponentResource(budgetToken, name, b, opts...); err != nil {
		return nil, err
	}
	s := p.settings.Budget
	notification := func(kind string, percent float64) *consumption.NotificationArgs {
		return &consumption.NotificationArgs{
			Enabled: pulumi.Bool(true), Operator: pulumi.String("GreaterThan"), Threshold: pulumi.Float64(percent), ThresholdType: pulumi.String(kind),
			// The group has budget.emails; here they would get every mail twice.
			ContactEmails: pulumi.StringArray{}, ContactGroups: pulumi.StringArray{p.made.alerts},
		}
	}
	today := Now().UTC()
	_, err := consumption.NewBudget(ctx, name+"-monthly", &consumption.BudgetArgs{
		Scope: pulumi.String("/subscriptions/" + p.settings.Account), BudgetName: p.name(p.settings.Region),
		Category: pulumi.String("Cost"), TimeGrain: pulumi.String("Monthly"), Amount: pulumi.Float64(math.Round(float64(s.MonthlyUSD) * s.CurrencyPerUSD)),
		Filter: &consumption.BudgetFilterArgs{Dimensions: &consumption.BudgetComparisonExpressionArgs{
			Name: pulumi.String("ResourceGroupName"), Operator: pulumi.String("In"), Values: pulumi.StringArray{p.name(), p.name("nodes")},
		}},
		// Azure takes the first of the month in which it is made, and never another one
		// (learn.microsoft.com/rest/api/consumption/budgets/create-or-update).
		TimePeriod: &consumption.BudgetTimePeriodArgs{StartDate: pulumi.String(time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339))},
		Notifications: consumption.NotificationMap{
			"actual50": notification("Actual", 50), "actual80": notification("Actual", 80),
			"actual100": notification("Actual", 100), "forecast100": notification("Forecasted", 100),
		},
	}, p.child(b, pulumi.IgnoreChanges([]string{"timePeriod"}))...)
	if err != nil {
		return nil, fmt.Errorf("creating the budget: %w", err)
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{})
}

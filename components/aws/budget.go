package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/budgets"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Budget tells budget.emails when the month's cost passes a threshold. It
// watches the whole account: a filter by tag shows nothing until somebody
// activates the tag for cost allocation, in the paying account, and a budget
// that sees no cost never alerts.
func (p *Platform) Budget(ctx *pulumi.Context, name string, _ platform.BudgetArgs, opts ...pulumi.ResourceOption) (*platform.Budget, error) {
	b := &platform.Budget{}
	if err := ctx.RegisterComponentResource(budgetToken, name, b, opts...); err != nil {
		return nil, err
	}
	s := p.settings.Budget
	notification := func(kind string, percent float64) *budgets.BudgetNotificationArgs {
		return &budgets.BudgetNotificationArgs{
			ComparisonOperator: pulumi.String("GREATER_THAN"), NotificationType: pulumi.String(kind),
			Threshold: pulumi.Float64(percent), ThresholdType: pulumi.String("PERCENTAGE"),
			SubscriberEmailAddresses: pulumi.ToStringArray(s.Emails),
		}
	}
	_, err := budgets.NewBudget(ctx, name+"-monthly", &budgets.BudgetArgs{
		Name: pulumi.String(p.name(naming.IAM, p.settings.Region)), AccountId: pulumi.String(p.settings.Account),
		BudgetType: pulumi.String("COST"), TimeUnit: pulumi.String("MONTHLY"),
		LimitAmount: pulumi.String(fmt.Sprint(s.MonthlyUSD)), LimitUnit: pulumi.String("USD"),
		CostTypes: &budgets.BudgetCostTypesArgs{
			// Credits would hide what the platform costs until they run out.
			IncludeCredit: pulumi.Bool(false), IncludeRefund: pulumi.Bool(false),
		},
		Notifications: budgets.BudgetNotificationArray{
			notification("ACTUAL", 50), notification("ACTUAL", 80), notification("ACTUAL", 100), notification("FORECASTED", 100),
		},
		Tags: p.tags("budget"),
	}, p.child(b)...)
	if err != nil {
		return nil, fmt.Errorf("creating the budget: %w", err)
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{})
}

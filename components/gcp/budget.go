package gcp

import (
	"fmt"
	"math"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/billing"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/pubsub"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Budget tells budget.emails, and a topic that programs listen to, when the month's
// cost of the project passes a threshold. Labels do not say what is the stack's: a
// cluster's fee, NAT and traffic have none.
func (p *Platform) Budget(ctx *pulumi.Context, name string, _ platform.BudgetArgs, opts ...pulumi.ResourceOption) (*platform.Budget, error) {
	b := &platform.Budget{}
	if err := ctx.RegisterComponentResource(budgetToken, name, b, opts...); err != nil {
		return nil, err
	}
	// The API of budgets is not the project's, and asks whose quota a call of a person
	// counts for (cloud.google.com/docs/quotas/set-quota-project).
	provider, err := gcp.NewProvider(ctx, name+"-provider", &gcp.ProviderArgs{
		Project: pulumi.String(p.settings.Account), Region: pulumi.String(p.settings.Region), AddTerraformAttributionLabel: pulumi.Bool(false),
		UserProjectOverride: pulumi.Bool(true), BillingProject: pulumi.String(p.settings.Account),
	}, component.Options(b)...)
	if err != nil {
		return nil, fmt.Errorf("creating the provider of the budget: %w", err)
	}
	topic, err := pubsub.NewTopic(ctx, name+"-topic", &pubsub.TopicArgs{
		Name: pulumi.String(p.name("budget")), Labels: p.labels(),
		MessageStoragePolicy: &pubsub.TopicMessageStoragePolicyArgs{AllowedPersistenceRegions: pulumi.ToStringArray([]string{p.settings.Region})},
	}, p.child(b, pulumi.DependsOn(p.made.enabled))...)
	if err != nil {
		return nil, fmt.Errorf("creating the budget's topic: %w", err)
	}
	s := p.settings.Budget
	threshold := func(percent float64, basis string) *billing.BudgetThresholdRuleArgs {
		return &billing.BudgetThresholdRuleArgs{ThresholdPercent: pulumi.Float64(percent), SpendBasis: pulumi.String(basis)}
	}
	if _, err := billing.NewBudget(ctx, name+"-monthly", &billing.BudgetArgs{
		BillingAccount: pulumi.String(p.billing), DisplayName: pulumi.String(p.name()),
		// The number: Google answers with it, and the id would be another value with every
		// refresh.
		BudgetFilter: &billing.BudgetBudgetFilterArgs{
			Projects: pulumi.ToStringArray([]string{"projects/" + p.project}), CalendarPeriod: pulumi.String("MONTH"), CreditTypesTreatment: pulumi.String("INCLUDE_ALL_CREDITS"),
		},
		// Without a currency it is the billing account's, and with another one Google refuses it.
		Amount: &billing.BudgetAmountArgs{SpecifiedAmount: &billing.BudgetAmountSpecifiedAmountArgs{
			Units: pulumi.String(fmt.Sprintf("%.0f", math.Round(float64(s.MonthlyUSD)*s.CurrencyPerUSD))),
		}},
		ThresholdRules: billing.BudgetThresholdRuleArray{
			threshold(0.5, "CURRENT_SPEND"), threshold(0.8, "CURRENT_SPEND"), threshold(1, "CURRENT_SPEND"), threshold(1, "FORECASTED_SPEND"),
		},
		AllUpdatesRule: &billing.BudgetAllUpdatesRuleArgs{
			MonitoringNotificationChannels: p.made.people, PubsubTopic: topic.ID(), SchemaVersion: pulumi.String("1.0"), DisableDefaultIamRecipients: pulumi.Bool(false),
		},
	}, component.Options(b, pulumi.Provider(provider), p.patient, pulumi.DependsOn(p.made.enabled))...); err != nil {
		return nil, fmt.Errorf("creating the budget: %w", err)
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{})
}

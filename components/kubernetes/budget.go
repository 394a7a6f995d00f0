package kubernetes

import (
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// Budget is an error: no bill exists to watch. Settings refuse budget.enabled
// on this platform, so a stack never gets here.
func (p *Platform) Budget(*pulumi.Context, string, platform.BudgetArgs, ...pulumi.ResourceOption) (*platform.Budget, error) {
	return nil, errors.New("platform kubernetes has no cloud bill; set budget.enabled to false")
}

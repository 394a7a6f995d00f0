package stacks

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// Platforms make the platform of validated settings; they may register its
// providers.
type Platforms map[settings.Platform]func(*pulumi.Context, *settings.Settings) (platform.Platform, error)

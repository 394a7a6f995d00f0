package stacks

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// Platforms make the platform of validated settings; they may register its
// providers.
type Platforms map[settings.Platform]func(*pulumi.Context, *settings.Settings) (platform.Platform, error)

// Unfinished refuses a platform whose settings are known and which this release
// does not run on yet, before anything is registered.
func Unfinished(_ *pulumi.Context, s *settings.Settings) (platform.Platform, error) {
	return nil, fmt.Errorf("platform is %q; want kubernetes or aws, which this release runs on: docs/verification.md says how far %s is", s.Platform, s.Platform)
}

package stacks

import (
	"fmt"

	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// newPlatform is the only place that knows all platforms.
func newPlatform(s *settings.Settings) (platform.Platform, error) {
	switch s.Platform {
	case settings.Kubernetes:
		return kubernetes.New(s), nil
	case settings.AWS, settings.Azure, settings.GCP:
	}
	return nil, fmt.Errorf("platform is %q; want kubernetes", s.Platform)
}

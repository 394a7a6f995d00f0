package cluster

import (
	"context"
	"path/filepath"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/box"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/kubeapi"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// Running returns the names of the clusters of our own that run.
func Running() ([]string, error) {
	cache, err := toolchain.CacheDir()
	if err != nil {
		return nil, err
	}
	states, err := filepath.Glob(filepath.Join(cache, "cluster", "*"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, dir := range states {
		running, err := locked(layout.State(dir).SupervisorLock())
		if err != nil {
			return nil, err
		}
		if running {
			names = append(names, filepath.Base(dir))
		}
	}
	return names, nil
}

// Status returns how the cluster is. A cluster that does not answer is no
// error: that is in the Status.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	if c.Existing() {
		return c.existingStatus(ctx)
	}
	running, err := locked(c.state.SupervisorLock())
	if err != nil || !running {
		return Status{Reason: "it is not running"}, err
	}
	report, err := box.ReadStatus(c.state)
	if err != nil {
		return Status{}, err
	}
	settings, err := readSettings(c.state)
	if err != nil {
		return Status{}, err
	}
	s := Status{Running: true, Reason: report.Error, Since: report.Since, Publish: settings.Publish}
	for _, component := range report.Components {
		s.Components = append(s.Components, ComponentStatus{component.Name, component.Exited})
	}
	client, err := kubeapi.NewClient(ctx, c.state.Kubeconfig(), "")
	if err != nil {
		return s, err
	}
	s.Server = client.Server()
	if s.Reason == "" {
		if err := ready(ctx, client, report.Since); err != nil {
			s.Reason = err.Error()
		}
	}
	s.Ready = s.Reason == ""
	return s, nil
}

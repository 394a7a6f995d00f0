package cluster

import (
	"fmt"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/preflight"
)

// Preflight finds out whether this machine can run the cluster and reports all
// problems at once, each with its remedy. For an existing cluster, or one that
// runs already, there is nothing to find out.
func (c *Cluster) Preflight() error {
	if c.Existing() {
		return nil
	}
	running, err := locked(c.state.SupervisorLock())
	if err != nil || running {
		return err
	}
	previous, err := readSettings(c.state)
	if err != nil {
		return err
	}
	return preflightHost(resolve(c.options, previous), c.state)
}

func preflightHost(s settings, state layout.State) error {
	want := preflight.Want{StateDir: string(state), Ports: map[int]string{}}
	if s.APIPort != 0 {
		want.Ports[s.APIPort] = "the API"
	}
	for _, p := range s.Publish {
		if p.HostPort != 0 {
			want.Ports[p.HostPort] = fmt.Sprintf("port %d of the LoadBalancer Service", p.ServicePort)
		}
	}
	if problems := preflight.Check(preflight.ThisHost(), want); len(problems) > 0 {
		return problems
	}
	return nil
}

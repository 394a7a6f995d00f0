//go:build e2e

package e2e

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlatform runs the steps in their order, on one stack. A step that fails
// ends the run: the ones after it build on it.
func TestPlatform(t *testing.T) {
	p := newPlatform(t)
	if os.Getenv("E2E_KEEP") == "" {
		// A run that was killed leaves a cluster and a state behind.
		r := p.platform(t, "down")
		require.NoError(t, r.err, r.all())
	}
	t.Cleanup(func() {
		if t.Failed() {
			p.collect(t)
		}
		if os.Getenv("E2E_KEEP") == "" {
			p.platform(t, "down")
		}
	})
	for _, step := range []struct {
		name string
		run  func(*testing.T, *platform)
	}{
		{"up", up},
		{"second up changes nothing", noChanges},
		{"doctor", doctor},
		{"demo", demo},
		{"browser", browser},
		{"anonymous", anonymous},
		{"wrong password", wrongPassword},
		{"upload limit", uploadLimit},
		{"access log", accessLog},
		{"pod loss", podLoss},
		{"rollout", rollout},
		{"gateway rollout", gatewayRollout},
		{"database encryption", databaseEncryption},
		{"database restart", databaseRestart},
		{"network policies", networkPolicies},
		{"migration", migration},
		{"retention", retention},
		{"backup and restore", backupAndRestore},
		{"role of a managed database", managedRole},
		{"invalid configuration", invalidConfiguration},
		{"no secret in clear", noSecretInClear},
		{"protection", protection},
		{"destroy", destroy},
		{"existing cluster", existingCluster},
		{"down", down},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, p) }) {
			require.FailNow(t, "a step failed", "step %q; logs are in %s", step.name, p.artifacts)
		}
	}
}

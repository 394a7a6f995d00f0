package azure_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/mlflow-platform/mlflow-platform/components/azure"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// fixed are the inputs that only another resource can have otherwise.
var fixed = immutable()

func newLive(t *testing.T, file string) *provider.Live {
	t.Helper()
	return provider.NewLive(t, run(t, file), newProgram, fixed, "azure-native")
}

func TestEngine(t *testing.T) {
	l := newLive(t, prod)
	l.CheckCreation(t)
	// A month later the budget stays as it is.
	november := azure.Now
	azure.Now = func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) }
	l.CheckSettled(t)
	azure.Now = november

	l.CheckChange(t, "mlflow.tmpGiB", 30, "update mlflow-server")
	l.CheckChange(t, "artifacts.noncurrentDays", 60, "update bucket-versions")
	l.CheckChange(t, "budget.monthlyUSD", 2500, "update budget-monthly")
	l.CheckChange(t, "database.instanceType", "Standard_E2ds_v5", "update database-server")
	l.CheckChange(t, "database.maxConnections", 500, "update database-max-connections", "update database-alert-connections")

	l.CheckRefusal(t, "cluster.serviceCIDR", "172.24.0.0/16")
	// The locks go first.
	assert.Subset(t, l.CheckDestruction(t, "database-server"), []string{"delete database-lock", "delete bucket-lock"})
}

// TestEveryExampleSettles: what is made once has nothing left to do.
func TestEveryExampleSettles(t *testing.T) {
	for _, file := range []string{dev, inCluster, existingNetwork} {
		newLive(t, file).CheckCreation(t)
	}
}

func TestThePasswordRotates(t *testing.T) {
	newLive(t, prod).CheckRotation(t, "database-server", "update secrets-database-admin", "update secrets-database")
}

// lasting are the types that an update of the program neither replaces nor deletes.
func lasting() []string {
	all := []string{"kubernetes:core/v1:Namespace"}
	for _, typ := range append([]string{"containerservice:ManagedCluster", "network:VirtualNetwork", "network:Subnet"}, stateful...) {
		all = append(all, azureNative+typ)
	}
	return all
}

// TestTheStateOfAReleaseIsUpdated: nobody who updates the program loses anything.
func TestTheStateOfAReleaseIsUpdated(t *testing.T) {
	provider.CheckReleases(t, func(t *testing.T) *provider.Live { return newLive(t, prod) }, lasting(),
		map[string]func(*testing.T, provider.Recorded) provider.Recorded{
			"azure-native:dbforpostgresql:Server database-old": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Rename(t, "database-server", "database-old")
			},
			// Its login cannot change.
			"azure-native:dbforpostgresql:Server database-server": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Input(t, "database-server", "administratorLogin", "somebody")
			},
		})
}

func TestTheRootProgramRunsIt(t *testing.T) {
	provider.CheckRootProgram(t, provider.RootProgram{
		Run: run(t, dev), File: dev, Package: "azure-native", Shows: "azure-native:containerservice:ManagedCluster",
		Mistake: [2]string{subscription, "mine"}, Says: `account is "mine"; want the id of the Azure subscription`,
	})
}

package gcp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// fixed are the inputs that only another resource can have otherwise, as the
// provider's schema says (ForceNew; TestTheProviderReplacesWhatTheFakeDoes).
var fixed = map[string][]string{
	network: {"name", "autoCreateSubnetworks"}, subnet: {"name", "network", "region"},
	"gcp:compute/globalAddress:GlobalAddress": {"name", "network", "address", "prefixLength", "purpose"},
	cluster:  {"name", "location", "network", "subnetwork", "datapathProvider", "ipAllocationPolicy", "privateClusterConfig.masterIpv4CidrBlock", "enableL4IlbSubsetting", "defaultMaxPodsPerNode", "initialNodeCount", "nodeConfig"},
	pool:     {"name", "cluster", "location", "initialNodeCount", "maxPodsPerNode", "nodeConfig.serviceAccount", "nodeConfig.bootDiskKmsKey", "nodeConfig.shieldedInstanceConfig"},
	instance: {"name", "region", "databaseVersion", "encryptionKeyName"},
	bucket:   {"name", "location"},
	key:      {"name", "keyRing", "purpose", "destroyScheduledDuration"}, "gcp:kms/keyRing:KeyRing": {"name", "location"},
	"gcp:secretmanager/secret:Secret": {"secretId"}, "gcp:secretmanager/secretVersion:SecretVersion": {"secret", "secretData"},
	"gcp:sql/user:User": {"name", "instance"}, "gcp:sql/database:Database": {"name", "instance"},
	"gcp:storage/bucketIAMMember:BucketIAMMember": {"bucket", "member", "role"}, "gcp:projects/iAMMember:IAMMember": {"project", "member", "role"},
	"gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": {"cryptoKeyId", "member", "role"},
}

func newLive(t *testing.T, file string) *provider.Live {
	t.Helper()
	return provider.NewLive(t, run(t, file), newProgram, fixed, "gcp")
}

func TestEngine(t *testing.T) {
	l := newLive(t, prod)
	l.CheckCreation(t)
	l.CheckChange(t, "mlflow.tmpGiB", 30, "update mlflow-server")
	l.CheckChange(t, "artifacts.noncurrentDays", 60, "update bucket-artifacts-bucket", "update bucket-backups-bucket")
	l.CheckChange(t, "budget.monthlyUSD", 2500, "update budget-monthly")
	l.CheckChange(t, "database.instanceType", "db-custom-8-32768", "update database-instance")
	l.CheckChange(t, "database.maxConnections", 500, "update database-instance", "update database-alert-connections")
	l.CheckChange(t, "database.iamAuthentication", true, "update database-instance")
	l.CheckChange(t, "cluster.imageStreaming", true, "create services-artifactregistry", "create services-containerfilesystem", "create cluster-nodes-images", "update cluster-nodes-pool")
	l.CheckChange(t, "cluster.version", "1.36", "update cluster-gke")

	l.CheckRefusal(t, "network.cidr", "10.44.0.0/16")
	// Google's own protection goes before.
	assert.Subset(t, l.CheckDestruction(t, "database-instance"), []string{"update database-instance", "update cluster-gke"})
}

// TestEveryExampleSettles: what is made once has nothing left to do.
func TestEveryExampleSettles(t *testing.T) {
	for _, file := range []string{dev, inCluster, existingNetwork} {
		newLive(t, file).CheckCreation(t)
	}
}

func TestThePasswordRotates(t *testing.T) {
	// A version of a secret never changes.
	newLive(t, prod).CheckRotation(t, "database-admin", "create secrets-database-admin-version", "delete secrets-database-admin-version",
		"create secrets-database-version", "delete secrets-database-version")
}

// TestTheStateOfAReleaseIsUpdated: nobody who updates the program loses anything.
func TestTheStateOfAReleaseIsUpdated(t *testing.T) {
	provider.CheckReleases(t, func(t *testing.T) *provider.Live { return newLive(t, prod) },
		append([]string{"kubernetes:core/v1:Namespace", cluster, network, subnet}, stateful...),
		map[string]func(*testing.T, provider.Recorded) provider.Recorded{
			instance + " database-old": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Rename(t, "database-instance", "database-old")
			},
			// Its region cannot change.
			instance + " database-instance": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Input(t, "database-instance", "region", "us-east1")
			},
		})
}

func TestTheRootProgramRunsIt(t *testing.T) {
	provider.CheckRootProgram(t, provider.RootProgram{
		Run: run(t, dev), File: dev, Package: "gcp", Shows: "gcp:container:Cluster",
		Mistake: [2]string{"ml-platform-dev", "Mine"}, Says: `account is "Mine"; want the id of the project`,
	})
}

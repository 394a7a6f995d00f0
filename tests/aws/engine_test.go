package aws_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// fixed are inputs that make AWS' provider replace a resource (the "Forces new
// resource" of registry.terraform.io/providers/hashicorp/aws/5.82.2/docs).
var fixed = map[string][]string{
	"aws:rds/instance:Instance":             {"dbName", "username", "kmsKeyId", "storageEncrypted", "engine"},
	"aws:s3/bucketV2:BucketV2":              {"bucket"},
	"aws:eks/cluster:Cluster":               {"name", "roleArn", "encryptionConfig"},
	"aws:eks/nodeGroup:NodeGroup":           {"clusterName", "amiType", "capacityType", "instanceTypes", "nodeRoleArn", "subnetIds"},
	"aws:ec2/vpc:Vpc":                       {"cidrBlock"},
	"aws:ec2/subnet:Subnet":                 {"cidrBlock", "availabilityZone", "vpcId"},
	"aws:rds/parameterGroup:ParameterGroup": {"name", "family", "description"},
	"aws:eks/accessEntry:AccessEntry":       {"clusterName", "principalArn", "type"},
}

// newLive makes a stack with fakes of all providers; aws is that cloud's, or
// aws:PORT for one that runs already.
func newLive(t *testing.T, file, aws string) *provider.Live {
	t.Helper()
	return provider.NewLive(t, run(t, file), newProgram, fixed, aws)
}

func TestEngine(t *testing.T) {
	l := newLive(t, "Pulumi.prod.yaml", "aws")
	l.CheckCreation(t)
	l.CheckChange(t, "mlflow.tmpGiB", 30, "update mlflow-server")
	l.CheckChange(t, "artifacts.noncurrentDays", 60, "update bucket-data-lifecycle", "update bucket-logs-lifecycle")
	l.CheckChange(t, "budget.monthlyUSD", 2000, "update budget-monthly")
	l.CheckChange(t, "database.instanceType", "db.m7g.xlarge", "update database-instance")
	l.CheckChange(t, "database.maxConnections", 300, "update database-parameters", "update database-alarm-connections")
	l.CheckRefusal(t, "network.cidr", "10.30.0.0/16")
	l.CheckDestruction(t, "database-instance")
}

func TestThePasswordRotates(t *testing.T) {
	newLive(t, "Pulumi.prod.yaml", "aws").CheckRotation(t, "database-instance", "update secrets-database-admin-value", "update secrets-database-value")
}

// kept are the types that an update of the program neither replaces nor deletes.
var kept = slices.Concat(slices.Sorted(maps.Keys(stateful)), []string{
	"aws:eks/cluster:Cluster", "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "kubernetes:core/v1:Namespace",
})

// TestTheStateOfAReleaseIsUpdated: nobody who updates the program loses anything.
func TestTheStateOfAReleaseIsUpdated(t *testing.T) {
	provider.CheckReleases(t, func(t *testing.T) *provider.Live { return newLive(t, "Pulumi.prod.yaml", "aws") }, kept,
		map[string]func(*testing.T, provider.Recorded) provider.Recorded{
			"aws:rds/instance:Instance database-old": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Rename(t, "database-instance", "database-old")
			},
			// Its login cannot change.
			"aws:rds/instance:Instance database-instance": func(t *testing.T, r provider.Recorded) provider.Recorded {
				return r.Input(t, "database-instance", "username", "somebody")
			},
		})
}

func TestTheRootProgramRunsIt(t *testing.T) {
	provider.CheckRootProgram(t, provider.RootProgram{
		Run: run(t, "Pulumi.dev.yaml"), File: "Pulumi.dev.yaml", Package: "aws", Shows: "aws:eks:Cluster",
		Mistake: [2]string{`"111122223333"`, `"my account"`}, Says: `account is "my account"; want the 12 digits of the AWS account`,
	})
}

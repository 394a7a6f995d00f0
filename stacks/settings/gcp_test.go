package settings_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

const gcpAccess = `"admins": ["group:platform@example.com"], "apiAccessCIDRs": ["198.51.100.0/24"]`

// onGCPCloud is the least that a production stack on Google Cloud needs.
func onGCPCloud() config {
	return config{
		"platform": "gcp", "profile": "production", "region": "europe-west3", "account": "ml-platform-prod",
		"tags": `{"owner": "o", "cost-centre": "1"}`, "cluster": `{` + gcpAccess + `}`,
		"exposure": `{"host": "a.b"}`, "budget": `{"monthlyUSD": 1500, "emails": ["a@example.com"]}`,
	}
}

func gcpCluster(more string) config { return config{"cluster": "{" + gcpAccess + ", " + more + "}"} }

func TestTheDefaultsOfGCPFit(t *testing.T) {
	for _, profile := range []string{"dev", "production"} {
		s, err := load(onGCPCloud().with(config{"profile": profile}))
		require.NoError(t, err)
		assert.Equal(t, []any{"managed", "managed", true}, []any{s.Database.Mode, s.Cluster.Mode, s.Budget.Enabled})
		assert.GreaterOrEqual(t, s.Database.MaxConnections, s.Connections().Total())
	}
	s, err := load(onGCPCloud().with(config{"profile": "dev", "region": "us-central1", "exposure": `{"mode": "none"}`, "budget": `{"emails": ["a@example.com"]}`}))
	require.NoError(t, err)
	assert.Equal(t, 500, s.Budget.MonthlyUSD, "dev fits the default budget in the United States")
	assert.Equal(t, "n2-standard-4", settings.Defaults(settings.GCP, settings.Production).Cluster.Nodes.Type)
	for _, size := range []string{"db-custom-2-3840", "db-custom-96-638976", "db-custom-4-26624"} {
		_, err := load(onGCPCloud().with(config{"database": `{"instanceType": "` + size + `"}`, "budget": `{"monthlyUSD": 90000, "emails": ["a@example.com"]}`}))
		require.NoError(t, err, size)
	}
	for _, who := range []string{
		"user:ana@example.com", "serviceAccount:ci@ml-platform-prod.iam.gserviceaccount.com",
		"principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/attribute.repository/a/b",
	} {
		_, err := load(onGCPCloud().with(config{"cluster": `{"admins": ["` + who + `"], "apiAccessCIDRs": ["198.51.100.0/24"]}`}))
		require.NoError(t, err, who)
	}
	for controller, own := range map[string]bool{"": true, "envoy": false} {
		s, err := load(onGCPCloud().with(config{"exposure": `{"mode": "gateway", "host": "a.b", "parentGateway": "gateways/external/https", "controllerNamespace": "` + controller + `"}`}))
		require.NoError(t, err)
		assert.Equal(t, own, s.GoogleGateway())
	}
}

// onGCP are mistakes about Google Cloud.
var onGCP = []invalid{
	{name: "nothing but the platform", base: onGCPCloud, drop: []string{"region", "account", "tags", "cluster", "budget"}, want: []string{
		`region is ""; want a region of Google Cloud such as europe-west3`,
		`account is ""; want the id of the project: gcloud config get project`,
		"cluster.admins is []; want at least one: whose mistakes does the on-call mend?",
		"cluster.apiAccessCIDRs is []; want the networks of whoever runs pulumi and kubectl, or cluster.privateAccessCIDRs with them if they are connected with the cluster's",
		"tags.owner is required on a cloud: whose bill is it?; set it with: pulumi config set --path 'mlflow-platform:tags.owner' VALUE",
		"tags.cost-centre is required on a cloud: whose bill is it?; set it with: pulumi config set --path 'mlflow-platform:tags.cost-centre' VALUE",
		"budget.emails is []; want at least one address: budget and alarms are of use to nobody without",
	}},
	{name: "people of another cloud", base: onGCPCloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::123456789012:role/a"], "viewers": ["ana@example.com"], "apiAccessCIDRs": ["198.51.100.0/24"]}`}, want: []string{
		`cluster.admins is "arn:aws:iam::123456789012:role/a"; want user:, group: or serviceAccount: and the mail address, or a principal:// of another identity provider`,
		`cluster.viewers is "ana@example.com"; want user:, group: or serviceAccount: and the mail address, or a principal:// of another identity provider`,
	}},
	{name: "everybody", base: onGCPCloud, changes: config{"cluster": `{"admins": ["group:a@example.com"], "apiAccessCIDRs": ["0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32"]}`}, want: []string{
		`cluster.apiAccessCIDRs is "2001:db8::/32"; want IPv4 addresses: the cluster's network has no others`,
		`cluster.apiAccessCIDRs is "0.0.0.0/0"; want listed networks in profile production, not the whole internet`,
		`cluster.apiAccessCIDRs is "10.0.0.0/8"; want public addresses: private ones belong into cluster.privateAccessCIDRs`,
	}},
	{name: "nodes without persistent disks", base: onGCPCloud, changes: gcpCluster(`"nodes": {"type": "n4-standard-4", "diskGiB": 30}`), want: []string{
		`cluster.nodes.type is "n4-standard-4"; want a machine type of x86 with persistent disks such as n2-standard-4: e2, n2, n2d, c2, c2d, c3, c3d or t2d`,
		"cluster.nodes.diskGiB is 30; want 40 to 2048",
		"mlflow.tmpGiB is 20; want at most half of cluster.nodes.diskGiB, 30",
	}},
	{name: "nodes of Arm", base: onGCPCloud, changes: gcpCluster(`"nodes": {"type": "t2a-standard-4"}`), want: []string{
		`cluster.nodes.type is "t2a-standard-4"; want a machine type of x86 with persistent disks such as n2-standard-4: e2, n2, n2d, c2, c2d, c3, c3d or t2d`,
	}},
	{name: "nodes without a price", base: onGCPCloud, changes: gcpCluster(`"nodes": {"type": "t2d-standard-1"}`), want: []string{
		`cluster.nodes.type is "t2d-standard-1"; want a type with at least 2 vCPU`,
		`cluster.nodes.type is "t2d-standard-1"; want a type whose price the release has, or its price in budget.hourlyUSD, or budget.enforceEstimate false`,
	}},
	{name: "uneven zones", base: onGCPCloud, changes: gcpCluster(`"nodes": {"desired": 4}`), want: []string{
		"cluster.nodes.desired is 4; want 1, 2 or a multiple of 3: a pool begins with as many in each zone",
	}},
	{name: "more nodes than the network has addresses for", base: onGCPCloud, changes: gcpCluster(`"nodes": {"max": 16}`).with(config{"network": `{"cidr": "10.20.0.0/20"}`}), want: []string{
		"cluster.nodes.max is 16; want at most 15 with network.cidr 10.20.0.0/20, half of which is the pods'",
	}},
	{name: "addresses that are taken", base: onGCPCloud, changes: gcpCluster(`"serviceCIDR": "172.16.0.0/12"`).with(config{"network": `{"cidr": "172.17.0.0/16"}`}), want: []string{
		"cluster.serviceCIDR is \"172.16.0.0/12\"; want a range outside of network.cidr, 172.17.0.0/16",
		`cluster.serviceCIDR is "172.16.0.0/12"; want a /16 or smaller on platform gcp`,
		`network.cidr is "172.17.0.0/16"; want a range outside of 172.17.0.0/16, which is Docker's on the nodes`,
		`cluster.serviceCIDR is "172.16.0.0/12"; want a range outside of 172.17.0.0/16, which is Docker's on the nodes`,
	}},
	{name: "labels", base: onGCPCloud, changes: config{"tags": `{"owner": "ml.platform", "cost-centre": "1", "Team": "a"}`}, want: []string{
		`tags.Team is "a"; want a name of small letters, digits, _ and - on platform gcp, starting with a letter, at most 63`,
		`tags.owner is "ml.platform"; want small letters, digits, _ and - on platform gcp, at most 63`,
	}},
	{name: "databases", base: onGCPCloud, changes: config{"database": `{"instanceType": "db-g1-small", "highAvailability": false, "storageGiB": 5, "maxStorageGiB": 5, "maxConnections": 300000, "backup": {"retentionDays": 400}}`}, want: []string{
		"database.instanceType is \"db-g1-small\"; want a size with processors of its own in profile production",
		"database.storageGiB is 5; want 10 to 65536",
		"database.maxStorageGiB is 5; want more than database.storageGiB, and at most 65536",
		"database.highAvailability is false; want true in profile production",
		"database.maxConnections is 300000; want 14 to 262143 on platform gcp",
		"database.backup.retentionDays is 400; want at most 365 on platform gcp",
	}},
	{name: "database of three processors", base: onGCPCloud, changes: config{"database": `{"instanceType": "db-custom-3-8192"}`}, want: []string{
		`database.instanceType is "db-custom-3-8192"; want db-custom-CPUS-MIB such as db-custom-2-8192, with 1 or an even number of vCPU and 0.9 to 6.5 GiB for each, at least 3840 MiB in steps of 256, or db-g1-small`,
	}},
	{name: "database with too much memory", base: onGCPCloud, changes: config{"database": `{"instanceType": "db-custom-2-13568", "passwordVersion": 0}`}, want: []string{
		`database.instanceType is "db-custom-2-13568"; want db-custom-CPUS-MIB such as db-custom-2-8192, with 1 or an even number of vCPU and 0.9 to 6.5 GiB for each, at least 3840 MiB in steps of 256, or db-g1-small`,
		"database.passwordVersion is 0; want at least 1",
	}},
	{name: "classes", base: onGCPCloud, changes: config{"artifacts": `{"transitionClass": "AUTOCLASS", "transitionDays": 60}`}, want: []string{
		"artifacts.transitionDays is 60; want 30 with AUTOCLASS, which decides by itself, or 0 for none",
	}},
	{name: "class of another cloud", base: onGCPCloud, changes: config{"artifacts": `{"transitionClass": "STANDARD_IA"}`}, want: []string{
		`artifacts.transitionClass is "STANDARD_IA"; want AUTOCLASS, NEARLINE, COLDLINE`,
	}},
	{name: "budget", base: onGCPCloud, changes: config{"budget": `{"monthlyUSD": 1500, "billingAccount": "ours", "emails": ["a@b.c", "b@b.c", "c@b.c", "d@b.c", "e@b.c", "f@b.c"]}`}, want: []string{
		`budget.billingAccount is "ours"; want an id such as 0X0X0X-0X0X0X-0X0X0X: gcloud billing accounts list`,
		`budget.emails is ["a@b.c","b@b.c","c@b.c","d@b.c","e@b.c","f@b.c"]; want at most 5 on platform gcp: a budget has no more channels, a list has room for more people`,
	}},
	{name: "a network that is there", base: onGCPCloud, changes: config{"network": `{"networkId": "projects/other-project/global/networks/n", "ranges": {"subnet": "S", "pods": "p", "controlPlane": "10.0.0.0/27"}, "cidr": "10.1.0.0/16"}`}, want: []string{
		`network.networkId is "projects/other-project/global/networks/n"; want a network of the project in account`,
		`network.ranges.subnet is "S"; want the name of what is there in network.networkId`,
		`network.ranges.services is ""; want the name of what is there in network.networkId`,
		`network.ranges.database is ""; want the name of what is there in network.networkId`,
		`network.ranges.controlPlane is "10.0.0.0/27"; want a private /28 that nothing in the network has`,
		"artifacts.cidrs is []; want the addresses that storage.googleapis.com has in network.networkId: 199.36.153.8/30 for private.googleapis.com, 199.36.153.4/30 for restricted.googleapis.com, or those of an endpoint",
		`network.cidr is "10.1.0.0/16"; want "10.20.0.0/16", the default, with network.networkId: that network has its own`,
	}},
	{name: "an id of a network", base: onGCPCloud, changes: config{"network": `{"networkId": "corporate", "ranges": {"subnet": "s", "pods": "p", "services": "v", "database": "d", "controlPlane": "10.0.0.0/28"}}`, "artifacts": `{"cidrs": ["199.36.153.8/30"]}`}, want: []string{
		`network.networkId is "corporate"; want projects/PROJECT/global/networks/NAME`,
	}},
	{name: "ranges without a network", base: onGCPCloud, changes: config{"network": `{"ranges": {"subnet": "s"}}`}, want: []string{
		`network.ranges.subnet is "s"; want nothing without network.networkId: the stack makes the network`,
	}},
	{name: "keys of other clouds", base: onGCPCloud, changes: gcpCluster(`"azurePolicy": true, "systemNodes": {"count": 2}`).with(config{"network": `{"vpcId": "vpc-0123456789abcdef0"}`}), want: []string{
		"network.vpcId is \"vpc-0123456789abcdef0\"; want nothing on platform gcp",
		"cluster.systemNodes.count is 2; want nothing on platform gcp",
		"cluster.azurePolicy is true; want false, the default, on platform gcp",
	}},
	{name: "keys of Google Cloud elsewhere", base: onAzureCloud, changes: config{
		"cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `, "imageStreaming": true}`, "database": `{"iamAuthentication": true}`,
	}, want: []string{
		"cluster.imageStreaming is true; want false, the default, on platform azure",
		"database.iamAuthentication is true; want false, the default, on platform azure",
	}},
}

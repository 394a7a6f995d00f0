package settings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

const (
	azureAdmin  = `"group:aaaaaaaa-0000-4000-8000-000000000001"`
	azureAccess = `"apiAccessCIDRs": ["198.51.100.0/24"]`
)

// azureRegions is what the message about a region names, which is long.
var azureRegions = settings.AzureRegions

// onAzureCloud is the least that a production stack on Azure needs.
func onAzureCloud() config {
	return config{
		"platform": "azure", "profile": "production", "region": "westeurope", "account": "11111111-2222-3333-4444-555555555555",
		"tags": `{"owner": "o", "cost-centre": "1"}`, "cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `}`,
		"exposure": `{"host": "a.b"}`, "budget": `{"monthlyUSD": 1500, "emails": ["a@example.com"]}`,
	}
}

func TestTheDefaultsOfAzureFit(t *testing.T) {
	for _, profile := range []string{"dev", "production"} {
		s, err := load(onAzureCloud().with(config{"profile": profile}))
		require.NoError(t, err)
		assert.Equal(t, []any{"managed", "managed", true}, []any{s.Database.Mode, s.Cluster.Mode, s.Budget.Enabled})
		assert.GreaterOrEqual(t, s.Database.MaxConnections, s.Connections().Total())
	}
	s, err := load(onAzureCloud().with(config{"profile": "dev", "region": "eastus2", "exposure": `{"mode": "none"}`, "budget": `{"emails": ["a@example.com"]}`}))
	require.NoError(t, err)
	assert.Equal(t, 500, s.Budget.MonthlyUSD, "dev fits the default budget in the United States")
	assert.Equal(t, "Standard_D4s_v5", settings.Defaults(settings.Azure, settings.Production).Cluster.Nodes.Type)
	warned := func(changes config) string {
		s, err := load(onAzureCloud().with(changes).with(config{"budget": `{"monthlyUSD": 2000, "emails": ["a@example.com"], "hourlyUSD": {"postgresql/Standard_D2ds_v4": 0.2}}`}))
		require.NoError(t, err)
		return strings.Join(s.Warnings(), "\n")
	}
	assert.Contains(t, warned(config{"region": "westus2"}), "database.instanceType is Standard_D2ds_v5: westus2 had sizes of version 4 only")
	assert.NotContains(t, warned(config{"region": "westus2", "database": `{"instanceType": "Standard_D2ds_v4"}`}), "database.instanceType")
	assert.NotContains(t, warned(nil), "database.instanceType", "another region")
	_, err = load(onAzureCloud().with(config{"cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `, "nodes": {"type": "Standard_D4s_v3"}}`}))
	require.NoError(t, err, "what the mission names is accepted")
}

// onAzure are mistakes about Azure.
var onAzure = []invalid{
	{name: "nothing but the platform", base: onAzureCloud, drop: []string{"region", "account", "tags", "cluster", "budget"}, want: []string{
		`region is ""; want an Azure region with availability zones: ` + strings.Join(azureRegions, ", "),
		`account is ""; want the id of the Azure subscription: az account show --query id`,
		"cluster.admins is []; want at least who runs pulumi up: nobody else has access",
		"cluster.apiAccessCIDRs is []; want the networks of whoever runs pulumi and kubectl, or cluster.privateAccessCIDRs with them if they are connected with the cluster's",
		"tags.owner is required on a cloud: whose bill is it?; set it with: pulumi config set --path 'mlflow-platform:tags.owner' VALUE",
		"tags.cost-centre is required on a cloud: whose bill is it?; set it with: pulumi config set --path 'mlflow-platform:tags.cost-centre' VALUE",
		"budget.emails is []; want at least one address: budget and alarms are of use to nobody without",
	}},
	{name: "AWS' words", base: onAzureCloud, changes: config{"region": "eu-central-1", "account": "111122223333",
		"cluster":  `{"admins": ["arn:aws:iam::111122223333:role/a"], "viewers": [` + azureAdmin + `, "bob"], ` + azureAccess + `, "nodes": {"type": "m7i.xlarge"}}`,
		"database": `{"instanceType": "db.m7g.large"}`, "artifacts": `{"transitionClass": "STANDARD_IA"}`}, want: []string{
		`region is "eu-central-1"; want an Azure region with availability zones: ` + strings.Join(azureRegions, ", "),
		`account is "111122223333"; want the id of the Azure subscription: az account show --query id`,
		`cluster.admins is "arn:aws:iam::111122223333:role/a"; want group:, user: or servicePrincipal: and the object id in Entra`,
		`cluster.viewers is "bob"; want group:, user: or servicePrincipal: and the object id in Entra`,
		`cluster.nodes.type is "m7i.xlarge"; want a size of x86 such as Standard_D4s_v5, and no burstable one, which AKS does not support`,
		`database.instanceType is "db.m7g.large"; want a size of Flexible Server of version 4 or 5, such as Standard_D2ds_v5, or a burstable one from Standard_B2s on`,
		`artifacts.transitionClass is "STANDARD_IA"; want Cool, Cold`,
	}},
	{name: "an open cluster of the wrong nodes", base: onAzureCloud, changes: config{
		"cluster": `{"admins": [` + azureAdmin + `], "viewers": [` + azureAdmin + `], "apiAccessCIDRs": ["0.0.0.0/0", "10.0.0.0/8"], "nodes": {"type": "Standard_D4ps_v5", "diskGiB": 30, "min": 2}, "version": "1.30"}`}, want: []string{
		`cluster.version is "1.30"; want 1.35, 1.36, 1.37`,
		`cluster.viewers is "group:aaaaaaaa-0000-4000-8000-000000000001"; want somebody who is not in cluster.admins`,
		`cluster.apiAccessCIDRs is "0.0.0.0/0"; want listed networks in profile production, not the whole internet`,
		`cluster.apiAccessCIDRs is "10.0.0.0/8"; want public addresses`,
		`cluster.nodes.type is "Standard_D4ps_v5"; want a size of x86 such as Standard_D4s_v5, and no burstable one, which AKS does not support`,
		"cluster.nodes.diskGiB is 30; want 64 to 2048",
		"mlflow.tmpGiB is 20; want at most half of cluster.nodes.diskGiB, 30",
		"cluster.nodes.min is 2; want at least 3 in profile production: one in every zone",
	}},
	{name: "addresses that are taken", base: onAzureCloud, changes: config{"network": `{"cidr": "10.244.0.0/16"}`,
		"cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `, "serviceCIDR": "172.16.0.0/12", "nodes": {"type": "Standard_B4ms"}}`}, want: []string{
		`cluster.nodes.type is "Standard_B4ms"; want a size of x86 such as Standard_D4s_v5, and no burstable one, which AKS does not support`,
		`cluster.serviceCIDR is "172.16.0.0/12"; want a /13 or smaller on platform azure`,
		`network.cidr is "10.244.0.0/16"; want a range outside of 10.244.0.0/16, which is the pods' or AKS' own`,
		`cluster.serviceCIDR is "172.16.0.0/12"; want a range outside of 172.30.0.0/16, which is the pods' or AKS' own`,
		`cluster.serviceCIDR is "172.16.0.0/12"; want a range outside of 172.31.0.0/16, which is the pods' or AKS' own`}},
	{name: "what Azure keeps for itself", base: onAzureCloud, changes: config{"database": `{"maxConnections": 195}`, "artifacts": `{"noncurrentDays": 400}`}, want: []string{
		"database.maxConnections is 195; want at least 201: 8 more than above, which Azure keeps for itself",
		"artifacts.noncurrentDays is 400; want at most 365 on platform azure"}},
	{name: "a network that is there", base: onAzureCloud, changes: config{"network": `{"vnetId": "vnet", "subnets": {"nodes": "a b", "apiServer": "api", "database": "api"}, "blobDnsZoneId": "zone", "cidr": "10.30.0.0/16"}`}, want: []string{
		`network.vnetId is "vnet"; want the id of a virtual network: az network vnet show --query id`,
		`network.subnets.nodes is "a b"; want the name of a subnet of network.vnetId`,
		`network.subnets.endpoints is ""; want the name of a subnet of network.vnetId`,
		`network.subnets.database is "api"; want a subnet of its own`,
		`network.blobDnsZoneId is "zone"; want the id of a private DNS zone privatelink.blob.core.windows.net`,
		`network.cidr is "10.30.0.0/16"; want "10.20.0.0/16", the default, with network.vnetId: that network has its own`}},
	{name: "somebody else's network", base: onAzureCloud, changes: config{"network": `{"vnetId": "/subscriptions/22222222-2222-3333-4444-555555555555/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub",
		"subnets": {"nodes": "nodes", "apiServer": "api", "database": "db", "endpoints": "endpoints"}}`, "database": `{"mode": "inCluster", "storageGiB": 256}`}, want: []string{
		`network.vnetId is "/subscriptions/22222222-2222-3333-4444-555555555555/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub"; want a network of the subscription in account`,
		`network.subnets.database is "db"; want nothing with database.mode inCluster`}},
	{name: "parts of no network", base: onAzureCloud, changes: config{"network": `{"subnets": {"nodes": "nodes"}}`}, want: []string{
		`network.subnets.nodes is "nodes"; want nothing without network.vnetId: the stack makes the network`}},
	{name: "system nodes", base: onAzureCloud, changes: config{"cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `, "systemNodes": {"count": 1, "type": "Standard_B4ms"}}`}, want: []string{
		"cluster.systemNodes.count is 1; want at least 2, or 0 to let cluster.nodes run the cluster's own pods",
		`cluster.systemNodes.type is "Standard_B4ms"; want a size of x86 with at least 4 vCPU such as Standard_D4as_v5, and no burstable one`}},
	{name: "no system nodes", base: onAzureCloud, changes: config{"cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `, "systemNodes": {"count": 0}, "nodes": {"type": "Standard_D2s_v5", "min": 1, "max": 300}}`,
		"budget": `{"monthlyUSD": 1200, "emails": ["a@example.com"], "hourlyUSD": {"Standard_D2s_v5": 0.1}, "currencyPerUSD": -1}`}, want: []string{
		"cluster.nodes.max is 300; want at most 254: pods have addresses for 256 nodes",
		"cluster.nodes.min is 1; want at least 2 without cluster.systemNodes: the cluster's own pods run there",
		"cluster.systemNodes.count is 0; want at least 2 in profile production: a busy server would starve the cluster's DNS",
		`cluster.nodes.type is "Standard_D2s_v5"; want a size with at least 4 vCPU without cluster.systemNodes`,
		"cluster.nodes.min is 1; want at least 3 in profile production: one in every zone",
		"budget.currencyPerUSD is -1; want more than 0"}},
	{name: "two ways to the API", base: onAzureCloud, changes: config{"cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `, "privateAccessCIDRs": ["10.0.0.0/8", "0.0.0.0/0"]}`}, want: []string{
		`cluster.privateAccessCIDRs is "0.0.0.0/0"; want listed networks, not every one`,
		`cluster.privateAccessCIDRs is ["10.0.0.0/8","0.0.0.0/0"]; want nothing with cluster.apiAccessCIDRs on platform azure: what is connected with the network reaches the API server then`}},
	{name: "sizes that do not do", base: onAzureCloud, changes: config{"database": `{"instanceType": "Standard_D2ds_v6"}`}, want: []string{
		`database.instanceType is "Standard_D2ds_v6"; want a size of Flexible Server of version 4 or 5, such as Standard_D2ds_v5, or a burstable one from Standard_B2s on`}},
	{name: "the smallest size", base: onAzureCloud, changes: config{"profile": "dev", "database": `{"instanceType": "Standard_B1ms"}`}, want: []string{
		`database.instanceType is "Standard_B1ms"; want a size of Flexible Server of version 4 or 5, such as Standard_D2ds_v5, or a burstable one from Standard_B2s on`}},
	{name: "backups in the same region", base: onAzureCloud, changes: config{"database": `{"backup": {"pairedRegion": "westeurope"}}`}, want: []string{
		`database.backup.pairedRegion is "westeurope"; want the region that Azure pairs with westeurope, or nothing`}},
	{name: "database in the cluster", base: onAzureCloud, changes: config{"database": `{"mode": "inCluster", "instanceType": "Standard_D4ds_v5", "storageClass": "fast", "backup": {"pairedRegion": "northeurope"}}`}, want: []string{
		`database.instanceType is "Standard_D4ds_v5"; want "Standard_D2ds_v5", the default, with database.mode inCluster`,
		`database.storageClass is "fast"; want nothing on platform azure: the stack makes a class with a key of its own`,
		`database.backup.pairedRegion is "northeurope"; want nothing with database.mode inCluster`}},
	{name: "sizes of the database", base: onAzureCloud, changes: config{"profile": "dev",
		"database": `{"instanceType": "Standard_B2s", "highAvailability": true, "storageGiB": 200, "maxStorageGiB": 300, "passwordVersion": 0, "maxConnections": 6000, "backup": {"retentionDays": 3}}`}, want: []string{
		"database.storageGiB is 200; want one of [32 64 128 256 512 1024 2048 4096 8192 16384 32767]: Azure has disks of these sizes",
		"database.passwordVersion is 0; want at least 1",
		"database.highAvailability is true; want false with Standard_B2s: burstable sizes have no standby",
		"database.maxConnections is 6000; want 25 to 5000 on platform azure",
		"database.backup.retentionDays is 3; want 7 to 35 on platform azure",
		"database.maxStorageGiB is 300; want nothing on platform azure: storage grows up to Azure's limit",
	}},
	{name: "what has no price", base: onAzureCloud, changes: config{"region": "swedencentral"}, want: []string{
		`region is "swedencentral"; want one of eastus2, germanywestcentral, northeurope, westeurope, westus2, whose prices the release has, or budget.enforceEstimate false`}},
	{name: "sizes without a price", base: onAzureCloud, changes: config{"database": `{"instanceType": "Standard_E16ds_v5"}`,
		"cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `, "nodes": {"type": "Standard_D96s_v5"}}`}, want: []string{
		`cluster.nodes.type is "Standard_D96s_v5"; want a type whose price the release has, or its price in budget.hourlyUSD, or budget.enforceEstimate false`,
		`database.instanceType is "Standard_E16ds_v5"; want a type whose price the release has, or its price in budget.hourlyUSD, or budget.enforceEstimate false`}},
	{name: "settings of AWS", base: onAzureCloud, changes: config{
		"network": `{"natGateways": 3, "flowLogs": true}`,
		"cluster": `{"admins": [` + azureAdmin + `], ` + azureAccess + `, "addons": {"coredns": "v1"}}`}, want: []string{
		"network.natGateways is 3; want nothing on platform azure",
		"network.flowLogs is true; want false, the default, on platform azure",
		`cluster.addons is {"coredns":"v1"}; want nothing on platform azure`,
	}},
}

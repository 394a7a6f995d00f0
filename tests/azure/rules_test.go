package azure_test

import (
	"maps"
	"slices"

	"github.com/pulumi/pulumi-azure-native-sdk/authorization/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/compute/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/consumption/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/containerservice/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/dbforpostgresql/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/keyvault/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/managedidentity/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/monitor/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/network/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/operationalinsights/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/privatedns/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/resources/v3"
	"github.com/pulumi/pulumi-azure-native-sdk/storage/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// rules are what Azure's API wants of a resource. Its provider checks next to
// nothing before it sends a request and cannot be had for tests, so this is our own
// reading of the documents that the service publishes, in the very version that the
// SDK speaks: github.com/Azure/azure-rest-api-specs, mostly as the types that Azure
// makes of them for Bicep (github.com/Azure/bicep-types-az, 1f896de2; as pages under
// learn.microsoft.com/azure/templates). Limits that these leave out are from the page
// beside them, those of names from
// learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules. What
// needs a sentence is in conflicts.
//
// Paths are the SDK's, which has no "properties" on the way to most; * is every element.
type rules struct {
	// args are the SDK's arguments, version the API's that the SDK speaks for them.
	args    pulumi.Input
	version string
	// document describes the type, below specification/ of azure-rest-api-specs.
	document string
	// required must be there if what holds it is: the document wants it, or what Azure
	// does without it is nothing that a stack may have.
	required []string
	// enums are the values that there are, or of very many those that a stack may want;
	// match is the form of a text.
	enums map[string][]string
	match map[string]string
	// bounds are those of a number, of the length of a text or of a list.
	bounds map[string][2]float64
	// computed comes from Azure and is not for sending.
	computed []string
	// replaced makes the provider plan another resource: parameters of the request's
	// path, what the document calls mutable by create and read only, and the provider's
	// own list (pulumi/pulumi-azure-native, provider/pkg/gen/replacement.go as of v3.16.0).
	replaced []string
	// kept is what the provider would send a change of, and Azure refuses or ignores.
	kept []string
}

// inline is where a cluster's first pool is, poolName the form of its name.
const (
	inline   = "agentPoolProfiles[*]."
	poolName = `^[a-z][a-z0-9]{0,11}$`
)

// pool is what is said of nodes, in a cluster or beside it.
var pool = rules{
	enums: map[string][]string{
		"mode":                 {"System", "User", "Gateway"},
		"type":                 {"VirtualMachineScaleSets", "AvailabilitySet", "VirtualMachines"},
		"osType":               {"Linux", "Windows"},
		"osSKU":                {"Ubuntu", "Ubuntu2204", "AzureLinux", "AzureLinux3", "CBLMariner", "Windows2019", "Windows2022"},
		"osDiskType":           {"Managed", "Ephemeral"},
		"localDNSProfile.mode": {"Preferred", "Required", "Disabled"},
	},
	match: map[string]string{
		"upgradeSettings.maxSurge": `^([1-9]\d*|100%|[1-9]\d?%)$`, "availabilityZones[*]": `^[123]$`,
	},
	bounds: map[string][2]float64{
		"osDiskSizeGB": {0, 2048}, "count": {1, 1000}, "upgradeSettings.drainTimeoutInMinutes": {1, 1440},
		// learn.microsoft.com/azure/aks/concepts-network-ip-address-planning
		"maxPods": {10, 250},
	},
}

// with is rules of a part, at a place, with others.
func with[V any](at string, part, more map[string]V) map[string]V {
	all := maps.Clone(more)
	for path, v := range part {
		all[at+path] = v
	}
	return all
}

const (
	aksDocument      = "containerservice/resource-manager/Microsoft.ContainerService/aks/stable/2025-09-01/managedClusters.json"
	postgresDocument = "postgresql/resource-manager/Microsoft.DBforPostgreSQL/PostgreSQL/stable/2025-08-01/openapi.json"
	storageDocuments = "storage/resource-manager/Microsoft.Storage/stable/2024-01-01/"
	vaultDocument    = "keyvault/resource-manager/Microsoft.KeyVault/stable/2024-11-01/openapi.json"
	msiDocument      = "msi/resource-manager/Microsoft.ManagedIdentity/stable/2023-01-31/ManagedIdentity.json"
	networkDocuments = "network/resource-manager/Microsoft.Network/Network/stable/2024-05-01/"
	zonesDocument    = "privatedns/resource-manager/Microsoft.Network/stable/2024-06-01/privatedns.json"
	monitorDocuments = "monitor/resource-manager/Microsoft.Insights/"
)

// groupName is the form of a resource group's name, networkName that of most of what
// is in a network.
const (
	groupName   = `^[-\w._()]{0,89}[-\w_()]$`
	networkName = `^[a-zA-Z0-9]([-\w.]{0,78}\w)?$`
	ipv4Range   = `^([0-9]{1,3}\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])$`
	guid        = `^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`
)

var onOff = []string{"Enabled", "Disabled"}

// api are the rules by type.
var api = map[string]rules{
	"resources:ResourceGroup": {
		args: resources.ResourceGroupArgs{}, version: "2024-03-01", document: "resources/resource-manager/Microsoft.Resources/stable/2024-03-01/resources.json",
		required: []string{"location"},
		match:    map[string]string{"resourceGroupName": groupName},
		replaced: []string{"resourceGroupName", "location"},
	},
	"authorization:ManagementLockByScope": {
		args: authorization.ManagementLockByScopeArgs{}, version: "2020-05-01", document: "resources/resource-manager/Microsoft.Authorization/stable/2020-05-01/locks.json",
		required: []string{"level", "scope"},
		enums:    map[string][]string{"level": {"CanNotDelete", "ReadOnly"}},
		match:    map[string]string{"lockName": groupName},
		bounds:   map[string][2]float64{"notes": {0, 512}},
		replaced: []string{"scope", "lockName"},
	},
	"authorization:RoleAssignment": {
		args: authorization.RoleAssignmentArgs{}, version: "2022-04-01", document: "authorization/resource-manager/Microsoft.Authorization/stable/2022-04-01/authorization-RoleAssignmentsCalls.json",
		// Without a type Azure looks for the principal in the directory, where a new one is
		// not yet (learn.microsoft.com/azure/role-based-access-control/troubleshooting).
		required: []string{"principalId", "roleDefinitionId", "principalType"},
		enums:    map[string][]string{"principalType": {"User", "Group", "ServicePrincipal", "ForeignGroup", "Device"}},
		match:    map[string]string{"roleDefinitionId": `/providers/Microsoft\.Authorization/roleDefinitions/` + guid[1:]},
		computed: []string{"createdBy", "createdOn", "updatedBy", "updatedOn"},
		replaced: []string{"scope", "roleAssignmentName", "principalId"},
		kept:     []string{"roleDefinitionId"},
	},
	"compute:DiskEncryptionSet": {
		args: compute.DiskEncryptionSetArgs{}, version: "2024-03-02", document: "compute/resource-manager/Microsoft.Compute/DiskRP/stable/2024-03-02/diskEncryptionSet.json",
		required: []string{"activeKey.keyUrl", "identity.type"},
		enums: map[string][]string{
			"encryptionType": {"EncryptionAtRestWithCustomerKey", "EncryptionAtRestWithPlatformAndCustomerKeys", "ConfidentialVmEncryptedWithCustomerKey"},
			"identity.type":  {"SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned", "None"},
		},
		match: map[string]string{
			"diskEncryptionSetName": `^[-\w]{1,80}$`,
			// Also for a set that follows the key there has to be one to begin with.
			"activeKey.keyUrl": `^https://[^/]+/keys/[^/]+/[^/]+$`,
		},
		computed: []string{"previousKeys", "lastKeyRotationTimestamp", "autoKeyRotationError"},
		replaced: []string{"resourceGroupName", "diskEncryptionSetName", "location"},
	},
	"consumption:Budget": {
		args: consumption.BudgetArgs{}, version: "2024-08-01", document: "consumption/resource-manager/Microsoft.Consumption/stable/2024-08-01/consumption.json",
		required: []string{
			"scope", "category", "amount", "timeGrain", "timePeriod.startDate", "filter.dimensions.name", "filter.dimensions.operator", "filter.dimensions.values",
			"notifications[*].enabled", "notifications[*].operator", "notifications[*].threshold", "notifications[*].contactEmails",
		},
		enums: map[string][]string{
			"category": {"Cost"},
			// The Billing ones are for subscriptions that are bought on the web alone.
			"timeGrain":                      {"Monthly", "Quarterly", "Annually"},
			"filter.dimensions.operator":     {"In"},
			"notifications[*].operator":      {"EqualTo", "GreaterThan", "GreaterThanOrEqualTo"},
			"notifications[*].thresholdType": {"Actual", "Forecasted"},
		},
		match: map[string]string{
			"budgetName":           `^[-\w]{1,63}$`,
			"scope":                `^/subscriptions/` + guid[1:len(guid)-1] + `(/resourceGroups/[-\w._()]+)?$`,
			"timePeriod.startDate": `^20\d\d-(0[1-9]|1[0-2])-01T00:00:00Z$`,
		},
		bounds: map[string][2]float64{
			"amount": {0.01, 1e12}, "notifications[*].threshold": {0, 1000},
			"notifications[*].contactEmails": {0, 50}, "notifications[*].contactGroups": {0, 50},
		},
		computed: []string{"currentSpend", "forecastSpend"},
		replaced: []string{"scope", "budgetName"},
		// learn.microsoft.com/azure/cost-management-billing/costs/quick-create-budget-template
		kept: []string{"timePeriod.startDate"},
	},
	"containerservice:AgentPool": {
		args: containerservice.AgentPoolArgs{}, version: "2025-09-01", document: aksDocument,
		required: []string{"mode"},
		enums:    pool.enums,
		match:    with("", pool.match, map[string]string{"agentPoolName": poolName}),
		bounds:   pool.bounds,
		computed: []string{"currentOrchestratorVersion", "nodeImageVersion", "provisioningState", "eTag"},
		replaced: []string{"resourceGroupName", "resourceName", "agentPoolName"},
		// learn.microsoft.com/azure/aks/create-node-pools
		kept: []string{"vmSize", "osDiskSizeGB", "osDiskType", "osSKU", "availabilityZones", "maxPods", "vnetSubnetID", "enableEncryptionAtHost", "enableNodePublicIP"},
	},
	"containerservice:ManagedCluster": {
		args: containerservice.ManagedClusterArgs{}, version: "2025-09-01", document: aksDocument,
		required: []string{
			// learn.microsoft.com/azure/aks/use-system-pools: a template says the mode.
			"dnsPrefix", "identity.type", "agentPoolProfiles[*].name", "agentPoolProfiles[*].mode",
		},
		enums: with(inline, pool.enums, map[string][]string{
			"sku.name": {"Base", "Automatic"}, "sku.tier": {"Free", "Standard", "Premium"},
			"identity.type": {"SystemAssigned", "UserAssigned", "None"},
			"nodeResourceGroupProfile.restrictionLevel":              {"Unrestricted", "ReadOnly"},
			"networkProfile.networkPlugin":                           {"azure", "kubenet", "none"},
			"networkProfile.networkPluginMode":                       {"overlay"},
			"networkProfile.networkPolicy":                           {"none", "calico", "azure", "cilium"},
			"networkProfile.networkDataplane":                        {"azure", "cilium"},
			"networkProfile.outboundType":                            {"loadBalancer", "userDefinedRouting", "managedNATGateway", "userAssignedNATGateway", "none"},
			"networkProfile.loadBalancerSku":                         {"standard", "basic"},
			"autoUpgradeProfile.upgradeChannel":                      {"rapid", "stable", "patch", "node-image", "none"},
			"autoUpgradeProfile.nodeOSUpgradeChannel":                {"None", "Unmanaged", "NodeImage", "SecurityPatch"},
			"securityProfile.azureKeyVaultKms.keyVaultNetworkAccess": {"Public", "Private"},
		}),
		match: with(inline, pool.match, map[string]string{
			"resourceName":           `^[a-zA-Z0-9]$|^[a-zA-Z0-9][-_a-zA-Z0-9]{0,61}[a-zA-Z0-9]$`,
			"dnsPrefix":              `^[a-zA-Z0-9]([-a-zA-Z0-9]{0,52}[a-zA-Z0-9])?$`,
			"nodeResourceGroup":      `^[-\w._()]{0,79}[-\w_()]$`,
			"kubernetesVersion":      `^1\.\d+(\.\d+)?$`,
			"networkProfile.podCidr": ipv4Range, "networkProfile.serviceCidr": ipv4Range,
			"networkProfile.dnsServiceIP": `^([0-9]{1,3}\.){3}[0-9]{1,3}$`,
			// AKS stays with the version that it is given
			// (learn.microsoft.com/azure/aks/use-kms-etcd-encryption).
			"securityProfile.azureKeyVaultKms.keyId":       `^https://[^/]+/keys/[^/]+/[^/]+$`,
			"apiServerAccessProfile.authorizedIPRanges[*]": ipv4Range,
		}),
		bounds: with(inline, pool.bounds, map[string][2]float64{
			// learn.microsoft.com/azure/aks/image-cleaner
			"securityProfile.imageCleaner.intervalHours": {24, 2160},
			// learn.microsoft.com/azure/aks/api-server-authorized-ip-ranges
			"apiServerAccessProfile.authorizedIPRanges": {0, 2000},
			// The document's words: only one user assigned identity is allowed.
			"identity.userAssignedIdentities": {1, 1},
		}),
		computed: []string{"fqdn", "currentKubernetesVersion", "maxAgentPools", "powerState", "oidcIssuerProfile.issuerURL"},
		replaced: []string{"resourceGroupName", "resourceName", "location", "diskEncryptionSetID", "dnsPrefix", "networkProfile", "nodeResourceGroup"},
	},
	"containerservice:MaintenanceConfiguration": {
		args: containerservice.MaintenanceConfigurationArgs{}, version: "2025-09-01", document: aksDocument,
		required: []string{
			"maintenanceWindow.schedule", "maintenanceWindow.durationHours", "maintenanceWindow.startTime",
			"maintenanceWindow.schedule.weekly.intervalWeeks", "maintenanceWindow.schedule.weekly.dayOfWeek",
		},
		enums: map[string][]string{
			// learn.microsoft.com/azure/aks/planned-maintenance
			"configName": {"default", "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule"},
			"maintenanceWindow.schedule.weekly.dayOfWeek": {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		},
		match: map[string]string{
			"maintenanceWindow.startTime": `^([01]\d|2[0-3]):[0-5]\d$`, "maintenanceWindow.utcOffset": `^[-+][0-9]{2}:[0-9]{2}$`,
		},
		bounds: map[string][2]float64{
			"maintenanceWindow.durationHours": {4, 24}, "maintenanceWindow.schedule.weekly.intervalWeeks": {1, 4}, "maintenanceWindow.schedule": {1, 1},
		},
		replaced: []string{"resourceGroupName", "resourceName", "configName"},
	},
	"dbforpostgresql:Server": {
		args: dbforpostgresql.ServerArgs{}, version: "2025-08-01", document: postgresDocument,
		required: []string{"version", "sku.name", "sku.tier", "storage.storageSizeGB", "identity.type", "dataEncryption.type"},
		enums: map[string][]string{
			"version":  {"11", "12", "13", "14", "15", "16", "17", "18"},
			"sku.tier": {"Burstable", "GeneralPurpose", "MemoryOptimized"},
			// learn.microsoft.com/azure/postgresql/extensions/concepts-storage
			"storage.storageSizeGB": {"32", "64", "128", "256", "512", "1024", "2048", "4095", "4096", "8192", "16384", "32767"},
			"storage.type":          {"Premium_LRS", "PremiumV2_LRS", "UltraSSD_LRS"}, "storage.autoGrow": onOff,
			"backup.geoRedundantBackup": onOff, "authConfig.activeDirectoryAuth": onOff, "authConfig.passwordAuth": onOff, "maintenanceWindow.customWindow": onOff,
			"highAvailability.mode": {"Disabled", "ZoneRedundant", "SameZone"},
			"dataEncryption.type":   {"SystemManaged", "AzureKeyVault"},
			"identity.type":         {"None", "UserAssigned", "SystemAssigned", "SystemAssigned,UserAssigned"},
		},
		match: map[string]string{
			"serverName": `^[a-z0-9]+(-[a-z0-9]+)*$`, "sku.name": `^Standard_[BDE]\w+$`, "authConfig.tenantId": guid,
			"administratorLogin": `^[a-zA-Z_]\w{0,62}$`,
		},
		bounds: map[string][2]float64{
			"serverName": {3, 63},
			// learn.microsoft.com/azure/postgresql/backup-restore/concepts-backup-restore
			"backup.backupRetentionDays":  {7, 35},
			"maintenanceWindow.dayOfWeek": {0, 6}, "maintenanceWindow.startHour": {0, 23}, "maintenanceWindow.startMinute": {0, 59},
		},
		computed: []string{"fullyQualifiedDomainName", "state", "minorVersion", "replicaCapacity", "privateEndpointConnections", "highAvailability.state", "backup.earliestRestoreDate"},
		replaced: []string{"resourceGroupName", "serverName", "location", "administratorLogin", "availabilityZone", "backup.geoRedundantBackup"},
		// Subnet, way of encryption and kind of disk are chosen once
		// (learn.microsoft.com/azure/postgresql/network/concepts-networking-private,
		// .../security/security-data-encryption).
		kept: []string{"network.delegatedSubnetResourceId", "dataEncryption.type", "storage.type"},
	},
	"dbforpostgresql:Configuration": {
		args: dbforpostgresql.ConfigurationArgs{}, version: "2025-08-01", document: postgresDocument,
		required: []string{"value", "source"},
		enums:    map[string][]string{"source": {"user-override", "system-default"}},
		match:    map[string]string{"configurationName": `^[-\w._]{1,256}$`},
		computed: []string{"allowedValues", "defaultValue", "dataType", "isDynamicConfig", "isConfigPendingRestart"},
		replaced: []string{"resourceGroupName", "serverName", "configurationName"},
	},
	"dbforpostgresql:Database": {
		args: dbforpostgresql.DatabaseArgs{}, version: "2025-08-01", document: postgresDocument,
		match: map[string]string{
			"databaseName": `^[a-zA-Z_][\w-]{0,62}$`, "charset": `^[a-zA-Z]+\w*$`, "collation": `^[a-zA-Z-]+([. ]|\w)*$`,
		},
		replaced: []string{"resourceGroupName", "serverName", "databaseName"},
		// The API creates and deletes; it has no update.
		kept: []string{"charset", "collation"},
	},
	"keyvault:Vault": {
		args: keyvault.VaultArgs{}, version: "2024-11-01", document: vaultDocument,
		required: []string{"properties", "properties.tenantId", "properties.sku.family", "properties.sku.name"},
		enums: map[string][]string{
			"properties.sku.family": {"A"}, "properties.sku.name": {"standard", "premium"}, "properties.publicNetworkAccess": {"enabled", "disabled"},
			// Once on, it stays; off is no value to send
			// (learn.microsoft.com/azure/key-vault/general/soft-delete-overview).
			"properties.enablePurgeProtection": {"true"}, "properties.enableSoftDelete": {"true"},
		},
		match: map[string]string{
			"vaultName": `^[a-zA-Z]([a-zA-Z0-9]|-[a-zA-Z0-9]){2,23}$`, "properties.tenantId": guid,
		},
		bounds:   map[string][2]float64{"vaultName": {3, 24}, "properties.softDeleteRetentionInDays": {7, 90}},
		computed: []string{"properties.hsmPoolResourceId", "properties.privateEndpointConnections"},
		replaced: []string{"resourceGroupName", "vaultName", "location"},
		kept:     []string{"properties.enablePurgeProtection", "properties.enableSoftDelete", "properties.softDeleteRetentionInDays"},
	},
	"keyvault:Key": {
		args: keyvault.KeyArgs{}, version: "2024-11-01", document: vaultDocument,
		required: []string{"properties", "properties.kty", "properties.rotationPolicy.lifetimeActions[*].trigger", "properties.rotationPolicy.lifetimeActions[*].action.type"},
		enums: map[string][]string{
			"properties.kty":     {"EC", "EC-HSM", "RSA", "RSA-HSM"},
			"properties.keySize": {"2048", "3072", "4096"},
			"properties.rotationPolicy.lifetimeActions[*].action.type": {"rotate", "notify"},
		},
		match: map[string]string{
			"keyName": `^[a-zA-Z0-9-]{1,127}$`,
			"properties.rotationPolicy.lifetimeActions[*].trigger.timeAfterCreate": `^P(\d+Y)?(\d+M)?(\d+D)?$`,
		},
		computed: []string{"properties.keyUri", "properties.keyUriWithVersion"},
		replaced: []string{"resourceGroupName", "vaultName", "keyName"},
		// The request creates a key that is not there and returns one that is: it never
		// changes any, nor its tags (the document's words on Keys_CreateIfNotExist).
		kept: []string{"properties"},
	},
	"keyvault:Secret": {
		args: keyvault.SecretArgs{}, version: "2024-11-01", document: vaultDocument,
		required: []string{"properties", "properties.value"},
		match:    map[string]string{"secretName": `^[a-zA-Z0-9-]{1,127}$`},
		// learn.microsoft.com/azure/key-vault/secrets/about-secrets
		bounds:   map[string][2]float64{"properties.value": {1, 25 << 10}, "properties.contentType": {0, 255}},
		computed: []string{"properties.secretUri", "properties.secretUriWithVersion"},
		replaced: []string{"resourceGroupName", "vaultName", "secretName"},
	},
	"managedidentity:UserAssignedIdentity": {
		args: managedidentity.UserAssignedIdentityArgs{}, version: "2023-01-31", document: msiDocument,
		match:    map[string]string{"resourceName": `^[a-zA-Z0-9][-\w]{2,127}$`},
		computed: []string{"clientId", "principalId", "tenantId"},
		replaced: []string{"resourceGroupName", "resourceName", "location"},
	},
	"managedidentity:FederatedIdentityCredential": {
		args: managedidentity.FederatedIdentityCredentialArgs{}, version: "2023-01-31", document: msiDocument,
		required: []string{"issuer", "subject", "audiences"},
		match: map[string]string{
			"federatedIdentityCredentialResourceName": `^[a-zA-Z0-9][a-zA-Z0-9_-]{2,119}$`, "issuer": `^https://`,
		},
		// learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations
		bounds:   map[string][2]float64{"audiences": {1, 1}, "issuer": {1, 600}, "subject": {1, 600}},
		replaced: []string{"resourceGroupName", "resourceName", "federatedIdentityCredentialResourceName"},
	},
	"monitor:ActionGroup": {
		args: monitor.ActionGroupArgs{}, version: "2024-10-01-preview", document: monitorDocuments + "preview/2024-10-01-preview/actionGroups_API.json",
		required: []string{"location", "groupShortName", "enabled", "emailReceivers[*].name", "emailReceivers[*].emailAddress"},
		// Some regions have groups of their own, which no stack asks for.
		enums:    map[string][]string{"location": {"Global", "global"}},
		match:    map[string]string{"emailReceivers[*].emailAddress": `^[^@\s]+@[^@\s]+$`, "actionGroupName": `^[^:<>+/&%\\?|]*[^:<>+/&%\\?|. ]$`},
		bounds:   map[string][2]float64{"groupShortName": {1, 12}, "actionGroupName": {1, 260}},
		computed: []string{"emailReceivers[*].status"},
		replaced: []string{"resourceGroupName", "actionGroupName", "location"},
	},
	"monitor:DiagnosticSetting": {
		args: monitor.DiagnosticSettingArgs{}, version: "2021-05-01-preview", document: monitorDocuments + "preview/2021-05-01-preview/diagnosticsSettings_API.json",
		required: []string{"resourceUri", "logs[*].enabled"},
		// The document's words: Dedicated, or null.
		enums:    map[string][]string{"logAnalyticsDestinationType": {"Dedicated"}},
		match:    map[string]string{"name": `^[^*<>%&:\\?+/. ]{1,260}$`},
		replaced: []string{"resourceUri", "name"},
	},
	"monitor:MetricAlert": {
		args: monitor.MetricAlertArgs{}, version: "2018-03-01", document: monitorDocuments + "stable/2018-03-01/metricAlert_API.json",
		required: []string{
			"location", "severity", "enabled", "scopes", "evaluationFrequency", "windowSize", "criteria", "criteria.odataType", "criteria.allOf",
			"criteria.allOf[*].name", "criteria.allOf[*].metricName", "criteria.allOf[*].timeAggregation", "criteria.allOf[*].criterionType",
			"criteria.allOf[*].operator", "criteria.allOf[*].threshold",
		},
		enums: map[string][]string{
			"location": {"global"},
			// learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-metric-alert-rule
			"evaluationFrequency": {"PT1M", "PT5M", "PT15M", "PT30M", "PT1H"},
			"windowSize":          {"PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"},
			"criteria.odataType": {
				"Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria",
				"Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria",
			},
			"criteria.allOf[*].criterionType":   {"StaticThresholdCriterion", "DynamicThresholdCriterion"},
			"criteria.allOf[*].timeAggregation": {"Average", "Count", "Minimum", "Maximum", "Total"},
			"criteria.allOf[*].operator":        {"Equals", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"},
		},
		match: map[string]string{"ruleName": `^[^*#&+:<>?@%{}\\/|]*[^*#&+:<>?@%{}\\/|. ]$`},
		bounds: map[string][2]float64{
			"ruleName": {1, 260}, "severity": {0, 4}, "scopes": {1, 5000},
			// learn.microsoft.com/azure/azure-monitor/service-limits: 5 of either.
			"criteria.allOf": {1, 5}, "actions": {0, 5},
		},
		computed: []string{"isMigrated", "lastUpdatedTime"},
		replaced: []string{"resourceGroupName", "ruleName", "location"},
	},
	"network:VirtualNetwork": {
		args: network.VirtualNetworkArgs{}, version: "2024-05-01", document: networkDocuments + "virtualNetwork.json",
		required: []string{"addressSpace.addressPrefixes"},
		match:    map[string]string{"virtualNetworkName": `^[a-zA-Z0-9]([-\w.]{0,62}\w)$`, "addressSpace.addressPrefixes[*]": ipv4Range},
		computed: []string{"resourceGuid", "flowLogs"},
		replaced: []string{"resourceGroupName", "virtualNetworkName", "location"},
	},
	"network:Subnet": {
		args: network.SubnetArgs{}, version: "2024-05-01", document: networkDocuments + "virtualNetwork.json",
		required: []string{"addressPrefix", "delegations[*].name", "delegations[*].serviceName"},
		enums: map[string][]string{
			"privateEndpointNetworkPolicies":    {"Enabled", "Disabled", "NetworkSecurityGroupEnabled", "RouteTableEnabled"},
			"privateLinkServiceNetworkPolicies": onOff,
			"delegations[*].serviceName":        {"Microsoft.DBforPostgreSQL/flexibleServers", "Microsoft.ContainerService/managedClusters"},
			"serviceEndpoints[*].service":       {"Microsoft.Storage", "Microsoft.Storage.Global", "Microsoft.KeyVault", "Microsoft.Sql", "Microsoft.AzureActiveDirectory", "Microsoft.ContainerRegistry"},
		},
		match:    map[string]string{"subnetName": networkName, "addressPrefix": ipv4Range},
		computed: []string{"purpose", "ipConfigurations", "privateEndpoints"},
		replaced: []string{"resourceGroupName", "virtualNetworkName", "subnetName"},
		// The document's words on the first; the others while something is in it
		// (learn.microsoft.com/azure/virtual-network/virtual-network-manage-subnet).
		kept: []string{"defaultOutboundAccess", "addressPrefix", "delegations"},
	},
	"network:NatGateway": {
		args: network.NatGatewayArgs{}, version: "2024-05-01", document: networkDocuments + "natGateway.json",
		required: []string{"sku.name", "publicIpAddresses[*].id"},
		enums:    map[string][]string{"sku.name": {"Standard"}},
		match:    map[string]string{"natGatewayName": networkName},
		// learn.microsoft.com/azure/nat-gateway/nat-gateway-resource
		bounds:   map[string][2]float64{"idleTimeoutInMinutes": {4, 120}, "publicIpAddresses": {1, 16}},
		computed: []string{"resourceGuid", "subnets"},
		replaced: []string{"resourceGroupName", "natGatewayName"},
		kept:     []string{"location", "zones"},
	},
	"network:NetworkSecurityGroup": {
		args: network.NetworkSecurityGroupArgs{}, version: "2024-05-01", document: networkDocuments + "networkSecurityGroup.json",
		required: []string{
			"securityRules[*].name", "securityRules[*].protocol", "securityRules[*].access", "securityRules[*].priority", "securityRules[*].direction",
		},
		enums: map[string][]string{
			"securityRules[*].protocol": {"Tcp", "Udp", "Icmp", "Esp", "Ah", "*"}, "securityRules[*].access": {"Allow", "Deny"},
			"securityRules[*].direction": {"Inbound", "Outbound"},
		},
		match: map[string]string{
			"networkSecurityGroupName": networkName, "securityRules[*].name": networkName,
			"securityRules[*].sourcePortRange": `^(\*|\d{1,5}(-\d{1,5})?)$`, "securityRules[*].destinationPortRange": `^(\*|\d{1,5}(-\d{1,5})?)$`,
		},
		bounds:   map[string][2]float64{"securityRules[*].priority": {100, 4096}},
		computed: []string{"defaultSecurityRules", "networkInterfaces", "subnets"},
		replaced: []string{"resourceGroupName", "networkSecurityGroupName"},
		kept:     []string{"location"},
	},
	"network:PrivateEndpoint": {
		args: network.PrivateEndpointArgs{}, version: "2024-05-01", document: networkDocuments + "privateEndpoint.json",
		required: []string{
			"subnet.id", "privateLinkServiceConnections[*].name", "privateLinkServiceConnections[*].privateLinkServiceId", "privateLinkServiceConnections[*].groupIds",
		},
		enums: map[string][]string{
			// learn.microsoft.com/azure/private-link/private-endpoint-overview
			"privateLinkServiceConnections[*].groupIds[*]": {"blob", "file", "queue", "table", "web", "dfs"},
		},
		match:    map[string]string{"privateEndpointName": `^[a-zA-Z0-9]([-\w.]{0,62}\w)$`},
		bounds:   map[string][2]float64{"privateLinkServiceConnections": {1, 1}, "privateLinkServiceConnections[*].groupIds": {1, 1}},
		computed: []string{"networkInterfaces"},
		replaced: []string{"resourceGroupName", "privateEndpointName", "subnet"},
		kept:     []string{"location"},
	},
	"network:PrivateDnsZoneGroup": {
		args: network.PrivateDnsZoneGroupArgs{}, version: "2024-05-01", document: networkDocuments + "privateEndpoint.json",
		required: []string{"privateDnsZoneConfigs[*].name", "privateDnsZoneConfigs[*].privateDnsZoneId"},
		// learn.microsoft.com/azure/private-link/private-endpoint-dns-integration
		bounds:   map[string][2]float64{"privateDnsZoneConfigs": {1, 5}},
		computed: []string{"privateDnsZoneConfigs[*].recordSets"},
		replaced: []string{"resourceGroupName", "privateEndpointName", "privateDnsZoneGroupName"},
	},
	"network:PublicIPAddress": {
		args: network.PublicIPAddressArgs{}, version: "2024-05-01", document: networkDocuments + "publicIpAddress.json",
		required: []string{"sku.name", "publicIPAllocationMethod"},
		enums: map[string][]string{
			// Basic ended in September 2025
			// (learn.microsoft.com/azure/virtual-network/ip-services/public-ip-basic-upgrade-guidance).
			"sku.name": {"Standard"}, "publicIPAllocationMethod": {"Static", "Dynamic"},
		},
		match:    map[string]string{"publicIpAddressName": networkName, "zones[*]": `^[123]$`},
		computed: []string{"resourceGuid", "ipConfiguration"},
		replaced: []string{"resourceGroupName", "publicIpAddressName", "location", "sku", "publicIPAddressVersion", "publicIPPrefix"},
		kept:     []string{"zones"},
	},
	"operationalinsights:Workspace": {
		args: operationalinsights.WorkspaceArgs{}, version: "2023-09-01", document: "operationalinsights/resource-manager/Microsoft.OperationalInsights/stable/2023-09-01/Workspaces.json",
		required: []string{"sku.name"},
		// The others are for subscriptions that had them before 2018
		// (learn.microsoft.com/azure/azure-monitor/logs/cost-logs).
		enums: map[string][]string{"sku.name": {"PerGB2018", "CapacityReservation", "LACluster"}},
		match: map[string]string{"workspaceName": `^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$`},
		bounds: map[string][2]float64{
			// learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure, .../daily-cap
			"retentionInDays": {30, 730}, "workspaceCapping.dailyQuotaGb": {0.023, 1e6},
		},
		computed: []string{"customerId", "createdDate", "workspaceCapping.dataIngestionStatus"},
		replaced: []string{"resourceGroupName", "workspaceName", "location"},
	},
	"privatedns:PrivateZone": {
		args: privatedns.PrivateZoneArgs{}, version: "2024-06-01", document: zonesDocument,
		required: []string{"location"},
		enums:    map[string][]string{"location": {"Global", "global"}},
		// learn.microsoft.com/azure/dns/private-dns-privatednszone: two labels at least.
		match:    map[string]string{"privateZoneName": `^(\w([-\w]{0,61}\w)?\.)+\w([-\w]{0,61}\w)?$`},
		computed: []string{"internalId", "numberOfRecordSets", "maxNumberOfRecordSets"},
		replaced: []string{"resourceGroupName", "privateZoneName", "location"},
	},
	"privatedns:VirtualNetworkLink": {
		args: privatedns.VirtualNetworkLinkArgs{}, version: "2024-06-01", document: zonesDocument,
		required: []string{"location", "virtualNetwork.id", "registrationEnabled"},
		enums:    map[string][]string{"location": {"Global", "global"}},
		match:    map[string]string{"virtualNetworkLinkName": networkName},
		computed: []string{"virtualNetworkLinkState"},
		replaced: []string{"resourceGroupName", "privateZoneName", "virtualNetworkLinkName", "location"},
		kept:     []string{"virtualNetwork"},
	},
	"storage:StorageAccount": {
		args: storage.StorageAccountArgs{}, version: "2024-01-01", document: storageDocuments + "storage.json",
		required: []string{"sku.name", "kind", "identity.type", "networkRuleSet.defaultAction"},
		enums: map[string][]string{
			"sku.name": {
				"Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_RAGRS", "Standard_GZRS", "Standard_RAGZRS", "Premium_LRS", "Premium_ZRS",
				"StandardV2_LRS", "StandardV2_GRS", "StandardV2_ZRS", "StandardV2_GZRS", "PremiumV2_LRS", "PremiumV2_ZRS",
			},
			"kind":                             {"Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage"},
			"accessTier":                       {"Hot", "Cool", "Cold", "Premium"},
			"minimumTlsVersion":                {"TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"},
			"publicNetworkAccess":              {"Enabled", "Disabled", "SecuredByPerimeter"},
			"networkRuleSet.defaultAction":     {"Allow", "Deny"},
			"identity.type":                    {"None", "SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned"},
			"encryption.keySource":             {"Microsoft.Storage", "Microsoft.Keyvault"},
			"encryption.services.blob.keyType": {"Service", "Account"},
		},
		match: map[string]string{
			"accountName":           `^[a-z0-9]{3,24}$`,
			"networkRuleSet.bypass": `^(None|(Logging|Metrics|AzureServices)(, ?(Logging|Metrics|AzureServices))*)$`,
		},
		computed: []string{"primaryEndpoints", "primaryLocation", "creationTime", "keyCreationTime", "statusOfPrimary", "sku.tier"},
		replaced: []string{"resourceGroupName", "accountName", "location", "isHnsEnabled"},
		// learn.microsoft.com/azure/storage/common/infrastructure-encryption-enable
		kept: []string{"kind", "encryption.requireInfrastructureEncryption", "encryption.services.blob.keyType"},
	},
	"storage:BlobServiceProperties": {
		args: storage.BlobServicePropertiesArgs{}, version: "2024-01-01", document: storageDocuments + "blob.json",
		enums:    map[string][]string{"blobServicesName": {"default"}},
		bounds:   map[string][2]float64{"deleteRetentionPolicy.days": {1, 365}, "containerDeleteRetentionPolicy.days": {1, 365}},
		replaced: []string{"resourceGroupName", "accountName", "blobServicesName"},
	},
	"storage:BlobContainer": {
		args: storage.BlobContainerArgs{}, version: "2024-01-01", document: storageDocuments + "blob.json",
		enums:    map[string][]string{"publicAccess": {"Container", "Blob", "None"}},
		match:    map[string]string{"containerName": `^[a-z0-9](-?[a-z0-9])*$`},
		bounds:   map[string][2]float64{"containerName": {3, 63}},
		computed: []string{"lastModifiedTime", "leaseState", "hasImmutabilityPolicy", "hasLegalHold"},
		replaced: []string{"resourceGroupName", "accountName", "containerName"},
	},
	"storage:ManagementPolicy": {
		args: storage.ManagementPolicyArgs{}, version: "2024-01-01", document: storageDocuments + "storage.json",
		required: []string{
			"policy", "policy.rules", "policy.rules[*].name", "policy.rules[*].type", "policy.rules[*].definition.actions", "policy.rules[*].definition.filters.blobTypes",
			"policy.rules[*].definition.actions.version.delete.daysAfterCreationGreaterThan", "policy.rules[*].definition.actions.snapshot.delete.daysAfterCreationGreaterThan",
		},
		enums: map[string][]string{
			"managementPolicyName": {"default"}, "policy.rules[*].type": {"Lifecycle"},
			"policy.rules[*].definition.filters.blobTypes[*]": {"blockBlob", "appendBlob"},
		},
		// learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure
		match: map[string]string{"policy.rules[*].name": `^[a-zA-Z0-9-]{1,256}$`},
		bounds: map[string][2]float64{
			"policy.rules": {1, 100}, "policy.rules[*].definition.filters.prefixMatch": {1, 10},
			"policy.rules[*].definition.actions.version.delete.daysAfterCreationGreaterThan":          {0, 99999},
			"policy.rules[*].definition.actions.snapshot.delete.daysAfterCreationGreaterThan":         {0, 99999},
			"policy.rules[*].definition.actions.baseBlob.tierToCool.daysAfterModificationGreaterThan": {0, 99999},
		},
		computed: []string{"lastModifiedTime"},
		replaced: []string{"resourceGroupName", "accountName", "managementPolicyName"},
	},
}

// immutable are the inputs that a resource cannot change, by token: what the provider
// replaces it for, and what Azure does not take a change of, which a fake knows no
// other way to say no to.
func immutable() map[string][]string {
	all := map[string][]string{}
	for _, typ := range slices.Sorted(maps.Keys(api)) {
		all["azure-native:"+typ] = slices.Concat(api[typ].replaced, api[typ].kept)
	}
	return all
}

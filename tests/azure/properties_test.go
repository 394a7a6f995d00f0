package azure_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// Ways to break a graph, and to look at it.
var (
	set, edit, remove, copying           = graph.Setting, graph.Editing, graph.Removing, graph.Copying
	value, text, number, isTrue, isFalse = graph.Value, graph.Text, graph.Number, graph.IsTrue, graph.IsFalse
)

// each is graph.Faults of a type of Azure's.
func each(g *graph.Graph, typ string, check func(graph.Node) string) []string {
	return graph.Faults(g, "azure-native:"+typ, check)
}

// property is one of Azure's own.
type property graph.Property

func production(g *graph.Graph) bool { return !strings.HasSuffix(g.Stack, "-dev") }

// managed says that the database is Flexible Server, own that the stack makes the
// network.
func managed(g *graph.Graph) bool { return !strings.HasSuffix(g.Stack, "-incluster") }
func own(g *graph.Graph) bool     { return !strings.HasSuffix(g.Stack, "-network") }

// part is each of what some stacks have and others do not.
func part(g *graph.Graph, has bool, typ string, check func(graph.Node) string) []string {
	if !has {
		if n := len(g.OfType("azure-native:" + typ)); n > 0 {
			return []string{fmt.Sprintf("there are %d %s; want none", n, typ)}
		}
		return nil
	}
	return each(g, typ, check)
}

func properties() []property { return slices.Concat(guarded(), closed(), operated()) }

// stateful are the types whose loss is the loss of data.
var stateful = []string{
	"dbforpostgresql:Server", "dbforpostgresql:Database", "storage:StorageAccount", "storage:BlobContainer", "keyvault:Vault", "keyvault:Key", "resources:ResourceGroup",
}

func unguarded(g *graph.Graph) []string {
	if !production(g) {
		return nil
	}
	var bad []string
	for _, typ := range stateful {
		bad = append(bad, part(g, managed(g) || !strings.HasPrefix(typ, "dbforpostgresql:"), typ, func(n graph.Node) string {
			if !n.Protect || !n.Retain {
				return "is not protected and retained"
			}
			return ""
		})...)
	}
	for _, n := range g.OfType("azure-native:managedidentity:UserAssignedIdentity") {
		uses := n.Name == "cluster-identity" || strings.HasSuffix(n.Name, "-keys-identity")
		if uses && (!n.Protect || !n.Retain) {
			bad = append(bad, n.Key()+" uses keys, and is not protected and retained")
		}
	}
	for _, typ := range []string{"containerservice:ManagedCluster", "network:VirtualNetwork", "network:Subnet", "compute:DiskEncryptionSet"} {
		bad = append(bad, part(g, own(g) || !strings.HasPrefix(typ, "network:"), typ, func(n graph.Node) string {
			if !n.Protect {
				return "is not protected"
			}
			return ""
		})...)
	}
	bad = append(bad, each(g, "keyvault:Vault", func(n graph.Node) string {
		if !isTrue(n, "properties.enablePurgeProtection") || number(n, "properties.softDeleteRetentionInDays") < 90 {
			return "can be purged"
		}
		return ""
	})...)
	// Of the bucket, and of the server or the cluster that has the database's disks.
	if locks := len(g.OfType("azure-native:authorization:ManagementLockByScope")); locks != 2 {
		bad = append(bad, fmt.Sprintf("%d locks; want those of the bucket and the database", locks))
	}
	for _, n := range g.OfType("kubernetes:storage.k8s.io/v1:StorageClass") {
		if text(n, "parameters.diskEncryptionSetID") == "" || text(n, "parameters.networkAccessPolicy") != "DenyAll" || text(n, "reclaimPolicy") != "Retain" {
			bad = append(bad, n.Key()+" makes disks without the stack's key, that others reach, or that go with their claims")
		}
	}
	for _, n := range g.Nodes {
		subnet := strings.HasPrefix(n.Type, "azure-native:network:") && !strings.Contains(n.Type, "Private")
		inVault := n.Type == "azure-native:keyvault:Key" || n.Type == "azure-native:keyvault:Secret" || n.Type == "azure-native:containerservice:AgentPool"
		if (subnet || inVault) && n.DeletedWith == "" {
			bad = append(bad, n.Key()+" is deleted by itself, which Azure refuses or takes long for")
		}
	}
	return append(bad, each(g, "authorization:ManagementLockByScope", func(n graph.Node) string {
		if text(n, "level") != "CanNotDelete" {
			return "lets it be deleted"
		}
		// What it covers cannot be deleted either, so it goes first.
		if len(n.Dependencies) < 2 {
			return "goes after what is under it"
		}
		return ""
	})...)
}

// untaggable are types without tags.
var untaggable = []string{
	"Subnet", "RoleAssignment", "ManagementLockByScope", "FederatedIdentityCredential", "BlobContainer", "BlobServiceProperties", "ManagementPolicy", "Budget",
	"Configuration", "Database", "DiagnosticSetting", "MaintenanceConfiguration", "PrivateDnsZoneGroup",
}

func untagged(g *graph.Graph) []string {
	var bad []string
	for _, n := range g.Nodes {
		kind := n.Type[strings.LastIndex(n.Type, ":")+1:]
		if !strings.HasPrefix(n.Type, "azure-native:") || slices.Contains(untaggable, kind) {
			continue
		}
		for _, tag := range []string{"project", "stack", "environment", "owner", "cost-centre"} {
			if text(n, `tags["`+tag+`"]`) == "" {
				bad = append(bad, n.Key()+" has no tag "+tag)
			}
		}
	}
	return bad
}

func unencrypted(g *graph.Graph) []string {
	bad := part(g, managed(g), "dbforpostgresql:Server", func(n graph.Node) string {
		if text(n, "dataEncryption.type") != "AzureKeyVault" || text(n, "dataEncryption.primaryKeyURI") == "" {
			return "is not encrypted with the stack's key"
		}
		return ""
	})
	bad = append(bad, each(g, "storage:StorageAccount", func(n graph.Node) string {
		if text(n, "encryption.keySource") != "Microsoft.Keyvault" || text(n, "encryption.keyVaultProperties.keyName") != "bucket" || !isTrue(n, "encryption.requireInfrastructureEncryption") {
			return "is not encrypted with the stack's key, twice"
		}
		if text(n, "encryption.keyVaultProperties.keyVersion") != "" {
			return "does not follow the key's versions"
		}
		return ""
	})...)
	bad = append(bad, each(g, "containerservice:ManagedCluster", func(n graph.Node) string {
		if !isTrue(n, "securityProfile.azureKeyVaultKms.enabled") || text(n, "diskEncryptionSetID") == "" {
			return "does not encrypt Secrets and disks with the stack's keys"
		}
		return ""
	})...)
	return append(bad, each(g, "keyvault:Key", func(n graph.Node) string {
		// AKS does not follow its key.
		if n.Name != "cluster-key" && text(n, "properties.rotationPolicy.lifetimeActions[0].trigger.timeAfterCreate") != "P365D" {
			return "does not rotate"
		}
		return ""
	})...)
}

func guarded() []property {
	return []property{
		{"stateful things carry every layer of protection", unguarded, map[string]func(*graph.Graph){
			"not protected":        edit("database-server", func(n *graph.Node) { n.Protect = false }),
			"not retained":         edit("bucket-account", func(n *graph.Node) { n.Retain = false }),
			"no lock":              remove("database-lock"),
			"no identity for keys": edit("cluster-identity", func(n *graph.Node) { n.Retain = false }),
			"a subnet by itself":   edit("network-nodes", func(n *graph.Node) { n.DeletedWith = "" }),
			"a key by itself":      edit("bucket-key", func(n *graph.Node) { n.DeletedWith = "" }),
			"a pool by itself":     edit("cluster-nodes-pool", func(n *graph.Node) { n.DeletedWith = "" }),
			"an early lock":        edit("database-lock", func(n *graph.Node) { n.Dependencies = n.Dependencies[:1] }),
			"a weak lock":          set("bucket-lock", "level", "ReadOnly"),
			"purge":                set("network-keys-vault", "properties.enablePurgeProtection", false),
			"cluster":              edit("cluster-aks", func(n *graph.Node) { n.Protect = false }),
		}},
		{"everything taggable is tagged", untagged, map[string]func(*graph.Graph){
			"no tags": set("network-vnet", "tags", nil), "no owner": set("database-server", `tags["owner"]`, nil),
		}},
		{"everything is encrypted with a key of the stack", unencrypted, map[string]func(*graph.Graph){
			"database":       set("database-server", "dataEncryption", nil),
			"bucket":         set("bucket-account", "encryption.keySource", "Microsoft.Storage"),
			"once":           set("bucket-account", "encryption.requireInfrastructureEncryption", false),
			"pinned version": set("bucket-account", "encryption.keyVaultProperties.keyVersion", "1"),
			"Secrets":        set("cluster-aks", "securityProfile.azureKeyVaultKms", nil),
			"disks":          set("cluster-aks", "diskEncryptionSetID", nil),
			"no rotation":    set("bucket-key", "properties.rotationPolicy", nil),
		}},
	}
}

func closed() []property {
	return []property{
		{"nobody reaches what is private", reachable, map[string]func(*graph.Graph){
			"open API":           set("cluster-aks", "apiServerAccessProfile.authorizedIPRanges", nil),
			"the world":          set("cluster-aks", "apiServerAccessProfile.authorizedIPRanges[0]", "0.0.0.0/0"),
			"run command":        set("cluster-aks", "apiServerAccessProfile.disableRunCommand", false),
			"local accounts":     set("cluster-aks", "disableLocalAccounts", nil),
			"no directory":       set("cluster-aks", "aadProfile.enableAzureRBAC", false),
			"no policies":        set("cluster-aks", "networkProfile.networkPolicy", nil),
			"public nodes":       set("cluster-aks", "agentPoolProfiles[0].enableNodePublicIP", true),
			"public bucket":      set("bucket-account", "publicNetworkAccess", "Enabled"),
			"anonymous bucket":   set("bucket-account", "allowBlobPublicAccess", nil),
			"shared keys":        set("bucket-account", "allowSharedKeyAccess", nil),
			"plain HTTP":         set("bucket-account", "enableHttpsTrafficOnly", false),
			"old TLS":            set("bucket-account", "minimumTlsVersion", "TLS1_0"),
			"open firewall":      set("bucket-account", "networkRuleSet.defaultAction", "Allow"),
			"public container":   set("bucket-artifacts", "publicAccess", "Blob"),
			"public database":    set("database-server", "network.delegatedSubnetResourceId", nil),
			"plain database":     set("database-require-secure-transport", "value", "off"),
			"open group":         set("network-database-firewall", "securityRules[2].access", "Allow"),
			"nodes of everybody": set("network-database-firewall", "securityRules[0].sourceAddressPrefix", "VirtualNetwork"),
			"open vault":         set("network-keys-vault", "properties.networkAcls", nil),
			"no endpoint":        remove("bucket-endpoint"),
			"no name inside":     remove("bucket-endpoint-names"),
			"an unlinked zone":   remove("database-zone-link"),
			"no address inside":  set("cluster-aks", "apiServerAccessProfile.enableVnetIntegration", false),
			"implicit way out":   set("network-nodes", "defaultOutboundAccess", nil),
			"access policies":    set("network-keys-vault", "properties.enableRbacAuthorization", nil),
		}},
		{"roles are as small as their use", roles, map[string]func(*graph.Graph){
			"whole account":   set("identity-access", "scope", "/subscriptions/"+subscription+"/resourceGroups/g/providers/x/bucket-account"),
			"the dumps":       set("identity-access", "scope", "/subscriptions/"+subscription+"/resourceGroups/g/providers/x/bucket-backups"),
			"owner":           set("identity-access", "roleDefinitionId", "/subscriptions/"+subscription+"/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
			"everybody":       set("identity-credential", "subject", "system:serviceaccount:*:*"),
			"another issuer":  set("identity-credential", "issuer", "https://login.example.com"),
			"a person's role": set("identity-access", "principalType", "User"),
			"viewers who administer": edit("cluster-viewer-user-aaaaaaaa-0000-4000-8000-000000000003-417ae6e4", func(n *graph.Node) {
				n.Inputs = n.Inputs.Copy()
				n.Inputs["roleDefinitionId"] = resource.NewProperty("/x/b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b")
			}),
			"administrators of everything": edit("cluster-admin-group-aaaaaaaa-0000-4000-8000-000000000001-4220d38e", func(n *graph.Node) {
				n.Inputs = n.Inputs.Copy()
				n.Inputs["scope"] = resource.NewProperty("/subscriptions/" + subscription)
			}),
			"another audience": set("identity-credential", "audiences", []any{"api://another"}),
			"the other pods":   set("identity-credential", "subject", "system:serviceaccount:mlflow:database-backup"),
			"an extra role":    copying("identity-access", "identity-more"),
		}},
	}
}

func reachable(g *graph.Graph) []string {
	bad := each(g, "containerservice:ManagedCluster", func(n graph.Node) string {
		allowed := value(n, "apiServerAccessProfile.authorizedIPRanges")
		switch {
		case allowed.IsArray() == isTrue(n, "apiServerAccessProfile.enablePrivateCluster") || strings.Contains(fmt.Sprint(allowed), "/0}"):
			return "has an open API"
		case !isTrue(n, "apiServerAccessProfile.enableVnetIntegration") || text(n, "apiServerAccessProfile.subnetId") == "":
			return "lets its nodes out to reach the API"
		case !isTrue(n, "apiServerAccessProfile.disableRunCommand") || !isTrue(n, "disableLocalAccounts") || !isTrue(n, "aadProfile.enableAzureRBAC"):
			return "lets in others than the directory does"
		case text(n, "networkProfile.networkPolicy") != "cilium" || text(n, "networkProfile.networkDataplane") != "cilium":
			return "does not enforce NetworkPolicies"
		case !isFalse(n, "agentPoolProfiles[0].enableNodePublicIP") || text(n, "agentPoolProfiles[0].vnetSubnetID") == "":
			return "has public nodes"
		}
		return ""
	})
	bad = append(bad, each(g, "storage:StorageAccount", func(n graph.Node) string {
		if !isFalse(n, "allowBlobPublicAccess") || !isFalse(n, "allowSharedKeyAccess") || !isTrue(n, "enableHttpsTrafficOnly") || text(n, "minimumTlsVersion") != "TLS1_2" ||
			text(n, "publicNetworkAccess") != "Disabled" || text(n, "networkRuleSet.defaultAction") != "Deny" {
			return "is open"
		}
		return ""
	})...)
	bad = append(bad, each(g, "storage:BlobContainer", func(n graph.Node) string {
		if text(n, "publicAccess") != "None" {
			return "is public"
		}
		return ""
	})...)
	bad = append(bad, part(g, managed(g), "dbforpostgresql:Server", func(n graph.Node) string {
		if text(n, "network.delegatedSubnetResourceId") == "" || text(n, "network.privateDnsZoneArmResourceId") == "" {
			return "has a public address"
		}
		return ""
	})...)
	bad = append(bad, part(g, managed(g), "dbforpostgresql:Configuration", func(n graph.Node) string {
		if text(n, "configurationName") == "require_secure_transport" && text(n, "value") != "on" {
			return "lets plain connections in"
		}
		return ""
	})...)
	bad = append(bad, part(g, own(g), "network:NetworkSecurityGroup", func(n graph.Node) string {
		last := fmt.Sprintf("securityRules[%d].", len(value(n, "securityRules").ArrayValue())-1)
		if text(n, last+"access") != "Deny" || text(n, last+"sourceAddressPrefix") != "*" || text(n, last+"destinationPortRange") != "*" {
			return "lets others in"
		}
		for i := range len(value(n, "securityRules").ArrayValue()) - 1 {
			from := fmt.Sprintf("securityRules[%d].sourceAddressPrefix", i)
			if strings.Contains("* 0.0.0.0/0 Internet VirtualNetwork", text(n, from)) && text(n, from) != "" {
				return "lets " + text(n, from) + " in"
			}
		}
		return ""
	})...)
	bad = append(bad, part(g, own(g), "network:Subnet", func(n graph.Node) string {
		if !isFalse(n, "defaultOutboundAccess") {
			return "has a way out that nobody made"
		}
		return ""
	})...)
	bad = append(bad, each(g, "network:PrivateEndpoint", func(graph.Node) string { return "" })...)
	bad = append(bad, each(g, "network:PrivateDnsZoneGroup", func(graph.Node) string { return "" })...)
	for _, zone := range g.OfType("azure-native:privatedns:PrivateZone") {
		if _, linked := called(g, "privatedns:VirtualNetworkLink", "privateZoneName", text(zone, "privateZoneName")); !linked {
			bad = append(bad, zone.Key()+" is not linked")
		}
	}
	return append(bad, each(g, "keyvault:Vault", func(n graph.Node) string {
		if !isTrue(n, "properties.enableRbacAuthorization") {
			return "has access policies, which every contributor changes"
		}
		// AKS asks the one of its key over the internet.
		if n.Name != "cluster-keys-vault" && (text(n, "properties.networkAcls.defaultAction") != "Deny" || text(n, "properties.networkAcls.bypass") != "AzureServices") {
			return "answers everybody"
		}
		return ""
	})...)
}

// roles compares who may do what, on what, with what the stack needs.
func roles(g *graph.Graph) []string {
	want := []string{
		"backup-identity-access: ba92f5b4 on bucket-backups", "cluster-api-server: 4d97b98b on network-api-server", "cluster-crypto: 12338af0 on cluster-keys-vault",
		"cluster-disks-reader: acdd72a7 on network-group", "cluster-nodes: 4d97b98b on network-nodes",
		"identity-access: ba92f5b4 on bucket-artifacts", "network-keys-use: e147488a on network-keys-vault",
	}
	if !own(g) {
		want[1], want[4] = "cluster-api-server: 4d97b98b on aks-api", "cluster-nodes: 4d97b98b on aks"
		want = slices.Insert(want, 2, "database-paired-keys-use: e147488a on database-paired-keys-vault")
		slices.Sort(want)
	}
	var got, bad []string
	for _, n := range g.OfType("azure-native:authorization:RoleAssignment") {
		role, scope := text(n, "roleDefinitionId"), text(n, "scope")
		line := fmt.Sprintf("%s: %s on %s", n.Name, role[strings.LastIndex(role, "/")+1:][:8], scope[strings.LastIndex(scope, "/")+1:])
		if strings.HasPrefix(n.Name, "cluster-admin-") || strings.HasPrefix(n.Name, "cluster-viewer-") {
			// As the settings say, or Azure refuses it.
			if kind := text(n, "principalType"); !strings.Contains(n.Name, strings.ToLower(kind)) || strings.Contains(text(n, "principalId"), ":") {
				bad = append(bad, n.Name+" is given to a "+kind)
			}
			// The cluster's administrators, those who look at it, and its address for both.
			may := "b1ff04bb"
			if strings.HasPrefix(n.Name, "cluster-viewer-") {
				may = "7f6c6a51"
			}
			if strings.HasSuffix(n.Name, "-user") {
				may = "4abbcc35"
			}
			if _, what, _ := strings.Cut(line, ": "); what != may+" on network-group" {
				bad = append(bad, n.Name+" may do "+what)
			}
			continue
		}
		if text(n, "principalType") != "ServicePrincipal" {
			bad = append(bad, n.Name+" is given to a person")
		}
		got = append(got, line)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		bad = append(bad, fmt.Sprintf("roles are %q; want %q", got, want))
	}
	return append(bad, each(g, "managedidentity:FederatedIdentityCredential", func(n graph.Node) string {
		account := map[string]string{"identity-credential": "mlflow", "backup-identity-credential": "database-backup"}[n.Name]
		if text(n, "subject") != "system:serviceaccount:mlflow:"+account || text(n, "issuer") != "https://issuer.example.com/1/" ||
			text(n, "audiences[0]") != "api://AzureADTokenExchange" {
			return "binds others"
		}
		return ""
	})...)
}

func operated() []property {
	return []property{
		{"it runs without being looked after", unoperated, map[string]func(*graph.Graph){
			"one zone":                    set("cluster-aks", "agentPoolProfiles[0].availabilityZones", []any{"1"}),
			"nodes that refuse":           set("cluster-aks", "agentPoolProfiles[0].orchestratorVersion", "1.36"),
			"unsigned software":           set("cluster-aks", "agentPoolProfiles[0].securityProfile.enableSecureBoot", false),
			"open node group":             set("cluster-aks", "nodeResourceGroupProfile", nil),
			"no access log":               remove("bucket-access"),
			"no log of the vault":         remove("network-keys-audit"),
			"no way to the standby":       set("network-database", "serviceEndpoints", nil),
			"requests of other nodes":     func(g *graph.Graph) { g.Set("exposure-loadbalancer", "spec.externalTrafficPolicy", "Cluster") },
			"nodes never patched":         set("cluster-aks", "autoUpgradeProfile.nodeOSUpgradeChannel", "None"),
			"no surge":                    set("cluster-aks", "agentPoolProfiles[0].upgradeSettings", nil),
			"no room for DNS":             set("cluster-aks", "agentPoolProfiles[0].nodeTaints", nil),
			"one system node":             set("cluster-aks", "agentPoolProfiles[0].count", 1),
			"no pool":                     remove("cluster-nodes-pool"),
			"a pool in one zone":          set("cluster-nodes-pool", "availabilityZones", []any{"1"}),
			"unsigned software in a pool": set("cluster-nodes-pool", "securityProfile.enableVTPM", false),
			"a pool without surge":        set("cluster-nodes-pool", "upgradeSettings", nil),
			"a public pool":               set("cluster-nodes-pool", "enableNodePublicIP", true),
			"no issuer":                   set("cluster-aks", "oidcIssuerProfile.enabled", false),
			"no identities":               set("cluster-aks", "securityProfile.workloadIdentity", nil),
			"upgrades on Wednesday":       set("cluster-upgrades", "maintenanceWindow.schedule.weekly.dayOfWeek", "Wednesday"),
			"images at noon":              set("cluster-images", "maintenanceWindow.startTime", "12:00"),
			"a bucket in one zone":        set("bucket-account", "sku.name", "Standard_LRS"),
			"keys of yesterday":           set("cluster-disks", "rotationToLatestKeyVersionEnabled", false),
			"undone for a day":            set("bucket-versions", "containerDeleteRetentionPolicy.days", 1),
			"old TLS of the database":     set("database-ssl-min-protocol-version", "value", "TLSv1"),
			"others' groups":              set("budget-monthly", "filter.dimensions.values[1]", "mlflow-other-nodes"),
			"an alert too late":           set("database-alert-storage", "criteria.allOf[0].threshold", 99),
			"nobody asks if it lives":     remove("database-alert-alive"),
			"no statistics":               remove("database-pg-qs-query-capture-mode"),
			"no uptime agreement":         set("cluster-aks", "sku.tier", "Free"),
			"upgrades at noon":            remove("cluster-images"),
			"no audit log":                set("cluster-audit", "logs", []any{}),
			"logs for ever":               set("network-logs", "retentionInDays", nil),
			"no standby":                  set("database-server", "highAvailability.mode", "Disabled"),
			"no backups":                  set("database-server", "backup.backupRetentionDays", 1),
			"fixed storage":               set("database-server", "storage.autoGrow", "Disabled"),
			"no max_connections":          remove("database-max-connections"),
			"no versions":                 set("bucket-versions", "isVersioningEnabled", false),
			"deletion is final":           set("bucket-versions", "deleteRetentionPolicy.enabled", false),
			"no lifecycle":                remove("bucket-lifecycle"),
			"expiry of models":            set("bucket-lifecycle", "policy.rules[0].definition.actions.baseBlob", map[string]any{"delete": map[string]any{"daysAfterModificationGreaterThan": 180}}),
			"archive":                     set("bucket-lifecycle", "policy.rules[1].definition.actions.baseBlob", map[string]any{"tierToArchive": map[string]any{"daysAfterModificationGreaterThan": 180}}),
			"budget":                      set("budget-monthly", "amount", 0),
			"budget without people":       set("budget-monthly", "notifications.actual80.contactGroups", []any{}),
			"budget of fewer steps":       set("budget-monthly", "notifications.forecast100", nil),
			"half of the bill":            set("budget-monthly", "filter.dimensions.values", []any{"mlflow-azure-prod"}),
			"alert without people":        set("database-alert-storage", "actions", []any{}),
			"no alert of the CPU":         remove("database-alert-cpu"),
			"nobody is told":              set("network-alerts-group", "emailReceivers", []any{}),
		}},
	}
}

func unoperated(g *graph.Graph) []string {
	bad := each(g, "containerservice:ManagedCluster", func(n graph.Node) string {
		switch {
		case len(value(n, "agentPoolProfiles[0].availabilityZones").ArrayValue()) != 3:
			return "is not in three zones"
		case text(n, "autoUpgradeProfile.nodeOSUpgradeChannel") != "NodeImage" || text(n, "autoUpgradeProfile.upgradeChannel") != "patch":
			return "is not patched"
		case text(n, "agentPoolProfiles[0].orchestratorVersion") != "":
			return "has a version for one of its pools, which AKS refuses"
		case !isTrue(n, "agentPoolProfiles[0].securityProfile.enableSecureBoot") || !isTrue(n, "agentPoolProfiles[0].securityProfile.enableVTPM"):
			return "starts what nobody signed"
		case !isTrue(n, "oidcIssuerProfile.enabled") || !isTrue(n, "securityProfile.workloadIdentity.enabled"):
			return "gives pods no identity"
		case text(n, "nodeResourceGroupProfile.restrictionLevel") != "ReadOnly":
			return "lets others change its nodes"
		case text(n, "agentPoolProfiles[0].upgradeSettings.maxSurge") == "":
			return "has no node to spare for an upgrade"
		case production(g) && (text(n, "agentPoolProfiles[0].nodeTaints[0]") != "CriticalAddonsOnly=true:NoSchedule" || number(n, "agentPoolProfiles[0].count") < 2):
			return "lets a busy server starve the cluster's DNS"
		case production(g) && text(n, "sku.tier") != "Standard":
			return "has no uptime agreement"
		}
		return ""
	})
	bad = append(bad, part(g, production(g), "containerservice:AgentPool", func(n graph.Node) string {
		switch {
		case len(value(n, "availabilityZones").ArrayValue()) != 3 || number(n, "minCount") < 3:
			return "is not in three zones"
		case !isTrue(n, "securityProfile.enableSecureBoot") || !isTrue(n, "securityProfile.enableVTPM"):
			return "starts what nobody signed"
		case text(n, "upgradeSettings.maxSurge") == "":
			return "has no node to spare for an upgrade"
		case !isFalse(n, "enableNodePublicIP") || text(n, "vnetSubnetID") == "":
			return "has public nodes"
		}
		return ""
	})...)
	logged := ""
	for _, n := range g.OfType("azure-native:monitor:DiagnosticSetting") {
		logged += fmt.Sprint(value(n, "logs"))
	}
	if vaults := len(g.OfType("azure-native:keyvault:Vault")); strings.Count(logged, "AuditEvent") != vaults {
		bad = append(bad, fmt.Sprintf("who used a key is not kept for each of %d vaults", vaults))
	}
	for _, category := range []string{"kube-audit-admin", "StorageDelete", "PostgreSQLLogs"} {
		if !strings.Contains(logged, category) && (managed(g) || category != "PostgreSQLLogs") {
			bad = append(bad, "nobody keeps "+category)
		}
	}
	for _, n := range g.OfType("azure-native:network:Subnet") {
		if n.Name == "network-database" && text(n, "serviceEndpoints[0].service") != "Microsoft.Storage" {
			bad = append(bad, n.Key()+" has no way to the standby's log")
		}
	}
	// Cilium takes what another node passes on for the node's.
	for _, n := range g.OfType("kubernetes:core/v1:Service") {
		if text(n, "spec.type") == "LoadBalancer" && text(n, "spec.externalTrafficPolicy") != "Local" {
			bad = append(bad, n.Key()+" passes requests on between nodes")
		}
	}
	bad = append(bad, each(g, "containerservice:MaintenanceConfiguration", func(n graph.Node) string {
		if text(n, "maintenanceWindow.schedule.weekly.dayOfWeek") != "Sunday" || text(n, "maintenanceWindow.startTime") != "05:00" {
			return "is when people work"
		}
		return ""
	})...)
	bad = append(bad, each(g, "compute:DiskEncryptionSet", func(n graph.Node) string {
		if !isTrue(n, "rotationToLatestKeyVersionEnabled") {
			return "does not follow its key"
		}
		return ""
	})...)
	bad = append(bad, each(g, "storage:StorageAccount", func(n graph.Node) string {
		if text(n, "sku.name") != "Standard_ZRS" {
			return "is in one zone"
		}
		return ""
	})...)
	if n := len(g.OfType("azure-native:containerservice:MaintenanceConfiguration")); n != 2 {
		bad = append(bad, fmt.Sprintf("%d maintenance windows; want those of upgrades and of images", n))
	}
	bad = append(bad, each(g, "monitor:DiagnosticSetting", func(n graph.Node) string {
		if v := value(n, "logs"); !v.IsArray() || len(v.ArrayValue()) == 0 {
			return "keeps no log"
		}
		return ""
	})...)
	bad = append(bad, each(g, "operationalinsights:Workspace", func(n graph.Node) string {
		if days := number(n, "retentionInDays"); days < 30 || days > 365 || number(n, "workspaceCapping.dailyQuotaGb") <= 0 {
			return "keeps logs for ever, or any number of them"
		}
		return ""
	})...)
	bad = append(bad, part(g, managed(g), "dbforpostgresql:Server", func(n graph.Node) string {
		if production(g) && text(n, "highAvailability.mode") != "ZoneRedundant" || number(n, "backup.backupRetentionDays") < 7 || text(n, "storage.autoGrow") != "Enabled" {
			return "lacks standby, backups or growth"
		}
		return ""
	})...)
	parameters := ""
	for _, n := range g.OfType("azure-native:dbforpostgresql:Configuration") {
		parameters += text(n, "configurationName") + "=" + text(n, "value") + " "
		if !n.Retried {
			bad = append(bad, n.Key()+" gives up when the server is busy")
		}
	}
	wanted := []string{"max_connections=", "require_secure_transport=on", "ssl_min_protocol_version=TLSv1.2", "log_min_duration_statement=", "azure.extensions="}
	if production(g) {
		wanted = append(wanted, "pg_qs.query_capture_mode=top")
	}
	for _, want := range wanted {
		if managed(g) && !strings.Contains(parameters, want) {
			bad = append(bad, "nobody sets "+want)
		}
	}
	return append(append(append(bad, lifecycle(g)...), money(g)...), unwatched(g)...)
}

func lifecycle(g *graph.Graph) []string {
	bad := each(g, "storage:BlobServiceProperties", func(n graph.Node) string {
		if !isTrue(n, "isVersioningEnabled") || !isTrue(n, "deleteRetentionPolicy.enabled") || !isTrue(n, "containerDeleteRetentionPolicy.enabled") ||
			number(n, "deleteRetentionPolicy.days") < 7 || number(n, "containerDeleteRetentionPolicy.days") < 7 {
			return "cannot undo a deletion"
		}
		return ""
	})
	return append(bad, each(g, "storage:ManagementPolicy", func(n graph.Node) string {
		all := fmt.Sprint(value(n, "policy.rules"))
		if !strings.Contains(all, "version:{map[delete:") {
			return "keeps versions for ever"
		}
		for _, rule := range value(n, "policy.rules").ArrayValue() {
			base := fmt.Sprint(rule.ObjectValue()["definition"].ObjectValue()["actions"].ObjectValue()["baseBlob"])
			if strings.Contains(base, "delete") || strings.Contains(base, "tierToArchive") {
				return "deletes or archives models"
			}
		}
		return ""
	})...)
}

// stackGroup is the name of the stack's resource group.
func stackGroup(g *graph.Graph) string {
	for _, n := range g.OfType("azure-native:resources:ResourceGroup") {
		return text(n, "resourceGroupName")
	}
	return ""
}

func money(g *graph.Graph) []string {
	bad := each(g, "consumption:Budget", func(n graph.Node) string {
		if number(n, "amount") < 1 || text(n, "timePeriod.startDate") != "2026-11-01T00:00:00Z" || text(n, "filter.dimensions.values[1]") != text(n, "filter.dimensions.values[0]")+"-nodes" || text(n, "filter.dimensions.values[0]") != stackGroup(g) {
			return "watches nothing"
		}
		for key, want := range map[string]struct {
			kind    string
			percent float64
		}{"actual50": {"Actual", 50}, "actual80": {"Actual", 80}, "actual100": {"Actual", 100}, "forecast100": {"Forecasted", 100}} {
			at := "notifications." + key + "."
			if text(n, at+"thresholdType") != want.kind || number(n, at+"threshold") != want.percent || text(n, at+"contactGroups[0]") == "" {
				return "does not tell at " + key
			}
		}
		return ""
	})
	return append(bad, each(g, "monitor:ActionGroup", func(n graph.Node) string {
		if text(n, "emailReceivers[0].emailAddress") == "" || !isTrue(n, "enabled") {
			return "tells nobody"
		}
		return ""
	})...)
}

// unwatched are the metrics without an alert.
func unwatched(g *graph.Graph) []string {
	watched := ""
	bad := each(g, "monitor:MetricAlert", func(n graph.Node) string {
		watched += text(n, "criteria.allOf[0].metricName") + " "
		if metric := text(n, "criteria.allOf[0].metricName"); strings.HasSuffix(metric, "_percent") && number(n, "criteria.allOf[0].threshold") > 90 {
			return "tells too late"
		}
		if text(n, "actions[0].actionGroupId") == "" {
			return "tells nobody"
		}
		if text(n, "criteria.odataType") != "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria" {
			return "has no type that Azure knows"
		}
		return ""
	})
	for _, metric := range []string{"storage_percent", "active_connections", "cpu_percent", "memory_percent", "is_db_alive", "UsedCapacity"} {
		if !strings.Contains(watched, metric) && (managed(g) || metric == "UsedCapacity") {
			bad = append(bad, "nobody watches "+metric)
		}
	}
	return bad
}

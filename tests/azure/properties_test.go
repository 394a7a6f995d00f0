package azure_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// Ways to break a graph, and to look at it.
var (
	set, edit, remove           = graph.Setting, graph.Editing, graph.Removing
	value, text, isTrue, number = graph.Value, graph.Text, graph.IsTrue, graph.Number
)

// isFalse is false said out loud: Azure's own default is often the other one.
func isFalse(n graph.Node, path string) bool {
	v := value(n, path)
	return v.IsBool() && !v.BoolValue()
}

// each collects what is wrong with the nodes of a type, and that there is none.
func each(g *graph.Graph, typ string, check func(graph.Node) string) []string {
	var bad []string
	nodes := g.OfType("azure-native:" + typ)
	if len(nodes) == 0 {
		bad = append(bad, "there is no "+typ)
	}
	for _, n := range nodes {
		if problem := check(n); problem != "" {
			bad = append(bad, n.Key()+" "+problem)
		}
	}
	return bad
}

func production(g *graph.Graph) bool { return strings.HasSuffix(g.Stack, "-prod") }

func properties() []property {
	return slices.Concat(shared(), guarded(), closed(), operated())
}

// shared are the rules of every platform.
func shared() []property {
	return []property{
		{"everything descends from the stack's two groups", graph.Orphans, map[string]func(*graph.Graph){
			"no parent": edit("network-vnet", func(n *graph.Node) { n.Parent = "" }),
		}},
		{"every custom resource has an explicit provider", graph.WithoutProvider, map[string]func(*graph.Graph){
			"default provider": edit("network-vnet", func(n *graph.Node) { n.Provider = "" }),
		}},
		{"names are unique", graph.Duplicates, map[string]func(*graph.Graph){
			"a node twice": func(g *graph.Graph) { g.Nodes = append(g.Nodes, g.Nodes[3]) },
		}},
		{"what pods refer to exists", graph.Dangling, map[string]func(*graph.Graph){
			"no authority": remove("database-ca"), "no role Secret": remove("database-role-secret"),
		}},
		{"every namespace denies by default", graph.OpenNamespaces, map[string]func(*graph.Graph){
			"no policy": remove("workspace-netpol-default-deny"),
		}},
		{"nothing bypasses the gateway", graph.Bypasses, map[string]func(*graph.Graph){
			"load balancer": set("mlflow-service", "spec.type", "LoadBalancer"),
		}},
	}
}

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
		bad = append(bad, each(g, typ, func(n graph.Node) string {
			if !n.Protect || !n.Retain {
				return "is not protected and retained"
			}
			return ""
		})...)
	}
	for _, typ := range []string{"containerservice:ManagedCluster", "network:VirtualNetwork", "network:Subnet", "compute:DiskEncryptionSet"} {
		bad = append(bad, each(g, typ, func(n graph.Node) string {
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
	locked := fmt.Sprint(len(g.OfType("azure-native:authorization:ManagementLockByScope")))
	if locked != "2" {
		bad = append(bad, locked+" locks; want those of the database and the bucket")
	}
	return append(bad, each(g, "authorization:ManagementLockByScope", func(n graph.Node) string {
		if text(n, "level") != "CanNotDelete" {
			return "lets it be deleted"
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
	bad := each(g, "dbforpostgresql:Server", func(n graph.Node) string {
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
			"not protected": edit("database-server", func(n *graph.Node) { n.Protect = false }),
			"not retained":  edit("bucket-account", func(n *graph.Node) { n.Retain = false }),
			"no lock":       remove("database-lock"),
			"a weak lock":   set("bucket-lock", "level", "ReadOnly"),
			"purge":         set("network-keys-vault", "properties.enablePurgeProtection", false),
			"cluster":       edit("cluster-aks", func(n *graph.Node) { n.Protect = false }),
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
			"open API":         set("cluster-aks", "apiServerAccessProfile.authorizedIPRanges", nil),
			"the world":        set("cluster-aks", "apiServerAccessProfile.authorizedIPRanges[0]", "0.0.0.0/0"),
			"nodes shut out":   set("cluster-aks", "apiServerAccessProfile.authorizedIPRanges", []any{"198.51.100.0/24"}),
			"run command":      set("cluster-aks", "apiServerAccessProfile.disableRunCommand", false),
			"local accounts":   set("cluster-aks", "disableLocalAccounts", nil),
			"no directory":     set("cluster-aks", "aadProfile.enableAzureRBAC", false),
			"no policies":      set("cluster-aks", "networkProfile.networkPolicy", nil),
			"public nodes":     set("cluster-aks", "agentPoolProfiles[0].enableNodePublicIP", true),
			"public bucket":    set("bucket-account", "publicNetworkAccess", "Enabled"),
			"anonymous bucket": set("bucket-account", "allowBlobPublicAccess", nil),
			"shared keys":      set("bucket-account", "allowSharedKeyAccess", nil),
			"plain HTTP":       set("bucket-account", "enableHttpsTrafficOnly", false),
			"old TLS":          set("bucket-account", "minimumTlsVersion", "TLS1_0"),
			"open firewall":    set("bucket-account", "networkRuleSet.defaultAction", "Allow"),
			"public container": set("bucket-artifacts", "publicAccess", "Blob"),
			"public database":  set("database-server", "network.delegatedSubnetResourceId", nil),
			"plain database":   set("database-require-secure-transport", "value", "OFF"),
			"open group":       set("network-database-firewall", "securityRules[2].access", "Allow"),
			"implicit way out": set("network-nodes", "defaultOutboundAccess", nil),
			"access policies":  set("network-keys-vault", "properties.enableRbacAuthorization", nil),
		}},
		{"roles are as small as their use", roles, map[string]func(*graph.Graph){
			"whole account":   set("identity-access", "scope", "/subscriptions/"+subscription+"/resourceGroups/g/providers/x/bucket-account"),
			"the dumps":       set("identity-access", "scope", "/subscriptions/"+subscription+"/resourceGroups/g/providers/x/bucket-backups"),
			"owner":           set("identity-access", "roleDefinitionId", "/subscriptions/"+subscription+"/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"),
			"everybody":       set("identity-credential", "subject", "system:serviceaccount:*:*"),
			"another issuer":  set("identity-credential", "issuer", "https://login.example.com"),
			"a person's role": set("identity-access", "principalType", "User"),
			"an extra role":   func(g *graph.Graph) { g.Nodes = append(g.Nodes, copyOf(g, "identity-access", "identity-more")) },
		}},
	}
}

func copyOf(g *graph.Graph, name, as string) graph.Node {
	for _, n := range g.Nodes {
		if n.Name == name {
			n.Name = as
			return n
		}
	}
	panic("no " + name)
}

func reachable(g *graph.Graph) []string {
	bad := each(g, "containerservice:ManagedCluster", func(n graph.Node) string {
		allowed := fmt.Sprint(value(n, "apiServerAccessProfile.authorizedIPRanges"))
		switch {
		case !value(n, "apiServerAccessProfile.authorizedIPRanges").IsArray() || strings.Contains(allowed, "/0}"):
			return "has an open API"
		case !strings.Contains(allowed, "203.0.113.7/32"):
			return "shuts its own nodes out"
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
	bad = append(bad, each(g, "dbforpostgresql:Server", func(n graph.Node) string {
		if text(n, "network.delegatedSubnetResourceId") == "" || text(n, "network.privateDnsZoneArmResourceId") == "" {
			return "has a public address"
		}
		return ""
	})...)
	bad = append(bad, each(g, "dbforpostgresql:Configuration", func(n graph.Node) string {
		if text(n, "configurationName") == "require_secure_transport" && text(n, "value") != "ON" {
			return "lets plain connections in"
		}
		return ""
	})...)
	bad = append(bad, each(g, "network:NetworkSecurityGroup", func(n graph.Node) string {
		if text(n, "securityRules[2].access") != "Deny" || text(n, "securityRules[2].sourceAddressPrefix") != "*" {
			return "lets others in"
		}
		return ""
	})...)
	bad = append(bad, each(g, "network:Subnet", func(n graph.Node) string {
		if !isFalse(n, "defaultOutboundAccess") {
			return "has a way out that nobody made"
		}
		return ""
	})...)
	return append(bad, each(g, "keyvault:Vault", func(n graph.Node) string {
		if !isTrue(n, "properties.enableRbacAuthorization") {
			return "has access policies, which every contributor changes"
		}
		return ""
	})...)
}

// roles compares who may do what, on what, with what the stack needs.
func roles(g *graph.Graph) []string {
	want := []string{
		"backup-identity-access: ba92f5b4 on bucket-backups", "cluster-crypto: 12338af0 on network-keys-vault", "cluster-disks-reader: acdd72a7 on cluster-disks",
		"cluster-network: 4d97b98b on network-vnet",
		"identity-access: ba92f5b4 on bucket-artifacts", "network-keys-use: e147488a on network-keys-vault",
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
		if !strings.HasPrefix(text(n, "subject"), "system:serviceaccount:mlflow:") || text(n, "issuer") != "https://issuer.example.com/1/" {
			return "binds others"
		}
		return ""
	})...)
}

func operated() []property {
	return []property{
		{"it runs without being looked after", unoperated, map[string]func(*graph.Graph){
			"one zone":                set("cluster-aks", "agentPoolProfiles[0].availabilityZones", []any{"1"}),
			"nodes of yesterday":      set("cluster-aks", "agentPoolProfiles[0].orchestratorVersion", nil),
			"open node group":         set("cluster-aks", "nodeResourceGroupProfile", nil),
			"no access log":           remove("bucket-access"),
			"no log of the vault":     remove("cluster-vault-audit"),
			"no way to the standby":   set("network-database", "serviceEndpoints", nil),
			"requests of other nodes": func(g *graph.Graph) { g.Set("exposure-loadbalancer", "spec.externalTrafficPolicy", "Cluster") },
			"nodes never patched":     set("cluster-aks", "autoUpgradeProfile.nodeOSUpgradeChannel", "None"),
			"no surge":                set("cluster-aks", "agentPoolProfiles[0].upgradeSettings", nil),
			"no uptime agreement":     set("cluster-aks", "sku.tier", "Free"),
			"upgrades at noon":        remove("cluster-images"),
			"no audit log":            set("cluster-audit", "logs", []any{}),
			"logs for ever":           set("cluster-logs", "retentionInDays", nil),
			"no standby":              set("database-server", "highAvailability.mode", "Disabled"),
			"no backups":              set("database-server", "backup.backupRetentionDays", 1),
			"fixed storage":           set("database-server", "storage.autoGrow", "Disabled"),
			"no max_connections":      remove("database-max-connections"),
			"no versions":             set("bucket-versions", "isVersioningEnabled", false),
			"deletion is final":       set("bucket-versions", "deleteRetentionPolicy.enabled", false),
			"no lifecycle":            remove("bucket-lifecycle"),
			"expiry of models":        set("bucket-lifecycle", "policy.rules[0].definition.actions.baseBlob", map[string]any{"delete": map[string]any{"daysAfterModificationGreaterThan": 180}}),
			"archive":                 set("bucket-lifecycle", "policy.rules[1].definition.actions.baseBlob", map[string]any{"tierToArchive": map[string]any{"daysAfterModificationGreaterThan": 180}}),
			"budget":                  set("budget-monthly", "amount", 0),
			"budget without people":   set("budget-monthly", "notifications.actual80.contactEmails", []any{}),
			"budget of fewer steps":   set("budget-monthly", "notifications.forecast100", nil),
			"half of the bill":        set("budget-monthly", "filter.dimensions.values", []any{"mlflow-azure-prod"}),
			"alert without people":    set("database-alert-storage", "actions", []any{}),
			"no alert of the CPU":     remove("database-alert-cpu"),
			"nobody is told":          set("network-alerts-group", "emailReceivers", []any{}),
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
		case text(n, "agentPoolProfiles[0].orchestratorVersion") != text(n, "kubernetesVersion"):
			return "leaves its nodes behind"
		case text(n, "nodeResourceGroupProfile.restrictionLevel") != "ReadOnly":
			return "lets others change its nodes"
		case text(n, "agentPoolProfiles[0].upgradeSettings.maxSurge") == "":
			return "has no node to spare for an upgrade"
		case production(g) && text(n, "sku.tier") != "Standard":
			return "has no uptime agreement"
		}
		return ""
	})
	logged := ""
	for _, n := range g.OfType("azure-native:monitor:DiagnosticSetting") {
		logged += fmt.Sprint(value(n, "logs"))
	}
	for _, category := range []string{"kube-audit-admin", "AuditEvent", "StorageDelete", "PostgreSQLLogs"} {
		if !strings.Contains(logged, category) {
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
	bad = append(bad, each(g, "dbforpostgresql:Server", func(n graph.Node) string {
		if production(g) && text(n, "highAvailability.mode") != "ZoneRedundant" || number(n, "backup.backupRetentionDays") < 7 || text(n, "storage.autoGrow") != "Enabled" {
			return "lacks standby, backups or growth"
		}
		return ""
	})...)
	parameters := ""
	for _, n := range g.OfType("azure-native:dbforpostgresql:Configuration") {
		parameters += text(n, "configurationName") + " "
	}
	for _, want := range []string{"max_connections", "require_secure_transport", "log_min_duration_statement"} {
		if !strings.Contains(parameters, want) {
			bad = append(bad, "nobody sets "+want)
		}
	}
	return append(append(append(bad, lifecycle(g)...), money(g)...), unwatched(g)...)
}

func lifecycle(g *graph.Graph) []string {
	bad := each(g, "storage:BlobServiceProperties", func(n graph.Node) string {
		if !isTrue(n, "isVersioningEnabled") || !isTrue(n, "deleteRetentionPolicy.enabled") || !isTrue(n, "containerDeleteRetentionPolicy.enabled") {
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

func money(g *graph.Graph) []string {
	bad := each(g, "consumption:Budget", func(n graph.Node) string {
		if number(n, "amount") < 1 || text(n, "timePeriod.startDate") != "2026-11-01T00:00:00Z" || len(value(n, "filter.dimensions.values").ArrayValue()) != 2 {
			return "watches nothing"
		}
		for key, want := range map[string]struct {
			kind    string
			percent float64
		}{"actual50": {"Actual", 50}, "actual80": {"Actual", 80}, "actual100": {"Actual", 100}, "forecast100": {"Forecasted", 100}} {
			at := "notifications." + key + "."
			if text(n, at+"thresholdType") != want.kind || number(n, at+"threshold") != want.percent || len(value(n, at+"contactEmails").String()) < 5 || text(n, at+"contactEmails[0]") == "" {
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
		if text(n, "actions[0].actionGroupId") == "" {
			return "tells nobody"
		}
		if text(n, "criteria.odataType") != "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria" {
			return "has no type that Azure knows"
		}
		return ""
	})
	for _, metric := range []string{"storage_percent", "active_connections", "cpu_percent", "memory_percent", "UsedCapacity"} {
		if !strings.Contains(watched, metric) {
			bad = append(bad, "nobody watches "+metric)
		}
	}
	return bad
}

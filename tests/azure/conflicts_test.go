package azure_test

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// conflict is a sentence about several properties that Azure refuses a resource for,
// or takes and does not do what one thinks. The twin is a graph of prod with it.
type conflict struct {
	on, says string
	// source is where Azure says so, below https:// .
	source string
	broken func(*graph.Graph, graph.Node) bool
	twin   func(*graph.Graph)
}

func list(n graph.Node, path string) []resource.PropertyValue {
	if v := value(n, path); v.IsArray() {
		return v.ArrayValue()
	}
	return nil
}

// texts are the values of a list, or of one property of its elements.
func texts(n graph.Node, path string) []string {
	var all []string
	for _, l := range at(n, path) {
		if l.value.IsString() {
			all = append(all, l.value.StringValue())
		}
	}
	return all
}

func repeated(all []string) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(all)))) < len(all)
}

// named is the node of a type that an id of the tests' cloud is about.
func named(g *graph.Graph, typ, id string) (graph.Node, bool) {
	_, name, _ := strings.Cut(id, "/providers/x/")
	name, _, _ = strings.Cut(name, "/")
	for _, n := range g.OfType(azureNative + typ) {
		if n.Name == name {
			return n, true
		}
	}
	return graph.Node{}, false
}

// called is the node of a type with an input of a value: what one thing calls another.
func called(g *graph.Graph, typ, key, name string) (graph.Node, bool) {
	for _, n := range g.OfType(azureNative + typ) {
		if text(n, key) == name {
			return n, true
		}
	}
	return graph.Node{}, false
}

func ranges(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			all = append(all, p)
		}
	}
	return all
}

func overlapping(all []netip.Prefix) bool {
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.Overlaps(b) {
				return true
			}
		}
	}
	return false
}

// identities are those that a resource has, in either spelling of the SDK.
func identities(n graph.Node) []string {
	if v := value(n, "identity.userAssignedIdentities"); v.IsObject() {
		var all []string
		for k := range v.ObjectValue() {
			all = append(all, string(k))
		}
		return all
	}
	return texts(n, "identity.userAssignedIdentities[*]")
}

// anyPool says whether one of a cluster's pools is broken; pool is the path of a key
// of it.
func anyPool(n graph.Node, broken func(pool func(string) string) bool) bool {
	for _, l := range at(n, "agentPoolProfiles[*]") {
		if broken(func(key string) string { return l.path.String() + "." + key }) {
			return true
		}
	}
	return false
}

var conflicts = slices.Concat(clusters, databases, buckets, vaults, networks, watched)

var clusters = []conflict{
	{
		on: "containerservice:ManagedCluster", says: "the data plane of Cilium wants its own policies and Azure's network plugin",
		source: "learn.microsoft.com/azure/aks/azure-cni-powered-by-cilium",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "networkProfile.networkDataplane") == "cilium" && (text(n, "networkProfile.networkPolicy") != "cilium" || text(n, "networkProfile.networkPlugin") != "azure")
		},
		twin: set("cluster-aks", "networkProfile.networkPolicy", "calico"),
	},
	{
		on: "containerservice:ManagedCluster", says: "an overlay is Azure's network plugin with addresses for pods of its own",
		source: "learn.microsoft.com/azure/aks/concepts-network-azure-cni-overlay",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "networkProfile.networkPluginMode") == "overlay" && (text(n, "networkProfile.networkPlugin") != "azure" || text(n, "networkProfile.podCidr") == "" ||
				anyPool(n, func(p func(string) string) bool { return text(n, p("podSubnetID")) != "" }))
		},
		twin: set("cluster-aks", "agentPoolProfiles[0].podSubnetID", "/subnets/pods"),
	},
	{
		on: "containerservice:ManagedCluster", says: "Cilium runs on Linux alone",
		source: "learn.microsoft.com/azure/aks/azure-cni-powered-by-cilium",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "networkProfile.networkDataplane") == "cilium" && anyPool(n, func(p func(string) string) bool { return text(n, p("osType")) != "Linux" })
		},
		twin: set("cluster-aks", "agentPoolProfiles[0].osType", "Windows"),
	},
	{
		on: "containerservice:ManagedCluster", says: "a NAT gateway of one's own wants nodes in a subnet that has one, and the standard load balancer",
		source: "learn.microsoft.com/azure/aks/nat-gateway",
		broken: func(g *graph.Graph, n graph.Node) bool {
			return text(n, "networkProfile.outboundType") == "userAssignedNATGateway" && (text(n, "networkProfile.loadBalancerSku") != "standard" ||
				anyPool(n, func(p func(string) string) bool {
					subnet, ok := named(g, "network:Subnet", text(n, p("vnetSubnetID")))
					return own(g) && (!ok || text(subnet, "natGateway.id") == "")
				}))
		},
		twin: set("network-nodes", "natGateway", nil),
	},
	{
		on: "containerservice:ManagedCluster", says: "nodes in a subnet of one's own want an identity of one's own, which may join it",
		source: "learn.microsoft.com/azure/aks/configure-azure-cni",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "agentPoolProfiles[0].vnetSubnetID") != "" && (text(n, "identity.type") != "UserAssigned" || len(identities(n)) != 1)
		},
		twin: set("cluster-aks", "identity.type", "SystemAssigned"),
	},
	{
		on: "containerservice:ManagedCluster", says: "addresses of pods, Services, the network and what AKS keeps for itself do not overlap",
		source: "learn.microsoft.com/azure/aks/concepts-network-ip-address-planning",
		broken: func(g *graph.Graph, n graph.Node) bool {
			own := []string{text(n, "networkProfile.podCidr"), text(n, "networkProfile.serviceCidr")}
			for _, vnet := range g.OfType(azureNative + "network:VirtualNetwork") {
				own = append(own, texts(vnet, "addressSpace.addressPrefixes[*]")...)
			}
			for _, taken := range ranges("169.254.0.0/16", "172.30.0.0/16", "172.31.0.0/16", "192.0.2.0/24") {
				if slices.ContainsFunc(ranges(own...), taken.Overlaps) {
					return true
				}
			}
			return overlapping(ranges(own...))
		},
		twin: set("cluster-aks", "networkProfile.serviceCidr", "172.31.0.0/20"),
	},
	{
		on: "containerservice:ManagedCluster", says: "DNS is one of the Services' addresses and not the first, and they are fewer than a /12",
		source: "learn.microsoft.com/azure/aks/concepts-network-ip-address-planning",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			services := ranges(text(n, "networkProfile.serviceCidr"))
			dns, err := netip.ParseAddr(text(n, "networkProfile.dnsServiceIP"))
			return err != nil || len(services) != 1 || services[0].Bits() <= 12 || !services[0].Contains(dns) || dns == services[0].Addr().Next()
		},
		twin: set("cluster-aks", "networkProfile.dnsServiceIP", "172.20.0.1"),
	},
	{
		on: "containerservice:ManagedCluster", says: "every node of an overlay takes a /24 of the pods' addresses",
		source: "learn.microsoft.com/azure/aks/concepts-network-azure-cni-overlay",
		broken: func(g *graph.Graph, n graph.Node) bool {
			most := 0.0
			anyPool(n, func(p func(string) string) bool {
				most += max(number(n, p("maxCount")), number(n, p("count"))) + 1
				return false
			})
			for _, pool := range g.OfType(azureNative + "containerservice:AgentPool") {
				most += number(pool, "maxCount") + 1
			}
			pods := ranges(text(n, "networkProfile.podCidr"))
			return len(pods) != 1 || pods[0].Bits() > 24 || most > float64(int(1)<<(24-pods[0].Bits()))
		},
		twin: set("cluster-aks", "networkProfile.podCidr", "10.244.0.0/22"),
	},
	{
		on: "containerservice:ManagedCluster", says: "a cluster without local accounts, or with Azure's RBAC, has people from Entra",
		source: "learn.microsoft.com/azure/aks/local-accounts",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return (isTrue(n, "disableLocalAccounts") || isTrue(n, "aadProfile.enableAzureRBAC")) && !(isTrue(n, "aadProfile.managed") && isTrue(n, "enableRBAC"))
		},
		twin: set("cluster-aks", "aadProfile.managed", false),
	},
	{
		on: "containerservice:ManagedCluster", says: "a private API has no list of public addresses, and the list wants the standard load balancer",
		source: "learn.microsoft.com/azure/aks/api-server-authorized-ip-ranges",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return len(list(n, "apiServerAccessProfile.authorizedIPRanges")) > 0 &&
				(isTrue(n, "apiServerAccessProfile.enablePrivateCluster") || text(n, "networkProfile.loadBalancerSku") != "standard")
		},
		twin: set("cluster-aks", "apiServerAccessProfile.enablePrivateCluster", true),
	},
	{
		on: "containerservice:ManagedCluster", says: "nodes have the API in their network, or the NAT gateway's address is in its list",
		source: "learn.microsoft.com/azure/aks/api-server-authorized-ip-ranges",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			allowed := texts(n, "apiServerAccessProfile.authorizedIPRanges[*]")
			// The address is that of the tests' cloud.
			return !isTrue(n, "apiServerAccessProfile.enableVnetIntegration") && len(allowed) > 0 && text(n, "networkProfile.outboundType") == "userAssignedNATGateway" && !slices.Contains(allowed, "203.0.113.7/32")
		},
		twin: set("cluster-aks", "apiServerAccessProfile.enableVnetIntegration", false),
	},
	{
		on: "containerservice:ManagedCluster", says: "an API in the network has a subnet to itself, which is delegated to it, a /28 at least",
		source: "learn.microsoft.com/azure/aks/api-server-vnet-integration",
		broken: func(g *graph.Graph, n graph.Node) bool {
			id := text(n, "apiServerAccessProfile.subnetId")
			if !isTrue(n, "apiServerAccessProfile.enableVnetIntegration") || !own(g) {
				return id == ""
			}
			subnet, ok := named(g, "network:Subnet", id)
			cidr := ranges(text(subnet, "addressPrefix"))
			return !ok || text(subnet, "delegations[0].serviceName") != "Microsoft.ContainerService/managedClusters" || len(cidr) != 1 || cidr[0].Bits() > 28 ||
				anyPool(n, func(p func(string) string) bool { return text(n, p("vnetSubnetID")) == id })
		},
		twin: set("cluster-aks", "apiServerAccessProfile.subnetId", "/subscriptions/s/resourceGroups/g/providers/x/network-nodes"),
	},
	{
		on: "containerservice:ManagedCluster", says: "a private API without a zone of its own has its name in public DNS",
		source: "learn.microsoft.com/azure/aks/private-clusters",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			private, zone := isTrue(n, "apiServerAccessProfile.enablePrivateCluster"), text(n, "apiServerAccessProfile.privateDNSZone")
			return private && zone == "none" && !isTrue(n, "apiServerAccessProfile.enablePrivateClusterPublicFQDN") || !private && zone != ""
		},
		twin: set("cluster-aks", "apiServerAccessProfile.privateDNSZone", "none"),
	},
	{
		on: "containerservice:AgentPool", says: "the autoscaler wants the least and the most nodes, and begins between them",
		source: "learn.microsoft.com/azure/aks/cluster-autoscaler",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			least, count, most := number(n, "minCount"), number(n, "count"), number(n, "maxCount")
			return !isTrue(n, "enableAutoScaling") || least < 1 || count < least || most < count || most > 1000
		},
		twin: set("cluster-nodes-pool", "minCount", 4),
	},
	{
		on: "containerservice:AgentPool", says: "of several pools a version is said of all or of none, and they have different names in the same subnet",
		source: "github.com/Azure/AKS/issues/4765",
		broken: func(g *graph.Graph, n graph.Node) bool {
			cluster, ok := called(g, "containerservice:ManagedCluster", "resourceName", text(n, "resourceName"))
			return !ok || text(n, "orchestratorVersion") != text(cluster, "agentPoolProfiles[0].orchestratorVersion") || text(n, "agentPoolName") == text(cluster, "agentPoolProfiles[0].name") ||
				text(n, "vnetSubnetID") != text(cluster, "agentPoolProfiles[0].vnetSubnetID")
		},
		twin: set("cluster-aks", "agentPoolProfiles[0].orchestratorVersion", "1.36"),
	},
	{
		on: "containerservice:ManagedCluster", says: "there is a system pool, it runs Linux, has two nodes at least, room for 30 pods and no burstable size",
		source: "learn.microsoft.com/azure/aks/use-system-pools",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			system := false
			wrong := anyPool(n, func(p func(string) string) bool {
				if text(n, p("mode")) != "System" {
					return false
				}
				system = true
				return text(n, p("osType")) != "Linux" || number(n, p("count")) < 2 || isTrue(n, p("enableAutoScaling")) && number(n, p("minCount")) < 2 || number(n, p("maxPods")) < 30 || strings.HasPrefix(text(n, p("vmSize")), "Standard_B")
			})
			return wrong || !system
		},
		twin: set("cluster-aks", "agentPoolProfiles[0].vmSize", "Standard_B4ms"),
	},
	{
		on: "containerservice:ManagedCluster", says: "the autoscaler wants the least and the most nodes, and begins between them",
		source: "learn.microsoft.com/azure/aks/cluster-autoscaler",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return anyPool(n, func(p func(string) string) bool {
				least, count, most := number(n, p("minCount")), number(n, p("count")), number(n, p("maxCount"))
				if !isTrue(n, p("enableAutoScaling")) {
					return least != 0 || most != 0
				}
				return least < 1 || count < least || most < count || most > 1000
			})
		},
		twin: set("cluster-aks", "agentPoolProfiles[0].minCount", 4),
	},
	{
		on: "containerservice:ManagedCluster", says: "zones want a scale set and the standard load balancer",
		source: "learn.microsoft.com/azure/aks/reliability-availability-zones-configure",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return anyPool(n, func(p func(string) string) bool {
				return len(list(n, p("availabilityZones"))) > 0 && (text(n, p("type")) != "VirtualMachineScaleSets" || text(n, "networkProfile.loadBalancerSku") != "standard")
			})
		},
		twin: set("cluster-aks", "agentPoolProfiles[0].type", "AvailabilitySet"),
	},
	{
		on: "containerservice:ManagedCluster", says: "pools have names of their own",
		source: "learn.microsoft.com/azure/aks/create-node-pools",
		broken: func(_ *graph.Graph, n graph.Node) bool { return repeated(texts(n, "agentPoolProfiles[*].name")) },
		twin: edit("cluster-aks", func(n *graph.Node) {
			pools := list(*n, "agentPoolProfiles")
			n.Inputs = n.Inputs.Copy()
			n.Inputs["agentPoolProfiles"] = resource.NewProperty(slices.Repeat(pools, 2))
		}),
	},
	{
		on: "containerservice:ManagedCluster", says: "nodes are not newer than the control plane",
		source: "learn.microsoft.com/azure/aks/supported-kubernetes-versions",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return anyPool(n, func(p func(string) string) bool {
				// Both are 1.x, with x of two digits.
				return text(n, p("orchestratorVersion")) > text(n, "kubernetesVersion")
			})
		},
		twin: set("cluster-aks", "agentPoolProfiles[0].orchestratorVersion", "1.37"),
	},
	{
		on: "containerservice:ManagedCluster", says: "identities of pods want an issuer of tokens",
		source: "learn.microsoft.com/azure/aks/workload-identity-deploy-cluster",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return isTrue(n, "securityProfile.workloadIdentity.enabled") && !isTrue(n, "oidcIssuerProfile.enabled")
		},
		twin: set("cluster-aks", "oidcIssuerProfile.enabled", false),
	},
	{
		on: "containerservice:ManagedCluster", says: "a key for Secrets wants an identity of one's own, and a vault's id with a private vault alone",
		source: "learn.microsoft.com/azure/aks/use-kms-etcd-encryption",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			kms := "securityProfile.azureKeyVaultKms."
			private, vault := text(n, kms+"keyVaultNetworkAccess") == "Private", text(n, kms+"keyVaultResourceId") != ""
			return isTrue(n, kms+"enabled") && (text(n, kms+"keyId") == "" || text(n, "identity.type") != "UserAssigned" || private != vault)
		},
		twin: set("cluster-aks", "securityProfile.azureKeyVaultKms.keyVaultNetworkAccess", "Private"),
	},
	{
		on: "containerservice:ManagedCluster", says: "a vault whose key the API reads in public answers everybody",
		source: "learn.microsoft.com/azure/aks/use-kms-etcd-encryption",
		broken: func(g *graph.Graph, n graph.Node) bool {
			return text(n, "securityProfile.azureKeyVaultKms.keyVaultNetworkAccess") == "Public" && slices.ContainsFunc(g.OfType(azureNative+"keyvault:Key"), func(key graph.Node) bool {
				vault, ok := called(g, "keyvault:Vault", "vaultName", text(key, "vaultName"))
				return strings.Contains(text(n, "securityProfile.azureKeyVaultKms.keyId"), "/"+key.Name+"/") &&
					(!ok || text(vault, "properties.publicNetworkAccess") == "disabled" || text(vault, "properties.networkAcls.defaultAction") == "Deny")
			})
		},
		twin: set("cluster-keys-vault", "properties.networkAcls", map[string]any{"defaultAction": "Deny"}),
	},
	{
		on: "containerservice:ManagedCluster", says: "upgrades to node images go with the channel of the same name",
		source: "learn.microsoft.com/azure/aks/auto-upgrade-cluster",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "autoUpgradeProfile.upgradeChannel") == "node-image" && text(n, "autoUpgradeProfile.nodeOSUpgradeChannel") != "NodeImage"
		},
		twin: func(g *graph.Graph) {
			g.Set("cluster-aks", "autoUpgradeProfile.upgradeChannel", "node-image")
			g.Set("cluster-aks", "autoUpgradeProfile.nodeOSUpgradeChannel", "SecurityPatch")
		},
	},
	{
		on: "containerservice:ManagedCluster", says: "the nodes' resource group is another one",
		source: "learn.microsoft.com/azure/aks/faq",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "nodeResourceGroup") == text(n, "resourceGroupName")
		},
		twin: set("cluster-aks", "nodeResourceGroup", "mlflow-azure-prod"),
	},
	{
		on: "containerservice:MaintenanceConfiguration", says: "a window is for a cluster that upgrades by itself",
		source: "learn.microsoft.com/azure/aks/planned-maintenance",
		broken: func(g *graph.Graph, n graph.Node) bool {
			cluster, ok := called(g, "containerservice:ManagedCluster", "resourceName", text(n, "resourceName"))
			channel := map[string]string{
				"aksManagedAutoUpgradeSchedule": "autoUpgradeProfile.upgradeChannel", "aksManagedNodeOSUpgradeSchedule": "autoUpgradeProfile.nodeOSUpgradeChannel",
			}[text(n, "configName")]
			return !ok || slices.Contains([]string{"", "none", "None", "Unmanaged"}, text(cluster, channel))
		},
		twin: set("cluster-aks", "autoUpgradeProfile.upgradeChannel", "none"),
	},
}

var databases = []conflict{
	{
		on: "dbforpostgresql:Server", says: "a burstable server has no standby",
		source: "learn.microsoft.com/azure/postgresql/high-availability/concepts-high-availability",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "sku.tier") == "Burstable" && text(n, "highAvailability.mode") != "Disabled"
		},
		twin: set("database-server", "sku.tier", "Burstable"),
	},
	{
		on: "dbforpostgresql:Server", says: "a size is of its tier",
		source: "learn.microsoft.com/azure/postgresql/compute-storage/concepts-compute",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			family := strings.TrimPrefix(text(n, "sku.name"), "Standard_")
			return family == "" || map[byte]string{'B': "Burstable", 'D': "GeneralPurpose", 'E': "MemoryOptimized"}[family[0]] != text(n, "sku.tier")
		},
		twin: set("database-server", "sku.name", "Standard_E4ds_v5"),
	},
	{
		on: "dbforpostgresql:Server", says: "a server in a network has a subnet and a private DNS zone, and no word on public access",
		source: "learn.microsoft.com/azure/postgresql/network/concepts-networking-private",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			subnet, zone := text(n, "network.delegatedSubnetResourceId") != "", text(n, "network.privateDnsZoneArmResourceId") != ""
			return subnet != zone || subnet && text(n, "network.publicNetworkAccess") != ""
		},
		twin: set("database-server", "network.privateDnsZoneArmResourceId", nil),
	},
	{
		on: "dbforpostgresql:Server", says: "the server's subnet is delegated to it, a /28 at least",
		source: "learn.microsoft.com/azure/postgresql/network/concepts-networking-private",
		broken: func(g *graph.Graph, n graph.Node) bool {
			subnet, ok := named(g, "network:Subnet", text(n, "network.delegatedSubnetResourceId"))
			cidr := ranges(text(subnet, "addressPrefix"))
			return own(g) && (!ok || text(subnet, "delegations[0].serviceName") != "Microsoft.DBforPostgreSQL/flexibleServers" || len(cidr) != 1 || cidr[0].Bits() > 28)
		},
		twin: set("network-database", "delegations", nil),
	},
	{
		on: "dbforpostgresql:Server", says: "the zone ends in postgres.database.azure.com, is not the server's name there, and the network resolves it",
		source: "learn.microsoft.com/azure/postgresql/network/concepts-networking-private",
		broken: func(g *graph.Graph, n graph.Node) bool {
			zone, ok := named(g, "privatedns:PrivateZone", text(n, "network.privateDnsZoneArmResourceId"))
			name := text(zone, "privateZoneName")
			_, linked := called(g, "privatedns:VirtualNetworkLink", "privateZoneName", name)
			return !ok || !linked || !strings.HasSuffix(name, ".postgres.database.azure.com") || name == text(n, "serverName")+".postgres.database.azure.com"
		},
		twin: func(g *graph.Graph) {
			for _, name := range []string{"database-zone", "database-zone-link"} {
				g.Set(name, "privateZoneName", "mlflow-azure-prod-0a1b2c.postgres.database.azure.com")
			}
		},
	},
	{
		on: "dbforpostgresql:Server", says: "a key of one's own wants an identity that the server has",
		source: "learn.microsoft.com/azure/postgresql/security/security-data-encryption",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "dataEncryption.type") == "AzureKeyVault" && (text(n, "dataEncryption.primaryKeyURI") == "" || !strings.Contains(text(n, "identity.type"), "UserAssigned") ||
				!slices.Contains(identities(n), text(n, "dataEncryption.primaryUserAssignedIdentityId")))
		},
		twin: set("database-server", "dataEncryption.primaryUserAssignedIdentityId", "/identities/other"),
	},
	{
		on: "dbforpostgresql:Server", says: "copies in another region want a key there",
		source: "learn.microsoft.com/azure/postgresql/security/security-data-encryption",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "dataEncryption.type") == "AzureKeyVault" && text(n, "backup.geoRedundantBackup") == "Enabled" &&
				(text(n, "dataEncryption.geoBackupKeyURI") == "" || text(n, "dataEncryption.geoBackupUserAssignedIdentityId") == "")
		},
		twin: set("database-server", "backup.geoRedundantBackup", "Enabled"),
	},
	{
		on: "dbforpostgresql:Server", says: "passwords want an administrator, and he is nobody of Azure's own",
		source: "learn.microsoft.com/azure/postgresql/security/security-access-control",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			reserved := []string{"azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public"}
			login := text(n, "administratorLogin")
			return text(n, "authConfig.passwordAuth") == "Enabled" && (login == "" || slices.Contains(reserved, login) || strings.HasPrefix(login, "pg_") || text(n, "administratorLoginPassword") == "")
		},
		twin: set("database-server", "administratorLogin", "pg_admin"),
	},
	{
		on: "dbforpostgresql:Server", says: "there is a way to log in, and that of Entra wants its tenant",
		source: "learn.microsoft.com/azure/postgresql/security/security-entra-concepts",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			entra := text(n, "authConfig.activeDirectoryAuth") == "Enabled"
			return entra && text(n, "authConfig.tenantId") == "" || !entra && text(n, "authConfig.passwordAuth") != "Enabled"
		},
		twin: set("database-server", "authConfig.passwordAuth", "Disabled"),
	},
	{
		on: "dbforpostgresql:Server", says: "storage grows by itself on Premium SSD, not on version 2 or Ultra",
		source: "learn.microsoft.com/azure/postgresql/extensions/concepts-storage",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "storage.autoGrow") == "Enabled" && text(n, "storage.type") != "Premium_LRS"
		},
		twin: set("database-server", "storage.type", "PremiumV2_LRS"),
	},
	{
		on: "dbforpostgresql:Configuration", says: "a parameter has a value that the server takes",
		source: "learn.microsoft.com/azure/postgresql/server-parameters/concepts-server-parameters",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			form, known := map[string]string{
				"max_connections":            `^(2[5-9]|[3-9]\d|[1-9]\d\d|[1-4]\d\d\d|5000)$`,
				"require_secure_transport":   `^(?i:on|off)$`,
				"log_lock_waits":             `^(?i:on|off)$`,
				"ssl_min_protocol_version":   `^TLSv1\.[23]$`,
				"log_min_duration_statement": `^(-1|\d{1,9})$`,
				// learn.microsoft.com/azure/postgresql/extensions/how-to-allow-extensions, .../monitor/concepts-query-store
				"azure.extensions":                      `^[a-z_]+(,[a-z_]+)*$`,
				"pg_qs.query_capture_mode":              `^(none|top|all)$`,
				"pgms_wait_sampling.query_capture_mode": `^(none|all)$`,
			}[text(n, "configurationName")]
			return !known || !regexp.MustCompile(form).MatchString(text(n, "value"))
		},
		twin: set("database-max-connections", "value", "20"),
	},
	{
		on: "dbforpostgresql:Configuration", says: "a burstable server keeps no statistics of queries",
		source: "learn.microsoft.com/azure/postgresql/monitor/concepts-query-store",
		broken: func(g *graph.Graph, n graph.Node) bool {
			server, _ := called(g, "dbforpostgresql:Server", "serverName", text(n, "serverName"))
			return strings.HasSuffix(text(n, "configurationName"), "query_capture_mode") && text(server, "sku.tier") == "Burstable"
		},
		twin: set("database-server", "sku.tier", "Burstable"),
	},
}

var buckets = []conflict{
	{
		on: "storage:StorageAccount", says: "a key of one's own wants its vault, and an identity that the account has",
		source: "learn.microsoft.com/azure/storage/common/customer-managed-keys-configure-new-account",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			e := "encryption."
			return text(n, e+"keySource") == "Microsoft.Keyvault" && (text(n, e+"keyVaultProperties.keyName") == "" || text(n, e+"keyVaultProperties.keyVaultUri") == "" ||
				!slices.Contains(identities(n), text(n, e+"encryptionIdentity.encryptionUserAssignedIdentity")))
		},
		twin: set("bucket-account", "encryption.encryptionIdentity", nil),
	},
	{
		on: "storage:StorageAccount", says: "an account for blocks alone is premium, and no other has that tier",
		source: "learn.microsoft.com/azure/storage/common/storage-account-overview",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			blocks := text(n, "kind") == "BlockBlobStorage"
			return blocks && !strings.HasPrefix(text(n, "sku.name"), "Premium") || text(n, "accessTier") != "" && blocks != (text(n, "accessTier") == "Premium")
		},
		twin: set("bucket-account", "kind", "BlockBlobStorage"),
	},
	{
		on: "storage:StorageAccount", says: "SFTP wants folders and local users",
		source: "learn.microsoft.com/azure/storage/blobs/secure-file-transfer-protocol-support",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return isTrue(n, "isSftpEnabled") && !(isTrue(n, "isHnsEnabled") && isTrue(n, "isLocalUserEnabled"))
		},
		twin: set("bucket-account", "isSftpEnabled", true),
	},
	{
		on: "storage:BlobServiceProperties", says: "there are no versions with folders",
		source: "learn.microsoft.com/azure/storage/blobs/versioning-overview",
		broken: func(g *graph.Graph, n graph.Node) bool {
			account, ok := called(g, "storage:StorageAccount", "accountName", text(n, "accountName"))
			return !ok || isTrue(n, "isVersioningEnabled") && isTrue(account, "isHnsEnabled")
		},
		twin: set("bucket-account", "isHnsEnabled", true),
	},
	{
		on: "storage:BlobServiceProperties", says: "what is kept is kept for a number of days",
		source: "learn.microsoft.com/azure/storage/blobs/soft-delete-blob-overview",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			for _, p := range []string{"deleteRetentionPolicy.", "containerDeleteRetentionPolicy."} {
				if isTrue(n, p+"enabled") != (number(n, p+"days") > 0) {
					return true
				}
			}
			return false
		},
		twin: set("bucket-versions", "deleteRetentionPolicy.days", nil),
	},
	{
		on: "storage:BlobContainer", says: "a container is public in an account that lets it be",
		source: "learn.microsoft.com/azure/storage/blobs/anonymous-read-access-prevent",
		broken: func(g *graph.Graph, n graph.Node) bool {
			account, ok := called(g, "storage:StorageAccount", "accountName", text(n, "accountName"))
			return !ok || text(n, "publicAccess") != "None" && !isTrue(account, "allowBlobPublicAccess")
		},
		twin: set("bucket-artifacts", "publicAccess", "Blob"),
	},
	{
		on: "storage:ManagementPolicy", says: "rules about versions want versions",
		source: "learn.microsoft.com/azure/storage/blobs/lifecycle-management-overview",
		broken: func(g *graph.Graph, n graph.Node) bool {
			service, ok := called(g, "storage:BlobServiceProperties", "accountName", text(n, "accountName"))
			versions := slices.ContainsFunc(at(n, "policy.rules[*].definition.actions.version"), func(l leaf) bool { return l.value.IsObject() })
			return versions && !(ok && isTrue(service, "isVersioningEnabled"))
		},
		twin: set("bucket-versions", "isVersioningEnabled", false),
	},
	{
		on: "storage:ManagementPolicy", says: "rules have names of their own, and each does something",
		source: "learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return repeated(texts(n, "policy.rules[*].name")) || slices.ContainsFunc(at(n, "policy.rules[*].definition.actions"), func(l leaf) bool { return size(l.value) == 0 })
		},
		twin: set("bucket-lifecycle", "policy.rules[1].name", "noncurrent"),
	},
	{
		on: "storage:ManagementPolicy", says: "append blobs are deleted and never moved",
		source: "learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return slices.ContainsFunc(at(n, "policy.rules[*].definition"), func(l leaf) bool {
				p := l.path.String() + "."
				return value(n, p+"actions.baseBlob").IsObject() && slices.Contains(texts(n, p+"filters.blobTypes[*]"), "appendBlob")
			})
		},
		twin: set("bucket-lifecycle", "policy.rules[1].definition.filters.blobTypes", []any{"blockBlob", "appendBlob"}),
	},
	{
		on: "storage:ManagementPolicy", says: "prefixes begin with a container's name",
		source: "learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure",
		broken: func(g *graph.Graph, n graph.Node) bool {
			return slices.ContainsFunc(texts(n, "policy.rules[*].definition.filters.prefixMatch[*]"), func(prefix string) bool {
				container, _, _ := strings.Cut(prefix, "/")
				_, ok := called(g, "storage:BlobContainer", "containerName", container)
				return !ok
			})
		},
		twin: set("bucket-lifecycle", "policy.rules[1].definition.filters.prefixMatch", []any{"artefacts/"}),
	},
	{
		on: "compute:DiskEncryptionSet", says: "a set wants an identity that may use the key",
		source: "learn.microsoft.com/azure/virtual-machines/disk-encryption",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "identity.type") == "UserAssigned" != (len(identities(n)) > 0)
		},
		twin: set("cluster-disks", "identity.userAssignedIdentities", []any{}),
	},
}

var vaults = []conflict{
	{
		on: "keyvault:Vault", says: "a vault whose keys encrypt disks, databases or accounts cannot be purged",
		source: "learn.microsoft.com/azure/storage/common/customer-managed-keys-overview",
		broken: func(_ *graph.Graph, n graph.Node) bool { return !isTrue(n, "properties.enablePurgeProtection") },
		twin:   set("network-keys-vault", "properties.enablePurgeProtection", nil),
	},
	{
		on: "keyvault:Vault", says: "who may do what is said by roles or by policies, not by both",
		source: "learn.microsoft.com/azure/key-vault/general/rbac-guide",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return isTrue(n, "properties.enableRbacAuthorization") == (len(list(n, "properties.accessPolicies")) > 0)
		},
		twin: set("network-keys-vault", "properties.accessPolicies", []any{map[string]any{}}),
	},
	{
		on: "keyvault:Key", says: "RSA has a size, and a curve is for EC; databases, accounts and disks want RSA",
		source: "learn.microsoft.com/azure/postgresql/security/security-data-encryption",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return !strings.HasPrefix(text(n, "properties.kty"), "RSA") || number(n, "properties.keySize") == 0 || text(n, "properties.curveName") != ""
		},
		twin: set("database-key", "properties.kty", "EC"),
	},
	{
		on: "keyvault:Key", says: "a rotation is some time after the creation or before the end, of which a key without one has none, and 7 days at least",
		source: "learn.microsoft.com/azure/key-vault/keys/how-to-configure-key-rotation",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			for _, l := range at(n, "properties.rotationPolicy.lifetimeActions[*]") {
				p := l.path.String() + "."
				after, before := text(n, p+"trigger.timeAfterCreate"), text(n, p+"trigger.timeBeforeExpiry")
				ends := text(n, "properties.rotationPolicy.attributes.expiryTime") != ""
				if (after == "") == (before == "") || before != "" && !ends || text(n, p+"action.type") == "notify" && before == "" || regexp.MustCompile(`^P[1-6]D$`).MatchString(after) {
					return true
				}
			}
			return false
		},
		twin: set("database-key", "properties.rotationPolicy.lifetimeActions[0].trigger", map[string]any{"timeBeforeExpiry": "P30D"}),
	},
	{
		on: "managedidentity:FederatedIdentityCredential", says: "two credentials of an identity are made one after the other, and bind different tokens",
		source: "learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations",
		broken: func(g *graph.Graph, n graph.Node) bool {
			return slices.ContainsFunc(g.OfType(n.Type), func(other graph.Node) bool {
				return other.URN != n.URN && text(other, "resourceName") == text(n, "resourceName") &&
					(text(other, "issuer")+text(other, "subject") == text(n, "issuer")+text(n, "subject") || !slices.Contains(other.Dependencies, n.URN) && !slices.Contains(n.Dependencies, other.URN))
			})
		},
		twin: set("identity-credential", "resourceName", "mlflow-azure-prod-database-backup"),
	},
	{
		on: "authorization:RoleAssignment", says: "a principal has a role on a scope once",
		source: "learn.microsoft.com/azure/role-based-access-control/troubleshooting",
		broken: func(g *graph.Graph, n graph.Node) bool {
			var all []string
			for _, other := range g.OfType(n.Type) {
				all = append(all, text(other, "principalId")+" "+text(other, "roleDefinitionId")+" "+text(other, "scope"))
			}
			return repeated(all)
		},
		twin: copying("identity-access", "identity-access-again"),
	},
}

var networks = []conflict{
	{
		on: "network:VirtualNetwork", says: "subnets are resources of their own or parts of the network, not both",
		source: "github.com/pulumi/pulumi-azure-native/issues/611",
		broken: func(g *graph.Graph, n graph.Node) bool {
			return len(list(n, "subnets")) > 0 && len(g.OfType(azureNative+"network:Subnet")) > 0
		},
		twin: set("network-vnet", "subnets", []any{map[string]any{"name": "more"}}),
	},
	{
		on: "network:Subnet", says: "a subnet is in its network, has eight addresses at least, and overlaps no other",
		source: "learn.microsoft.com/azure/virtual-network/virtual-networks-faq",
		broken: func(g *graph.Graph, n graph.Node) bool {
			vnet, ok := called(g, "network:VirtualNetwork", "virtualNetworkName", text(n, "virtualNetworkName"))
			own, all := ranges(text(n, "addressPrefix")), []netip.Prefix(nil)
			for _, other := range g.OfType(n.Type) {
				all = append(all, ranges(text(other, "addressPrefix"))...)
			}
			return !ok || len(own) != 1 || own[0].Bits() > 29 || overlapping(all) ||
				!slices.ContainsFunc(ranges(texts(vnet, "addressSpace.addressPrefixes[*]")...), func(p netip.Prefix) bool { return p.Bits() <= own[0].Bits() && p.Contains(own[0].Addr()) })
		},
		twin: set("network-endpoints", "addressPrefix", "10.41.0.64/26"),
	},
	{
		on: "network:NatGateway", says: "addresses are static ones of the standard, and a gateway is in one zone at most",
		source: "learn.microsoft.com/azure/nat-gateway/nat-gateway-resource",
		broken: func(g *graph.Graph, n graph.Node) bool {
			return len(list(n, "zones")) > 1 || slices.ContainsFunc(texts(n, "publicIpAddresses[*].id"), func(id string) bool {
				address, ok := named(g, "network:PublicIPAddress", id)
				return !ok || text(address, "sku.name") != "Standard" || text(address, "publicIPAllocationMethod") != "Static"
			})
		},
		twin: set("network-nat", "zones", []any{"1", "2", "3"}),
	},
	{
		on: "network:PublicIPAddress", says: "an address of the standard is static",
		source: "learn.microsoft.com/azure/virtual-network/ip-services/public-ip-addresses",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return text(n, "sku.name") == "Standard" && text(n, "publicIPAllocationMethod") != "Static"
		},
		twin: set("network-nat-address", "publicIPAllocationMethod", "Dynamic"),
	},
	{
		on: "network:NetworkSecurityGroup", says: "rules of a direction have names and priorities of their own, and say from where to where",
		source: "learn.microsoft.com/azure/virtual-network/network-security-groups-overview",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			var priorities []string
			for _, l := range at(n, "securityRules[*]") {
				p := l.path.String() + "."
				priorities = append(priorities, text(n, p+"direction")+" "+value(n, p+"priority").String())
				for _, side := range []string{"sourceAddressPrefix", "sourcePortRange", "destinationAddressPrefix", "destinationPortRange"} {
					if (text(n, p+side) == "") == (len(list(n, p+side+"es"))+len(list(n, p+side+"s")) == 0) {
						return true
					}
				}
			}
			return repeated(priorities) || repeated(texts(n, "securityRules[*].name"))
		},
		twin: set("network-database-firewall", "securityRules[1].priority", 100),
	},
	{
		on: "network:PrivateEndpoint", says: "an endpoint is in a subnet that no service has for itself",
		source: "learn.microsoft.com/azure/private-link/private-endpoint-overview",
		broken: func(g *graph.Graph, n graph.Node) bool {
			subnet, ok := named(g, "network:Subnet", text(n, "subnet.id"))
			return own(g) && (!ok || len(list(subnet, "delegations")) > 0)
		},
		twin: set("bucket-endpoint", "subnet.id", "/subscriptions/s/resourceGroups/g/providers/x/network-database"),
	},
	{
		on: "network:PrivateDnsZoneGroup", says: "the names of an endpoint are in the zone of what it leads to, which the network resolves",
		source: "learn.microsoft.com/azure/private-link/private-endpoint-dns",
		broken: func(g *graph.Graph, n graph.Node) bool {
			endpoint, ok := called(g, "network:PrivateEndpoint", "privateEndpointName", text(n, "privateEndpointName"))
			zone, made := named(g, "privatedns:PrivateZone", text(n, "privateDnsZoneConfigs[0].privateDnsZoneId"))
			name := text(zone, "privateZoneName")
			_, linked := called(g, "privatedns:VirtualNetworkLink", "privateZoneName", name)
			return !ok || own(g) && (!made || !linked || name != "privatelink."+text(endpoint, "privateLinkServiceConnections[0].groupIds[0]")+".core.windows.net")
		},
		twin: set("bucket-zone", "privateZoneName", "blob.core.windows.net"),
	},
	{
		on: "privatedns:VirtualNetworkLink", says: "a network writes its machines' names into one zone at most, and links to a zone once",
		source: "learn.microsoft.com/azure/dns/private-dns-autoregistration",
		broken: func(g *graph.Graph, _ graph.Node) bool {
			var zones, writes []string
			for _, other := range g.OfType(azureNative + "privatedns:VirtualNetworkLink") {
				network := text(other, "virtualNetwork.id")
				zones = append(zones, text(other, "privateZoneName")+" "+network)
				if isTrue(other, "registrationEnabled") {
					writes = append(writes, network)
				}
			}
			return repeated(zones) || repeated(writes)
		},
		twin: set("bucket-zone-link", "privateZoneName", "mlflow-azure-prod.private.postgres.database.azure.com"),
	},
}

// categories are the logs of what the stacks have, by type
// (learn.microsoft.com/azure/azure-monitor/reference/logs-index).
var categories = map[string][]string{
	"containerservice:ManagedCluster": {
		"kube-apiserver", "kube-audit", "kube-audit-admin", "kube-controller-manager", "kube-scheduler", "cluster-autoscaler", "cloud-controller-manager", "guard",
		"csi-azuredisk-controller", "csi-azurefile-controller", "csi-snapshot-controller",
	},
	"keyvault:Vault": {"AuditEvent", "AzurePolicyEvaluationDetails"},
	"dbforpostgresql:Server": {
		"PostgreSQLLogs", "PostgreSQLFlexSessions", "PostgreSQLFlexQueryStoreRuntime", "PostgreSQLFlexQueryStoreWaitStats", "PostgreSQLFlexTableStats",
		"PostgreSQLFlexDatabaseXacts", "PostgreSQLFlexPGBouncer",
	},
	// Of a part of the account, which the id names after it.
	"storage:StorageAccount": {"StorageRead", "StorageWrite", "StorageDelete"},
}

// metrics are those of what the stacks have, by type, and how often Azure has them
// (learn.microsoft.com/azure/azure-monitor/reference/metrics-index).
var metrics = map[string]map[string]string{
	"dbforpostgresql:Server": {"cpu_percent": "PT1M", "memory_percent": "PT1M", "storage_percent": "PT1M", "active_connections": "PT1M", "is_db_alive": "PT1M"},
	// UsedCapacity comes once an hour.
	"storage:StorageAccount": {"UsedCapacity": "PT1H", "Ingress": "PT1M", "Egress": "PT1M", "Transactions": "PT1M"},
}

// namespaces are the types as Azure calls them.
var namespaces = map[string]string{"dbforpostgresql:Server": "Microsoft.DBforPostgreSQL/flexibleServers", "storage:StorageAccount": "Microsoft.Storage/storageAccounts"}

// windows are the durations of metric alerts, the shortest first.
var windows = []string{"PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"}

var watched = []conflict{
	{
		on: "monitor:DiagnosticSetting", says: "logs go somewhere, and each is one that the resource has",
		source: "learn.microsoft.com/azure/azure-monitor/reference/logs-index",
		broken: func(g *graph.Graph, n graph.Node) bool {
			if _, ok := named(g, "operationalinsights:Workspace", text(n, "workspaceId")); !ok {
				return true
			}
			for typ, known := range categories {
				if _, ok := named(g, typ, text(n, "resourceUri")); ok {
					logs := texts(n, "logs[*].category")
					part := strings.HasSuffix(text(n, "resourceUri"), "/blobServices/default")
					return len(logs) != len(list(n, "logs")) || part != (typ == "storage:StorageAccount") || repeated(logs) ||
						slices.ContainsFunc(logs, func(c string) bool { return !slices.Contains(known, c) })
				}
			}
			return true
		},
		twin: set("cluster-audit", "logs[0].category", "kube-audit-admins"),
	},
	{
		on: "monitor:DiagnosticSetting", says: "two settings of a resource do not send the same log to one workspace",
		source: "learn.microsoft.com/azure/azure-monitor/platform/diagnostic-settings",
		broken: func(g *graph.Graph, _ graph.Node) bool {
			var all []string
			for _, other := range g.OfType(azureNative + "monitor:DiagnosticSetting") {
				for _, category := range texts(other, "logs[*].category") {
					all = append(all, text(other, "resourceUri")+" "+text(other, "workspaceId")+" "+category)
				}
			}
			return repeated(all)
		},
		twin: copying("database-logs", "database-more-logs"),
	},
	{
		on: "monitor:MetricAlert", says: "a window is no shorter than the time between two looks, nor than that between two values",
		source: "learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-metric-alert-rule",
		broken: func(g *graph.Graph, n graph.Node) bool {
			window := slices.Index(windows, text(n, "windowSize"))
			least := text(n, "evaluationFrequency")
			for typ, known := range metrics {
				if _, ok := named(g, typ, text(n, "scopes[0]")); ok && known[text(n, "criteria.allOf[0].metricName")] == "PT1H" {
					least = "PT1H"
				}
			}
			return window < slices.Index(windows, least)
		},
		twin: set("bucket-alert-growth", "windowSize", "PT30M"),
	},
	{
		on: "monitor:MetricAlert", says: "a metric is one that the resource has, in its namespace",
		source: "learn.microsoft.com/azure/azure-monitor/reference/metrics-index",
		broken: func(g *graph.Graph, n graph.Node) bool {
			for typ, known := range metrics {
				if _, ok := named(g, typ, text(n, "scopes[0]")); ok {
					_, has := known[text(n, "criteria.allOf[0].metricName")]
					return !has || text(n, "criteria.allOf[0].metricNamespace") != namespaces[typ] || repeated(texts(n, "criteria.allOf[*].name"))
				}
			}
			return true
		},
		twin: set("database-alert-cpu", "criteria.allOf[0].metricName", "cpu_credits"),
	},
	{
		on: "monitor:MetricAlert", says: "criteria for one resource have one",
		source: "learn.microsoft.com/azure/azure-monitor/alerts/alerts-metric-create-templates",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return strings.Contains(text(n, "criteria.odataType"), ".SingleResource") && len(list(n, "scopes")) != 1
		},
		twin: set("database-alert-cpu", "scopes[1]", "/subscriptions/s/resourceGroups/g/providers/x/other"),
	},
	{
		on: "monitor:MetricAlert", says: "an alert tells a group that there is",
		source: "learn.microsoft.com/azure/azure-monitor/alerts/action-groups",
		broken: func(g *graph.Graph, n graph.Node) bool {
			return slices.ContainsFunc(texts(n, "actions[*].actionGroupId"), func(id string) bool {
				_, ok := named(g, "monitor:ActionGroup", id)
				return !ok
			})
		},
		twin: remove("network-alerts-group"),
	},
	{
		on: "monitor:ActionGroup", says: "receivers have names of their own",
		source: "learn.microsoft.com/azure/azure-monitor/alerts/action-groups",
		broken: func(_ *graph.Graph, n graph.Node) bool { return repeated(texts(n, "emailReceivers[*].name")) },
		twin:   set("network-alerts-group", "emailReceivers[1].name", "email-0"),
	},
	{
		on: "consumption:Budget", says: "a budget tells five times at most, each for another reason",
		source: "learn.microsoft.com/rest/api/consumption/budgets/create-or-update",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			var all []string
			for _, l := range at(n, "notifications[*]") {
				o := l.value.ObjectValue()
				all = append(all, o["thresholdType"].String()+o["operator"].String()+o["threshold"].String())
			}
			return len(all) > 5 || repeated(all)
		},
		twin: set("budget-monthly", "notifications.actual80.threshold", 100),
	},
	{
		on: "consumption:Budget", says: "somebody is told, by an address or by a group",
		source: "learn.microsoft.com/rest/api/consumption/budgets/create-or-update",
		broken: func(_ *graph.Graph, n graph.Node) bool {
			return slices.ContainsFunc(at(n, "notifications[*]"), func(l leaf) bool {
				o := l.value.ObjectValue()
				return size(o["contactEmails"]) == 0 && size(o["contactGroups"]) == 0
			})
		},
		twin: set("budget-monthly", "notifications.actual80.contactGroups", []any{}),
	},
	{
		on: "consumption:Budget", says: "groups are told by budgets of a subscription or a resource group, and there are such groups",
		source: "learn.microsoft.com/rest/api/consumption/budgets/create-or-update",
		broken: func(g *graph.Graph, n graph.Node) bool {
			return slices.ContainsFunc(texts(n, "notifications[*].contactGroups[*]"), func(id string) bool {
				_, ok := named(g, "monitor:ActionGroup", id)
				return !ok || !strings.HasPrefix(text(n, "scope"), "/subscriptions/")
			})
		},
		twin: set("budget-monthly", "notifications.actual80.contactGroups", []any{"/subscriptions/s/resourceGroups/g/providers/x/nobody"}),
	},
}

package settings

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	azureVNet = regexp.MustCompile(`^/subscriptions/([0-9a-f-]{36})/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+$`)
	// azureSubnet is learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules.
	azureSubnet  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,79}$`)
	azureBlobDNS = regexp.MustCompile(`^/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.Network/privateDnsZones/privatelink\.blob\.core\.windows\.net$`)
	// azureID is a subscription's.
	azureID        = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	azureRegion    = regexp.MustCompile(`^[a-z]+[0-9]?$`)
	azurePrincipal = regexp.MustCompile(`^(group|user|servicePrincipal):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	// azureSize leaves out sizes with a p: their processors are Arm, and the images of
	// the nodes are for x86 (learn.microsoft.com/azure/virtual-machines/vm-naming-conventions).
	azureSize = regexp.MustCompile(`^Standard_[A-Z]+[0-9]+[a-oq-z]*(_v[0-9]+)?$`)
	// azureDatabase are the sizes of Flexible Server
	// (learn.microsoft.com/azure/postgresql/configure-maintain/concepts-compute) without
	// those of version 6, which cannot be in a subnet of their own
	// (.../postgresql/overview), and B1ms, which has room for 50 connections.
	azureDatabase = regexp.MustCompile(`^Standard_(B([2-9]|[1-9][0-9])m?s|[DE][0-9]+a?ds_v[45])$`)
	// azureTiers are those from which blobs are read at once; Archive would fail every
	// read (learn.microsoft.com/azure/storage/blobs/access-tiers-overview).
	azureTiers = []string{"Cool", "Cold"}
)

// azureRegions have three availability zones (learn.microsoft.com/azure/reliability/regions-list,
// March 2026), AKS with its API server in the network, which Qatar Central lacks
// (.../aks/api-server-vnet-integration), and a standby of Flexible Server in another
// zone, which Denmark East and Japan West lack (.../postgresql/overview).
var azureRegions = strings.Fields(`australiaeast austriaeast belgiumcentral brazilsouth canadacentral centralindia centralus chilecentral eastasia eastus eastus2
	francecentral germanywestcentral indonesiacentral israelcentral italynorth japaneast koreacentral malaysiawest mexicocentral newzealandnorth
	northeurope norwayeast polandcentral southafricanorth southcentralus southeastasia spaincentral swedencentral switzerlandnorth uaenorth uksouth
	westeurope westus2 westus3`)

// azureOldServers are regions in which Flexible Server had sizes of version 4 and no
// others in December 2025 (github.com/MicrosoftDocs/azure-databases-docs,
// articles/postgresql/includes/regions-table.md).
var azureOldServers = strings.Fields("eastus2 israelcentral japaneast mexicocentral polandcentral southcentralus southeastasia spaincentral westus2")

// azureTaken are the pods' addresses (components/azure: podCIDR) and what AKS keeps
// for itself (learn.microsoft.com/azure/aks/concepts-network-cni-overview).
var azureTaken = []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("172.30.0.0/16"), netip.MustParsePrefix("172.31.0.0/16")}

// azureInternalLoadBalancer is the annotation that asks for a load balancer with an
// address of the network only (learn.microsoft.com/azure/aks/internal-lb).
const azureInternalLoadBalancer = "service.beta.kubernetes.io/azure-load-balancer-internal"

// InternalOnAzure says whether the annotations ask for a load balancer that the
// internet does not reach.
func (e Exposure) InternalOnAzure() bool { return e.Annotations[azureInternalLoadBalancer] == "true" }

// azureKinds are Azure's words for what a member of cluster.admins is.
var azureKinds = map[string]string{"group": "Group", "user": "User", "servicePrincipal": "ServicePrincipal"}

// AzurePrincipal is what a member of cluster.admins is for Azure, and its id.
func AzurePrincipal(member string) (kind, object string) {
	word, object, _ := strings.Cut(member, ":")
	return azureKinds[word], object
}

// azure lays Azure's defaults over the common ones. D4s_v5 is what followed
// D4s_v3 at its size and price, 4 vCPU and 16 GiB; dev takes the cheapest of them.
func (s *Settings) azure(profile Profile) {
	s.Network = Network{CIDR: "10.20.0.0/16"}
	s.Cluster.Version = "1.36"
	s.Cluster.ServiceCIDR = "172.20.0.0/16"
	// learn.microsoft.com/azure/aks/api-server-vnet-integration: the second is for nodes,
	// and nobody says which of them pods see.
	s.Cluster.APIServerPorts = []int{443, 4443}
	s.Cluster.SystemNodes = SystemNodes{Count: 2, Type: "Standard_D4as_v5"}
	s.Cluster.Nodes = Nodes{Type: "Standard_D4s_v5", DiskGiB: 128, Min: 3, Desired: 3, Max: 6}
	s.Database.Mode, s.Database.InstanceType, s.Database.HighAvailability = "managed", "Standard_D2ds_v5", true
	s.Database.StorageGiB, s.Database.MaxConnections = 256, 220
	s.Artifacts.Store, s.Artifacts.Bucket, s.Artifacts.Region = "managed", "", ""
	s.Artifacts.TransitionDays, s.Artifacts.TransitionClass = 30, "Cool"
	s.Budget.Usage = Usage{StoredGiB: 500, NATGiB: 100, DownloadedGiB: 100, LoggedGiB: 20}
	if profile == Dev {
		// With the third one dev would not fit 500 USD a month.
		s.Cluster.Nodes = Nodes{Type: "Standard_D4as_v5", DiskGiB: 64, Min: 2, Desired: 2, Max: 4}
		s.Cluster.SystemNodes.Count = 0
		s.Database.InstanceType, s.Database.HighAvailability, s.Database.StorageGiB = "Standard_B2s", false, 32
		s.Database.MaxConnections = 120
		s.Budget.Usage = Usage{StoredGiB: 50, NATGiB: 20, DownloadedGiB: 10, LoggedGiB: 5}
		s.Database.Backup.RetentionDays = 7
	}
}

// checkAzure is about the network and the cluster that a stack makes on Azure.
func (s *Settings) checkAzure(p *Problems) {
	c, n := s.Cluster, s.Cluster.Nodes
	p.Want(c.Mode == "managed", "cluster.mode", c.Mode, "managed on platform azure")
	p.Want(slices.Contains(azureRegions, s.Region), "region", s.Region, "an Azure region with availability zones: %s", strings.Join(azureRegions, ", "))
	p.Want(azureID.MatchString(s.Account), "account", s.Account, "the id of the Azure subscription: az account show --query id")
	p.Want(slices.Contains(kubernetesVersions, c.Version), "cluster.version", c.Version, "%s", strings.Join(kubernetesVersions, ", "))
	p.Want(len(c.Admins) > 0, "cluster.admins", c.Admins, "at least who runs pulumi up: nobody else has access")
	s.checkPeople(p, azurePrincipal, "group:, user: or servicePrincipal: and the object id in Entra")
	s.checkAPIAccess(p, "public addresses")
	// learn.microsoft.com/azure/aks/api-server-authorized-ip-ranges
	p.Want(len(c.APIAccessCIDRs) <= 2000, "cluster.apiAccessCIDRs", len(c.APIAccessCIDRs), "at most 2000 networks")
	// learn.microsoft.com/azure/aks/use-system-pools
	p.Want(azureSize.MatchString(n.Type) && !strings.HasPrefix(n.Type, "Standard_B"), "cluster.nodes.type", n.Type, "a size of x86 such as Standard_D4s_v5, and no burstable one, which AKS does not support")
	system := c.SystemNodes
	// Every node has a /24 of the pods' /16, and one more in each pool while it is upgraded.
	p.Want(n.Max+system.Count+2 <= 256, "cluster.nodes.max", n.Max, "at most %d: pods have addresses for 256 nodes", 254-system.Count)
	p.Want(system.Count > 0 || n.Min >= 2, "cluster.nodes.min", n.Min, "at least 2 without cluster.systemNodes: the cluster's own pods run there")
	p.Want(system.Count == 0 || system.Count >= 2, "cluster.systemNodes.count", system.Count, "at least 2, or 0 to let cluster.nodes run the cluster's own pods")
	p.Want(s.Profile != Production || system.Count > 0, "cluster.systemNodes.count", system.Count, "at least 2 in profile production: a busy server would starve the cluster's DNS")
	p.Want(azureSize.MatchString(system.Type) && !strings.HasPrefix(system.Type, "Standard_B") && vCPUs(system.Type) >= 4, "cluster.systemNodes.type", system.Type,
		"a size of x86 with at least 4 vCPU such as Standard_D4as_v5, and no burstable one")
	p.Want(system.Count > 0 || vCPUs(n.Type) >= 4, "cluster.nodes.type", n.Type, "a size with at least 4 vCPU without cluster.systemNodes")
	p.Want(n.DiskGiB >= 64 && n.DiskGiB <= 2048, "cluster.nodes.diskGiB", n.DiskGiB, "64 to 2048")
	s.checkNodes(p)
	s.checkVNet(p)
	s.checkServiceCIDR(p)
	services, err := netip.ParsePrefix(c.ServiceCIDR)
	// learn.microsoft.com/azure/aks/concepts-network-ip-address-planning
	p.Want(err != nil || services.Bits() > 12, "cluster.serviceCIDR", c.ServiceCIDR, "a /13 or smaller on platform azure")
	for _, other := range []struct{ key, cidr string }{{"network.cidr", s.Network.CIDR}, {"cluster.serviceCIDR", c.ServiceCIDR}} {
		prefix, err := netip.ParsePrefix(other.cidr)
		for _, taken := range azureTaken {
			p.Want(err != nil || !prefix.Overlaps(taken), other.key, other.cidr, "a range outside of %s, which is the pods' or AKS' own", taken)
		}
	}
	for _, tag := range ownedTags {
		p.required(s.Tags[tag] != "", "tags."+tag, "on a cloud: whose bill is it?")
	}
}

// vCPUs are those of a size, by its name, 0 for none
// (learn.microsoft.com/azure/virtual-machines/vm-naming-conventions).
func vCPUs(size string) int {
	digits := azureVCPUs.FindStringSubmatch(size)
	if digits == nil {
		return 0
	}
	count, err := strconv.Atoi(digits[1])
	if err != nil {
		return 0
	}
	return count
}

var azureVCPUs = regexp.MustCompile(`^Standard_[A-Z]+([0-9]{1,4})`)

// checkVNet is about the network, one that the stack makes or another.
func (s *Settings) checkVNet(p *Problems) {
	n := s.Network
	s.checkRange(p)
	if n.VNetID == "" {
		return
	}
	id := azureVNet.FindStringSubmatch(n.VNetID)
	p.Want(id != nil, "network.vnetId", n.VNetID, "the id of a virtual network: az network vnet show --query id")
	p.Want(id == nil || id[1] == s.Account, "network.vnetId", n.VNetID, "a network of the subscription in account")
	want := []struct{ key, name string }{{"nodes", n.Subnets.Nodes}, {"apiServer", n.Subnets.APIServer}, {"endpoints", n.Subnets.Endpoints}}
	if s.Database.Mode == "managed" {
		want = append(want, struct{ key, name string }{"database", n.Subnets.Database})
	}
	seen := map[string]bool{}
	for _, subnet := range want {
		key := "network.subnets." + subnet.key
		p.Want(azureSubnet.MatchString(subnet.name), key, subnet.name, "the name of a subnet of network.vnetId")
		// Two of them take nothing else in, and policies tell the others apart by address.
		p.Want(subnet.name == "" || !seen[subnet.name], key, subnet.name, "a subnet of its own")
		seen[subnet.name] = true
	}
	p.Want(n.BlobDNSZoneID == "" || azureBlobDNS.MatchString(n.BlobDNSZoneID), "network.blobDnsZoneId", n.BlobDNSZoneID, "the id of a private DNS zone privatelink.blob.core.windows.net")
}

// checkFlexibleServer is about Azure Database for PostgreSQL.
func (s *Settings) checkFlexibleServer(p *Problems) {
	d := s.Database
	p.Want(azureDatabase.MatchString(d.InstanceType), "database.instanceType", d.InstanceType, "a size of Flexible Server of version 4 or 5, such as Standard_D2ds_v5, or a burstable one from Standard_B2s on")
	// learn.microsoft.com/azure/postgresql/extensions/concepts-storage
	sizes := []int{32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32767}
	p.Want(slices.Contains(sizes, d.StorageGiB), "database.storageGiB", d.StorageGiB, "one of %v: Azure has disks of these sizes", sizes)
	p.Want(d.PasswordVersion >= 1, "database.passwordVersion", d.PasswordVersion, "at least 1")
	p.Want(s.Profile != Production || d.HighAvailability, "database.highAvailability", d.HighAvailability, "true in profile production")
	p.Want(!d.HighAvailability || !strings.HasPrefix(d.InstanceType, "Standard_B"), "database.highAvailability", d.HighAvailability, "false with %s: burstable sizes have no standby", d.InstanceType)
	// The server keeps 15 for itself, the arithmetic counts 7
	// (learn.microsoft.com/azure/postgresql/configure-maintain/concepts-limits).
	p.Want(d.MaxConnections >= s.Connections().Total()+8, "database.maxConnections", d.MaxConnections, "at least %d: 8 more than above, which Azure keeps for itself", s.Connections().Total()+8)
	p.Want(d.MaxConnections >= 25 && d.MaxConnections <= 5000, "database.maxConnections", d.MaxConnections, "25 to 5000 on platform azure")
	p.Want(s.Artifacts.NoncurrentDays <= 365, "artifacts.noncurrentDays", s.Artifacts.NoncurrentDays, "at most 365 on platform azure")
	paired := d.Backup.PairedRegion
	p.Want(paired == "" || azureRegion.MatchString(paired) && paired != s.Region, "database.backup.pairedRegion", paired, "the region that Azure pairs with %s, or nothing", s.Region)
	p.Want(d.Backup.RetentionDays >= 7 && d.Backup.RetentionDays <= 35, "database.backup.retentionDays", d.Backup.RetentionDays, "7 to 35 on platform azure")
}

package settings

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

var (
	azureRegion = regexp.MustCompile(`^[a-z]+[0-9]?$`)
	// azureID is a subscription's.
	azureID        = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	azurePrincipal = regexp.MustCompile(`^(group|user|servicePrincipal):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	// azureSize leaves out sizes with a p: their processors are Arm, and the images of
	// the nodes are for x86 (learn.microsoft.com/azure/virtual-machines/vm-naming-conventions).
	azureSize = regexp.MustCompile(`^Standard_[A-Z]+[0-9]+[a-oq-z]*(_v[0-9]+)?$`)
	// azureDatabase are the sizes of Flexible Server
	// (learn.microsoft.com/azure/postgresql/configure-maintain/concepts-compute).
	azureDatabase = regexp.MustCompile(`^Standard_(B[0-9]+m?s|[DE][0-9]+a?ds_v[0-9]+)$`)
	// azureTiers are those from which blobs are read at once; Archive would fail every
	// read (learn.microsoft.com/azure/storage/blobs/access-tiers-overview).
	azureTiers = []string{"Cool", "Cold"}
)

// azureTaken are the pods' addresses (components/azure: podCIDR) and what AKS keeps
// for itself (learn.microsoft.com/azure/aks/concepts-network-cni-overview).
var azureTaken = []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("172.30.0.0/16"), netip.MustParsePrefix("172.31.0.0/16")}

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
	s.Cluster.APIServerPorts = []int{443}
	s.Cluster.Nodes = Nodes{Type: "Standard_D4s_v5", DiskGiB: 128, Min: 3, Desired: 3, Max: 6}
	s.Database.Mode, s.Database.InstanceType, s.Database.HighAvailability = "managed", "Standard_D2ds_v5", true
	s.Database.StorageGiB, s.Database.MaxConnections = 256, 220
	s.Artifacts.Store, s.Artifacts.Bucket, s.Artifacts.Region = "managed", "", ""
	s.Artifacts.TransitionDays, s.Artifacts.TransitionClass = 30, "Cool"
	s.Budget.Usage = Usage{StoredGiB: 500, NATGiB: 100, DownloadedGiB: 100, LoggedGiB: 20}
	if profile == Dev {
		// With the third one dev would not fit 500 USD a month.
		s.Cluster.Nodes = Nodes{Type: "Standard_D4as_v5", DiskGiB: 64, Min: 2, Desired: 2, Max: 4}
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
	p.Want(azureRegion.MatchString(s.Region), "region", s.Region, "an Azure region with availability zones, such as westeurope")
	p.Want(azureID.MatchString(s.Account), "account", s.Account, "the id of the Azure subscription: az account show --query id")
	p.Want(slices.Contains(kubernetesVersions, c.Version), "cluster.version", c.Version, "%s", strings.Join(kubernetesVersions, ", "))
	p.Want(len(c.Admins) > 0, "cluster.admins", c.Admins, "at least who runs pulumi up: nobody else has access")
	s.checkPeople(p, azurePrincipal, "group:, user: or servicePrincipal: and the object id in Entra")
	p.Want(len(c.APIAccessCIDRs) > 0, "cluster.apiAccessCIDRs", c.APIAccessCIDRs, "the networks of whoever runs pulumi and kubectl")
	checkCIDRs(p, "cluster.apiAccessCIDRs", c.APIAccessCIDRs)
	checkIPv4(p, "cluster.apiAccessCIDRs", c.APIAccessCIDRs)
	s.checkPublicAccess(p, "public addresses")
	// learn.microsoft.com/azure/aks/api-server-authorized-ip-ranges; the cluster's own is one more.
	p.Want(len(c.APIAccessCIDRs) < 200, "cluster.apiAccessCIDRs", len(c.APIAccessCIDRs), "at most 199 networks")
	// learn.microsoft.com/azure/aks/use-system-pools
	p.Want(azureSize.MatchString(n.Type) && !strings.HasPrefix(n.Type, "Standard_B"), "cluster.nodes.type", n.Type, "a size of x86 such as Standard_D4s_v5, and no burstable one, which AKS does not support")
	p.Want(n.DiskGiB >= 64 && n.DiskGiB <= 2048, "cluster.nodes.diskGiB", n.DiskGiB, "64 to 2048")
	s.checkNodes(p)
	s.checkRange(p)
	s.checkServiceCIDR(p)
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

// checkFlexibleServer is about Azure Database for PostgreSQL.
func (s *Settings) checkFlexibleServer(p *Problems) {
	d := s.Database
	p.Want(azureDatabase.MatchString(d.InstanceType), "database.instanceType", d.InstanceType, "a size of Flexible Server such as Standard_D2ds_v5")
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
	p.Want(d.Backup.RetentionDays >= 7 && d.Backup.RetentionDays <= 35, "database.backup.retentionDays", d.Backup.RetentionDays, "7 to 35 on platform azure")
}

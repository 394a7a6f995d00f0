package settings

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// gcpProject is cloud.google.com/resource-manager/docs/creating-managing-projects.
	gcpProject = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	gcpRegion  = regexp.MustCompile(`^(africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]+[0-9]+$`)
	// gcpPrincipal are people, groups and accounts, and those of other identity providers
	// (cloud.google.com/iam/docs/principal-identifiers).
	gcpPrincipal = regexp.MustCompile(`^((user|group|serviceAccount):[^@\s:]+@[^@\s:]+\.[^@\s:]+|(principal|principalSet)://iam\.googleapis\.com/\S+)$`)
	// gcpMachine are the x86 types whose disks can be balanced persistent disks: N4, C4 and
	// later ones take Hyperdisk only (cloud.google.com/compute/docs/disks), T2A and C4A
	// are Arm.
	gcpMachine = regexp.MustCompile(`^(e2|n2|n2d|c2|c2d|c3|c3d|t2d)-(standard|highmem|highcpu)-([0-9]{1,3})$`)
	// gcpDatabase are the sizes of Cloud SQL's edition Enterprise with processors of
	// their own (cloud.google.com/sql/docs/postgres/create-instance), and the larger of
	// the shared ones; the smaller has room for 25 connections.
	gcpDatabase = regexp.MustCompile(`^db-custom-([0-9]{1,2})-([0-9]{4,6})$`)
	// gcpLabelKey and gcpLabel are cloud.google.com/compute/docs/labeling-resources.
	gcpLabelKey = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	gcpLabel    = regexp.MustCompile(`^[a-z0-9_-]{0,63}$`)
	gcpNetwork  = regexp.MustCompile(`^projects/([a-z][a-z0-9-]{4,28}[a-z0-9])/global/networks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	// gcpName is RFC 1035, as Compute Engine takes it.
	gcpName    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	gcpBilling = regexp.MustCompile(`^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$`)
	// gcpClasses are those from which objects are read at once and for little; Archive
	// bills a year and twice as much for reading.
	gcpClasses = []string{GCPAutoclass, "NEARLINE", "COLDLINE"}
)

// GCPAutoclass moves each object by itself, by when it was read last
// (cloud.google.com/storage/docs/autoclass).
const GCPAutoclass = "AUTOCLASS"

// gcpSharedDatabase has a part of a processor and no agreement about its uptime
// (cloud.google.com/sql/docs/postgres/instance-settings).
const gcpSharedDatabase = "db-g1-small"

// gcpTaken is Docker's bridge, from which Cloud SQL takes no connections and in which
// GKE has no nodes (cloud.google.com/sql/docs/postgres/private-ip).
var gcpTaken = netip.MustParsePrefix("172.17.0.0/16")

// GCPNodeAddresses are set aside for each node's pods, which are at most half as many
// (cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr).
const GCPNodeAddresses = 128

// gcpInternalLoadBalancer is the annotation that asks for a load balancer with an
// address of the network only
// (cloud.google.com/kubernetes-engine/docs/concepts/service-load-balancer-parameters).
const gcpInternalLoadBalancer = "networking.gke.io/load-balancer-type"

// InternalOnGCP says whether the annotations ask for a load balancer that the
// internet does not reach.
func (e Exposure) InternalOnGCP() bool { return e.Annotations[gcpInternalLoadBalancer] == "Internal" }

// GoogleGateway says whether the Gateway is of GKE's own controller, whose load
// balancers are outside of the cluster.
func (s *Settings) GoogleGateway() bool {
	return s.Platform == GCP && s.Exposure.Mode == "gateway" && s.Exposure.ControllerNamespace == ""
}

// ArtifactRegistry says whether images come from Google's, from which nodes pull with a
// role of their own.
func (s *Settings) ArtifactRegistry() bool {
	return s.Cluster.ImageStreaming || strings.Contains(s.Images.Registry+"/"+s.Images.MLflow, ".pkg.dev/")
}

// gcp lays Google Cloud's defaults over the common ones: e2 is the cheapest type of
// 4 vCPU and 16 GiB, n2 has them for itself.
func (s *Settings) gcp(profile Profile) {
	s.Network = Network{CIDR: "10.20.0.0/16", FlowLogs: true}
	s.Cluster.Version = "1.35"
	s.Cluster.ServiceCIDR = "172.20.0.0/16"
	s.Cluster.APIServerPorts = []int{443}
	s.Cluster.Nodes = Nodes{Type: "n2-standard-4", DiskGiB: 100, Min: 3, Desired: 3, Max: 6}
	s.Database.Mode, s.Database.InstanceType, s.Database.HighAvailability = "managed", "db-custom-2-8192", true
	s.Database.MaxStorageGiB = 1000
	s.Artifacts.Store, s.Artifacts.Bucket, s.Artifacts.Region = "managed", "", ""
	s.Artifacts.TransitionDays, s.Artifacts.TransitionClass = gcpAutoclassDays, GCPAutoclass
	s.Budget.Usage = Usage{StoredGiB: 500, NATGiB: 100, DownloadedGiB: 100, LoggedGiB: 20}
	if profile == Dev {
		s.Network.FlowLogs = false
		s.Cluster.Nodes.Type, s.Cluster.Nodes.DiskGiB = "e2-standard-4", 64
		s.Database.InstanceType, s.Database.HighAvailability = "db-custom-1-3840", false
		s.Database.StorageGiB, s.Database.MaxStorageGiB = 10, 200
		s.Budget.Usage = Usage{StoredGiB: 50, NATGiB: 20, DownloadedGiB: 10, LoggedGiB: 5}
		s.Database.Backup.RetentionDays = 7
	}
}

// gcpAutoclassDays is when Autoclass moves what was not read.
const gcpAutoclassDays = 30

// checkGCP is about the network and the cluster that a stack makes on Google Cloud.
func (s *Settings) checkGCP(p *Problems) {
	c, n := s.Cluster, s.Cluster.Nodes
	p.Want(c.Mode == "managed", "cluster.mode", c.Mode, "managed on platform gcp")
	p.Want(gcpRegion.MatchString(s.Region), "region", s.Region, "a region of Google Cloud such as europe-west3")
	p.Want(gcpProject.MatchString(s.Account), "account", s.Account, "the id of the project: gcloud config get project")
	// cloud.google.com/storage/docs/buckets#naming
	p.Want(!strings.Contains(strings.ToLower(s.Stack), "goog"), "the stack's name", s.Stack, "one without goog: buckets have it in their names")
	p.Want(slices.Contains(kubernetesVersions, c.Version), "cluster.version", c.Version, "%s", strings.Join(kubernetesVersions, ", "))
	p.Want(len(c.Admins) > 0, "cluster.admins", c.Admins, "at least one: whose mistakes does the on-call mend?")
	s.checkPeople(p, gcpPrincipal, "user:, group: or serviceAccount: and the mail address, or a principal:// of another identity provider")
	s.checkAPIAccess(p, "public addresses: private ones belong into cluster.privateAccessCIDRs")
	// cloud.google.com/kubernetes-engine/docs/how-to/authorized-networks
	p.Want(len(c.APIAccessCIDRs)+len(c.PrivateAccessCIDRs) <= 100, "cluster.apiAccessCIDRs", len(c.APIAccessCIDRs)+len(c.PrivateAccessCIDRs), "at most 100 networks together with cluster.privateAccessCIDRs")
	p.Want(gcpMachine.MatchString(n.Type), "cluster.nodes.type", n.Type, "a machine type of x86 with persistent disks such as n2-standard-4: e2, n2, n2d, c2, c2d, c3, c3d or t2d")
	p.Want(machineCPUs(n.Type) != 1, "cluster.nodes.type", n.Type, "a type with at least 2 vCPU")
	p.Want(n.DiskGiB >= 40 && n.DiskGiB <= 2048, "cluster.nodes.diskGiB", n.DiskGiB, "40 to 2048")
	p.Want(n.Desired <= 3 || n.Desired%3 == 0, "cluster.nodes.desired", n.Desired, "1, 2 or a multiple of 3: a pool begins with as many in each zone")
	s.checkNodes(p)
	s.checkRange(p)
	s.checkGCPNetwork(p)
	s.checkServiceCIDR(p)
	network, err := netip.ParsePrefix(s.Network.CIDR)
	// One more while nodes are upgraded.
	room := 0
	if err == nil && network.Bits() <= 24 {
		room = 1<<(31-network.Bits())/GCPNodeAddresses - 1
	}
	p.Want(room == 0 || s.Network.Existing() || n.Max <= room, "cluster.nodes.max", n.Max, "at most %d with network.cidr %s, half of which is the pods'", room, s.Network.CIDR)
	services, servicesErr := netip.ParsePrefix(c.ServiceCIDR)
	// cloud.google.com/kubernetes-engine/docs/concepts/alias-ips
	p.Want(servicesErr != nil || services.Bits() >= 16, "cluster.serviceCIDR", c.ServiceCIDR, "a /16 or smaller on platform gcp")
	for _, other := range []struct {
		key, cidr string
		prefix    netip.Prefix
		err       error
	}{{"network.cidr", s.Network.CIDR, network, err}, {"cluster.serviceCIDR", c.ServiceCIDR, services, servicesErr}} {
		p.Want(other.err != nil || !other.prefix.Overlaps(gcpTaken), other.key, other.cidr, "a range outside of %s, which is Docker's on the nodes", gcpTaken)
	}
	s.checkLabels(p)
	p.Want(s.Budget.BillingAccount == "" || gcpBilling.MatchString(s.Budget.BillingAccount), "budget.billingAccount", s.Budget.BillingAccount, "an id such as 0X0X0X-0X0X0X-0X0X0X: gcloud billing accounts list")
	// cloud.google.com/billing/docs/how-to/budgets-notification-recipients
	p.Want(len(s.Budget.Emails) <= 5, "budget.emails", s.Budget.Emails, "at most 5 on platform gcp: a budget has no more channels, a list has room for more people")
}

// checkGCPNetwork is about a network that is there.
func (s *Settings) checkGCPNetwork(p *Problems) {
	n := s.Network
	if n.NetworkID == "" {
		return
	}
	id := gcpNetwork.FindStringSubmatch(n.NetworkID)
	p.Want(id != nil, "network.networkId", n.NetworkID, "projects/PROJECT/global/networks/NAME")
	p.Want(id == nil || id[1] == s.Account, "network.networkId", n.NetworkID, "a network of the project in account")
	want := []struct{ key, name string }{{"subnet", n.Ranges.Subnet}, {"pods", n.Ranges.Pods}, {"services", n.Ranges.Services}}
	if s.Database.Mode == "managed" {
		want = append(want, struct{ key, name string }{"database", n.Ranges.Database})
	}
	for _, one := range want {
		p.Want(gcpName.MatchString(one.name), "network.ranges."+one.key, one.name, "the name of what is there in network.networkId")
	}
	plane, err := netip.ParsePrefix(n.Ranges.ControlPlane)
	p.Want(err == nil && plane.Bits() == 28 && plane.Addr().IsPrivate() && plane == plane.Masked(), "network.ranges.controlPlane", n.Ranges.ControlPlane, "a private /28 that nothing in the network has")
	p.Want(len(s.Artifacts.CIDRs) > 0, "artifacts.cidrs", s.Artifacts.CIDRs,
		"the addresses that storage.googleapis.com has in network.networkId: 199.36.153.8/30 for private.googleapis.com, 199.36.153.4/30 for restricted.googleapis.com, or those of an endpoint")
}

// checkLabels is about tags, which Google Cloud calls labels and is stricter about.
func (s *Settings) checkLabels(p *Problems) {
	for _, key := range sortedKeys(s.Tags) {
		p.Want(gcpLabelKey.MatchString(key), "tags."+key, s.Tags[key], "a name of small letters, digits, _ and - on platform gcp, starting with a letter, at most 63")
		p.Want(gcpLabel.MatchString(s.Tags[key]), "tags."+key, s.Tags[key], "small letters, digits, _ and - on platform gcp, at most 63")
	}
	// 64, and two are the platform's.
	p.Want(len(s.Tags) <= 62, "tags", len(s.Tags), "at most 62 on platform gcp")
	for _, tag := range ownedTags {
		p.required(s.Tags[tag] != "", "tags."+tag, "on a cloud: whose bill is it?")
	}
}

// machineCPUs are those of a machine type, 0 for none.
func machineCPUs(machine string) int {
	parts := gcpMachine.FindStringSubmatch(machine)
	if parts == nil {
		return 0
	}
	count, err := strconv.Atoi(parts[3])
	if err != nil {
		return 0
	}
	return count
}

// cloudSQLSize are the vCPUs and MiB of a size of Cloud SQL; ok says whether there is
// such a size: one vCPU or an even number to 96, and for each 0.9 to 6.5 GiB, in steps
// of 256 MiB from 3.75 GiB on (cloud.google.com/sql/docs/postgres/create-instance).
func cloudSQLSize(size string) (cpus, mib int, ok bool) {
	parts := gcpDatabase.FindStringSubmatch(size)
	if parts == nil {
		return 0, 0, false
	}
	cpus, cpuErr := strconv.Atoi(parts[1])
	mib, memoryErr := strconv.Atoi(parts[2])
	ok = cpuErr == nil && memoryErr == nil && (cpus == 1 || cpus >= 2 && cpus <= 96 && cpus%2 == 0) &&
		mib >= 3840 && mib%256 == 0 && mib*10 >= cpus*9*1024 && mib*10 <= cpus*65*1024
	return cpus, mib, ok
}

// checkCloudSQL is about Cloud SQL for PostgreSQL.
func (s *Settings) checkCloudSQL(p *Problems) {
	d := s.Database
	_, _, own := cloudSQLSize(d.InstanceType)
	shared := d.InstanceType == gcpSharedDatabase
	p.Want(own || shared, "database.instanceType", d.InstanceType,
		"db-custom-CPUS-MIB such as db-custom-2-8192, with 1 or an even number of vCPU and 0.9 to 6.5 GiB for each, at least 3840 MiB in steps of 256, or %s", gcpSharedDatabase)
	p.Want(s.Profile != Production || !shared, "database.instanceType", d.InstanceType, "a size with processors of its own in profile production")
	// cloud.google.com/sql/docs/postgres/instance-settings
	p.Want(d.StorageGiB >= 10 && d.StorageGiB <= 65536, "database.storageGiB", d.StorageGiB, "10 to 65536")
	p.Want(d.MaxStorageGiB > d.StorageGiB && d.MaxStorageGiB <= 65536, "database.maxStorageGiB", d.MaxStorageGiB, "more than database.storageGiB, and at most 65536")
	p.Want(d.PasswordVersion >= 1, "database.passwordVersion", d.PasswordVersion, "at least 1")
	p.Want(s.Profile != Production || d.HighAvailability, "database.highAvailability", d.HighAvailability, "true in profile production")
	// cloud.google.com/sql/docs/postgres/flags
	p.Want(d.MaxConnections >= 14 && d.MaxConnections <= 262143, "database.maxConnections", d.MaxConnections, "14 to 262143 on platform gcp")
	// cloud.google.com/sql/docs/postgres/backup-recovery/backups
	p.Want(d.Backup.RetentionDays <= 365, "database.backup.retentionDays", d.Backup.RetentionDays, "at most 365 on platform gcp")
}

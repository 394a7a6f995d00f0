package settings

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// kubernetesVersions are those that the clouds support without a surcharge, and
// that the workload was checked for; the default is the last but one.
var kubernetesVersions = []string{"1.35", "1.36", "1.37"}

// ownedTags are the tags that a stack on a cloud must have: without them nobody
// knows whose bill it is.
var ownedTags = []string{"owner", "cost-centre"}

// eksAddons are the add-ons of a cluster on AWS.
var eksAddons = []string{"aws-ebs-csi-driver", "coredns", "eks-node-monitoring-agent", "eks-pod-identity-agent", "kube-proxy", "metrics-server", "vpc-cni"}

var (
	awsAccount = regexp.MustCompile(`^[0-9]{12}$`)
	// awsRegion leaves out China and the government, which are other partitions
	// with other endpoints.
	awsRegion  = regexp.MustCompile(`^(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[0-9]$`)
	awsAdmin   = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+$`)
	awsRelease = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+-[0-9]{8}$`)
	// awsGraviton are the types with a g behind the generation; the images of the
	// nodes are for x86.
	awsGraviton = regexp.MustCompile(`^[a-z]+[0-9]+[a-z]*g[a-z]*\.`)
	awsInstance = regexp.MustCompile(`^[a-z][a-z0-9-]+\.[a-z0-9]+$`)
	// Ids have 8 digits if they are from before 2018
	// (docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html).
	awsVPC = regexp.MustCompile(`^vpc-([0-9a-f]{8}|[0-9a-f]{17})$`)
	// docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	awsBucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	awsSubnet = regexp.MustCompile(`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)
)

// The annotations of load balancers on AWS that decide where they are
// (github.com/kubernetes/cloud-provider-aws/blob/master/docs/service_controller.md).
const (
	// AWSInternalLoadBalancer asks for one with addresses of the network only, with
	// any value but "false".
	AWSInternalLoadBalancer = "service.beta.kubernetes.io/aws-load-balancer-internal"
	awsBalancerSubnets      = "service.beta.kubernetes.io/aws-load-balancer-subnets"
)

// InternalOnAWS says whether the annotations ask for a load balancer that the
// internet does not reach.
func (e Exposure) InternalOnAWS() bool {
	value := e.Annotations[AWSInternalLoadBalancer]
	return value != "" && value != "false"
}

// Existing says whether the network is there already.
func (n Network) Existing() bool { return n.VPCID != "" || n.VNetID != "" || n.NetworkID != "" }

// ReclaimPolicy keeps the volumes of a database in the cluster when their claims go,
// in production. It does not follow protect: Kubernetes refuses to change the policy
// of a class.
func (s *Settings) ReclaimPolicy() string {
	if s.Profile == Production {
		return "Retain"
	}
	return "Delete"
}

func (s *Settings) onCloud() bool {
	return s.Platform == AWS || s.Platform == Azure || s.Platform == GCP
}

// checkManagedCluster is about the network and the cluster that a stack makes.
func (s *Settings) checkManagedCluster(p *Problems) {
	switch s.Platform {
	case Azure:
		s.checkAzure(p)
	case GCP:
		s.checkGCP(p)
	case AWS, Kubernetes:
		s.checkAWS(p)
	}
}

func (s *Settings) checkAWS(p *Problems) {
	c := s.Cluster
	p.Want(c.Mode == "managed", "cluster.mode", c.Mode, "managed on platform %s", s.Platform)
	p.Want(awsRegion.MatchString(s.Region), "region", s.Region, "an AWS region such as eu-central-1")
	p.Want(awsAccount.MatchString(s.Account), "account", s.Account, "the 12 digits of the AWS account")
	p.Want(slices.Contains(kubernetesVersions, c.Version), "cluster.version", c.Version, "%s", strings.Join(kubernetesVersions, ", "))
	p.Want(len(c.Admins) > 0, "cluster.admins", c.Admins, "at least the role that runs pulumi up: nobody else has access")
	s.checkPeople(p, awsAdmin, "the ARN of an IAM role or user")
	s.checkAPIAccess(p, "public addresses: private ones belong into cluster.privateAccessCIDRs")
	for _, name := range sortedKeys(c.Addons) {
		if !slices.Contains(eksAddons, name) {
			p.add("cluster.addons.%s is not an add-on of the cluster; want one of %s", name, strings.Join(eksAddons, ", "))
		}
	}
	n := c.Nodes
	p.Want(awsInstance.MatchString(n.Type) && !awsGraviton.MatchString(n.Type), "cluster.nodes.type", n.Type, "an EC2 instance type of x86 such as m7i.xlarge")
	p.Want(n.Release == "" || awsRelease.MatchString(n.Release) && strings.HasPrefix(n.Release, c.Version+"."), "cluster.nodes.release", n.Release,
		"nothing, or a release of the nodes' image for cluster.version %s, such as %s.1-20261101", c.Version, c.Version)
	p.Want(n.DiskGiB >= 40, "cluster.nodes.diskGiB", n.DiskGiB, "at least 40: the system, images, logs and what kubelet keeps free")
	// docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
	p.Want(n.DiskGiB <= 65536, "cluster.nodes.diskGiB", n.DiskGiB, "at most 65536: gp3 has no larger volume")
	s.checkNodes(p)
	s.checkNetwork(p)
	s.checkServiceCIDR(p)
	_, own := s.Exposure.Annotations[awsBalancerSubnets]
	p.Want(!own, "exposure.annotations", awsBalancerSubnets, "the subnets in network.loadBalancerSubnetIds, with network.vpcId")
	s.checkTagCase(p)
	for _, tag := range ownedTags {
		p.required(s.Tags[tag] != "", "tags."+tag, "on a cloud: whose bill is it?")
	}
}

// checkAPIAccess is about who reaches the API server, at its private address and over
// the internet.
func (s *Settings) checkAPIAccess(p *Problems, public string) {
	const private, internet = "cluster.privateAccessCIDRs", "cluster.apiAccessCIDRs"
	c := s.Cluster
	p.Want(len(c.APIAccessCIDRs)+len(c.PrivateAccessCIDRs) > 0, internet, c.APIAccessCIDRs,
		"the networks of whoever runs pulumi and kubectl, or cluster.privateAccessCIDRs with them if they are connected with the cluster's")
	checkCIDRs(p, internet, c.APIAccessCIDRs)
	checkIPv4(p, internet, c.APIAccessCIDRs)
	checkCIDRs(p, private, c.PrivateAccessCIDRs)
	checkIPv4(p, private, c.PrivateAccessCIDRs)
	for _, cidr := range c.PrivateAccessCIDRs {
		prefix, err := netip.ParsePrefix(cidr)
		p.Want(err != nil || prefix.Bits() > 0, private, cidr, "listed networks, not every one")
	}
	for _, cidr := range c.APIAccessCIDRs {
		prefix, err := netip.ParsePrefix(cidr)
		// The clouds refuse those when the network is made already.
		p.Want(err != nil || !prefix.Addr().IsPrivate(), internet, cidr, "%s", public)
		p.Want(s.Profile != Production || err != nil || prefix.Bits() > 0, internet, cidr, "listed networks in profile production, not the whole internet")
	}
}

// checkPeople is about who administers the cluster and who looks at it.
func (s *Settings) checkPeople(p *Problems, member *regexp.Regexp, rule string) {
	c := s.Cluster
	for _, a := range c.Admins {
		p.Want(member.MatchString(a), "cluster.admins", a, "%s", rule)
	}
	for _, v := range c.Viewers {
		p.Want(member.MatchString(v), "cluster.viewers", v, "%s", rule)
		p.Want(!slices.Contains(c.Admins, v), "cluster.viewers", v, "somebody who is not in cluster.admins")
	}
}

// checkNodes is about how many nodes there are and what fits on their disks.
func (s *Settings) checkNodes(p *Problems) {
	n := s.Cluster.Nodes
	p.Want(s.MLflow.TmpGiB <= n.DiskGiB/2, "mlflow.tmpGiB", s.MLflow.TmpGiB, "at most half of cluster.nodes.diskGiB, %d", n.DiskGiB)
	p.Want(n.Min >= 1 && n.Min <= n.Desired && n.Desired <= n.Max, "cluster.nodes", n, "1 <= min <= desired <= max")
	p.Want(s.Profile != Production || n.Min >= 3, "cluster.nodes.min", n.Min, "at least 3 in profile production: one in every zone")
}

// checkRange is about the addresses of the network that the stack makes.
func (s *Settings) checkRange(p *Problems) {
	network, err := netip.ParsePrefix(s.Network.CIDR)
	private := err == nil && network.Addr().Is4() && network.Addr().IsPrivate() && network == network.Masked() && network.Bits() >= 16 && network.Bits() <= 20
	p.Want(private, "network.cidr", s.Network.CIDR, "a private range of 16 to 20 bits such as 10.20.0.0/16")
}

func (s *Settings) checkNetwork(p *Problems) {
	n := s.Network
	s.checkRange(p)
	p.Want(n.NATGateways == 1 || n.NATGateways == 3, "network.natGateways", n.NATGateways, "1, or 3 for one in every zone")
	for _, bucket := range n.ReadableBuckets {
		p.Want(awsBucket.MatchString(bucket), "network.readableBuckets", bucket, "the name of a bucket")
	}
	if n.VPCID == "" {
		return
	}
	p.Want(awsVPC.MatchString(n.VPCID), "network.vpcId", n.VPCID, "the id of a VPC such as vpc-0123456789abcdef0")
	p.Want(len(n.PrivateSubnetIDs) >= 3, "network.privateSubnetIds", n.PrivateSubnetIDs, "at least 3 with network.vpcId, in three zones")
	p.Want(len(n.DatabaseSubnetIDs) != 1, "network.databaseSubnetIds", n.DatabaseSubnetIDs, "none, or at least 2 in two zones")
	p.Want(s.Exposure.Mode != "loadBalancer" || len(n.LoadBalancerSubnetIDs) >= 3, "network.loadBalancerSubnetIds", n.LoadBalancerSubnetIDs,
		"one in every zone of the nodes with network.vpcId and exposure.mode loadBalancer")
	checkSubnets(p, "network.privateSubnetIds", n.PrivateSubnetIDs)
	checkSubnets(p, "network.databaseSubnetIds", n.DatabaseSubnetIDs)
	checkSubnets(p, "network.loadBalancerSubnetIds", n.LoadBalancerSubnetIDs)
}

// checkServiceCIDR refuses what EKS does
// (docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html).
func (s *Settings) checkServiceCIDR(p *Problems) {
	services, err := netip.ParsePrefix(s.Cluster.ServiceCIDR)
	private := err == nil && services.Addr().Is4() && services.Addr().IsPrivate() && services == services.Masked() && services.Bits() >= 12 && services.Bits() <= 24
	p.Want(private, "cluster.serviceCIDR", s.Cluster.ServiceCIDR, "a private range of 12 to 24 bits such as 172.20.0.0/16")
	network, err := netip.ParsePrefix(s.Network.CIDR)
	p.Want(!private || err != nil || s.Network.Existing() || !services.Overlaps(network), "cluster.serviceCIDR", s.Cluster.ServiceCIDR, "a range outside of network.cidr, %s", s.Network.CIDR)
}

func checkSubnets(p *Problems, key string, ids []string) {
	for i, id := range ids {
		p.Want(awsSubnet.MatchString(id), key, id, "ids of subnets such as subnet-0123456789abcdef0")
		p.Want(!slices.Contains(ids[:i], id), key, id, "every subnet once")
	}
}

// checkTagCase finds tags that differ in case only: IAM takes them for one and
// refuses the role, when half of the stack is made
// (docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html).
func (s *Settings) checkTagCase(p *Problems) {
	seen := map[string]string{}
	for _, own := range []string{"Name", "project", "stack"} {
		seen[strings.ToLower(own)] = own
	}
	for _, key := range sortedKeys(s.Tags) {
		other, taken := seen[strings.ToLower(key)]
		p.Want(!taken, "tags."+key, s.Tags[key], "another name: for IAM it is the tag %s, which is there already", other)
		seen[strings.ToLower(key)] = key
	}
}

// checkIPv4 refuses addresses that a service of AWS does not take in its rules.
func checkIPv4(p *Problems, key string, cidrs []string) {
	for _, cidr := range cidrs {
		prefix, err := netip.ParsePrefix(cidr)
		p.Want(err != nil || prefix.Addr().Is4(), key, cidr, "IPv4 addresses: the cluster's network has no others")
	}
}

// checkManagedDatabase is about a database that the cloud runs.
func (s *Settings) checkManagedDatabase(p *Problems) {
	switch s.Platform {
	case Azure:
		s.checkFlexibleServer(p)
	case GCP:
		s.checkCloudSQL(p)
	case AWS, Kubernetes:
		s.checkRDS(p)
	}
}

func (s *Settings) checkRDS(p *Problems) {
	d := s.Database
	p.Want(strings.HasPrefix(d.InstanceType, "db."), "database.instanceType", d.InstanceType, "an RDS instance class such as db.m7g.large")
	// gp3 volumes of RDS start at 20 GiB (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html).
	p.Want(d.StorageGiB >= 20, "database.storageGiB", d.StorageGiB, "at least 20: RDS has no smaller volume")
	// RDS accepts a maximum from a tenth above the size on.
	p.Want(d.PasswordVersion >= 1, "database.passwordVersion", d.PasswordVersion, "at least 1")
	p.Want(d.MaxStorageGiB*10 >= d.StorageGiB*11, "database.maxStorageGiB", d.MaxStorageGiB, "at least a tenth more than database.storageGiB")
	p.Want(s.Profile != Production || d.HighAvailability, "database.highAvailability", d.HighAvailability, "true in profile production")
	p.Want(d.Backup.RetentionDays <= 35, "database.backup.retentionDays", d.Backup.RetentionDays, "at most 35: RDS keeps backups no longer")
}

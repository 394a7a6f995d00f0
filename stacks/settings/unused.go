package settings

import (
	"reflect"
	"slices"
	"strings"
)

// unused are keys that the stack's other choices leave without effect. A value in
// one of them is a misunderstanding, and a stack that came up with it would hide
// it. What a switch turns off (database.backup.enabled) is not among them: it
// stays for the day the switch is on again.
type unused struct {
	when bool
	// why goes on after the value that is wanted: nothing, or the default.
	why string
	// keys of objects stand for everything in them.
	keys []string
}

func (s *Settings) unused() []unused {
	inCluster := s.Database.Mode == "inCluster"
	kubernetes, cloud, onCloud := s.Platform == Kubernetes, s.onCloud(), "on platform "+string(s.Platform)
	aws, azure, gcp := s.Platform == AWS, s.Platform == Azure, s.Platform == GCP
	store, exposure, ownNetwork := s.Artifacts.Store, s.Exposure, !s.Network.Existing()
	// In profile production the store is the mistake, not what it ignores.
	ownStore := kubernetes && store == "inCluster" && s.Profile != Production
	controlled := exposure.Mode == "ingress" || exposure.Mode == "gateway"
	s3 := []string{"s3AccessKeyId", "s3SecretAccessKey", "s3AdminAccessKeyId", "s3AdminSecretAccessKey"}
	return []unused{
		{kubernetes, "on platform kubernetes: the cluster is not ours", []string{
			"region", "account", "network", "cluster.version", "cluster.apiAccessCIDRs", "cluster.privateAccessCIDRs", "cluster.serviceCIDR", "cluster.admins", "cluster.viewers", "cluster.addons", "cluster.nodes",
			"cluster.systemNodes", "cluster.defender", "cluster.azurePolicy", "cluster.imageStreaming", "database.backup.pairedRegion",
		}},
		{kubernetes, "on platform kubernetes: there is no cloud bill to watch", []string{"budget"}},
		{kubernetes || inCluster, "with database.mode inCluster", []string{"database.instanceType", "database.maxStorageGiB", "database.highAvailability", "database.iamAuthentication", "database.passwordVersion"}},
		{cloud && inCluster, "with database.mode inCluster", []string{"database.backup.pairedRegion"}},
		{azure, onCloud, []string{
			"network.vpcId", "network.privateSubnetIds", "network.databaseSubnetIds", "network.loadBalancerSubnetIds", "network.readableBuckets", "network.natGateways", "network.flowLogs",
			"cluster.addons", "cluster.nodes.release", "artifacts.cidrs", "artifacts.abortUploadDays",
		}},
		{aws || azure, onCloud, []string{"network.networkId", "network.ranges", "cluster.imageStreaming", "database.iamAuthentication", "budget.billingAccount"}},
		{gcp, onCloud, []string{
			"network.vpcId", "network.privateSubnetIds", "network.databaseSubnetIds", "network.loadBalancerSubnetIds", "network.vnetId", "network.subnets", "network.blobDnsZoneId",
			"network.readableBuckets", "network.natGateways", "cluster.addons", "cluster.nodes.release", "cluster.systemNodes", "cluster.defender", "cluster.azurePolicy",
			"database.backup.pairedRegion",
		}},
		{gcp && ownNetwork, "without network.networkId: the stack makes the network", []string{"network.ranges", "artifacts.cidrs"}},
		{gcp && !ownNetwork, "with network.networkId: that network has its own", []string{"network.cidr", "network.flowLogs", "budget.usage.natGiB"}},
		{gcp && !ownNetwork && inCluster, "with database.mode inCluster", []string{"network.ranges.database"}},
		{azure && !inCluster, onCloud + ": storage grows up to Azure's limit", []string{"database.maxStorageGiB"}},
		{azure && len(s.Cluster.APIAccessCIDRs) > 0, "with cluster.apiAccessCIDRs on platform azure: what is connected with the network reaches the API server then", []string{"cluster.privateAccessCIDRs"}},
		{azure && ownNetwork, "without network.vnetId: the stack makes the network", []string{"network.subnets", "network.blobDnsZoneId"}},
		{azure && !ownNetwork, "with network.vnetId: that network has its own", []string{"network.cidr", "budget.usage.natGiB"}},
		{azure && !ownNetwork && inCluster, "with database.mode inCluster", []string{"network.subnets.database"}},
		{aws, onCloud, []string{
			"network.vnetId", "network.subnets", "network.blobDnsZoneId", "cluster.systemNodes", "cluster.defender", "cluster.azurePolicy", "database.backup.pairedRegion",
		}},
		{aws, onCloud + ": AWS bills in US dollars", []string{"budget.currencyPerUSD"}},
		{ownStore, "with artifacts.store inCluster: the stack makes that store", append([]string{
			"artifacts.endpoint", "artifacts.region", "artifacts.caCertificate", "artifacts.cidrs",
		}, s3...)},
		{ownStore, "with artifacts.store inCluster: it has one storage class", []string{"artifacts.transitionDays"}},
		{kubernetes && store == "s3", "with artifacts.store s3", []string{"artifacts.storageGiB"}},
		{aws && ownNetwork, "without network.vpcId: the stack makes the network", []string{
			"network.privateSubnetIds", "network.databaseSubnetIds", "network.loadBalancerSubnetIds",
		}},
		{aws && !ownNetwork, "with network.vpcId: that network has its own", []string{
			"network.cidr", "network.natGateways", "network.flowLogs", "network.readableBuckets", "budget.usage.natGiB",
		}},
		{aws && !ownNetwork && inCluster, "with database.mode inCluster", []string{"network.databaseSubnetIds"}},
		{aws && !ownNetwork && exposure.Mode != "loadBalancer", "unless exposure.mode is loadBalancer", []string{"network.loadBalancerSubnetIds"}},
		{cloud, onCloud + ": the stack makes the cluster", []string{
			"cluster.kubeconfig", "cluster.context", "cluster.apiServerCIDRs", "cluster.apiServerPorts", "cluster.dnsCIDRs",
		}},
		{cloud && !inCluster, "with database.mode managed: the database is not in the cluster", []string{
			"database.instances", "database.storageClass", "database.resources", "database.installOperator", "database.operatorNamespace",
		}},
		{cloud && inCluster, onCloud + ": the stack makes a class with a key of its own", []string{"database.storageClass"}},
		{cloud, onCloud + ": the stack makes the bucket", append([]string{
			"artifacts.endpoint", "artifacts.region", "artifacts.caCertificate", "artifacts.bucket", "artifacts.storageGiB",
		}, s3...)},
		{aws && ownNetwork, onCloud + ": the stack makes the bucket", []string{"artifacts.cidrs"}},
		{s.Artifacts.TransitionDays == 0, "with artifacts.transitionDays 0", []string{"artifacts.transitionClass"}},
		{s.Auth.Mode == "none", "with auth.mode none", []string{"authPasswordHashes"}},
		{exposure.Mode != "ingress", "unless exposure.mode is ingress", []string{"exposure.ingressClass"}},
		{exposure.Mode != "gateway", "unless exposure.mode is gateway", []string{"exposure.parentGateway"}},
		{!controlled, "unless exposure.mode is ingress or gateway", []string{"exposure.controllerNamespace"}},
		{controlled, "with exposure.mode " + exposure.Mode + ": limit sources at the controller", []string{"exposure.sourceCIDRs"}},
		{exposure.Mode == "none", "with exposure.mode none: no way leads in", []string{"exposure.sourceCIDRs", "exposure.annotations"}},
		// The port is a part of the URLs that are made of the host.
		{exposure.Mode == "none" && exposure.Host == "", "without exposure.host", []string{"exposure.port"}},
		{exposure.TLS.Source == "generated", "with exposure.tls.source generated", []string{"exposure.tls.certificate", "tlsPrivateKey"}},
		{s.Images.Source == "local", "with images.source local", []string{"images.registry", "registryCredentials"}},
	}
}

func (u unused) has(key string) bool {
	return slices.ContainsFunc(u.keys, func(k string) bool { return key == k || strings.HasPrefix(key, k+".") })
}

// checkUnused tells what the user set from what the defaults did by the value: one
// that is the default does no harm.
func (s *Settings) checkUnused(p *Problems) {
	choices := s.unused()
	standard := leaves("", reflect.ValueOf(Defaults(s.Platform, s.Profile)))
	for i, l := range leaves("", reflect.ValueOf(*s)) {
		for _, u := range choices {
			if u.when && u.has(l.key) {
				p.Want(same(l.value, standard[i].value), l.key, l.value.Interface(), "%s %s", standard[i].orNothing(), u.why)
			}
		}
	}
}

// leaf is a setting that is not an object.
type leaf struct {
	key   string
	value reflect.Value
}

// leaves are the settings in a value, in the order of the struct.
func leaves(key string, v reflect.Value) []leaf {
	if v.Kind() != reflect.Struct {
		return []leaf{{key, v}}
	}
	var all []leaf
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		if name == "-" {
			continue
		}
		if key != "" {
			name = key + "." + name
		}
		all = append(all, leaves(name, v.Field(i))...)
	}
	return all
}

// orNothing is a default as a rule.
func (l leaf) orNothing() string {
	if l.value.IsZero() && l.value.Kind() != reflect.Bool {
		return "nothing"
	}
	return show(l.value.Interface()) + ", the default,"
}

// same compares two values; a list without elements is as good as none.
func same(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

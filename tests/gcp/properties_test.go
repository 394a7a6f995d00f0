package gcp_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// Ways to break a graph, and to look at it.
var (
	set, edit, remove, copying           = graph.Setting, graph.Editing, graph.Removing, graph.Copying
	value, text, number, isTrue, isFalse = graph.Value, graph.Text, graph.Number, graph.IsTrue, graph.IsFalse
)

// Types of Google Cloud that tests name more than once.
const (
	network  = "gcp:compute/network:Network"
	subnet   = "gcp:compute/subnetwork:Subnetwork"
	cluster  = "gcp:container/cluster:Cluster"
	pool     = "gcp:container/nodePool:NodePool"
	instance = "gcp:sql/databaseInstance:DatabaseInstance"
	bucket   = "gcp:storage/bucket:Bucket"
	key      = "gcp:kms/cryptoKey:CryptoKey"
	alarm    = "gcp:monitoring/alertPolicy:AlertPolicy"
	budget   = "gcp:billing/budget:Budget"
)

func production(g *graph.Graph) bool { return !strings.HasSuffix(g.Stack, "-dev") }

// managed says that the database is Cloud SQL, own that the stack makes the network.
func managed(g *graph.Graph) bool { return !strings.HasSuffix(g.Stack, "-incluster") }
func own(g *graph.Graph) bool     { return !strings.HasSuffix(g.Stack, "-network") }

// part is each of what some stacks have and others do not.
func part(g *graph.Graph, has bool, typ string, check func(graph.Node) string) []string {
	if n := len(g.OfType(typ)); !has && n > 0 {
		return []string{fmt.Sprintf("there are %d %s; want none", n, typ)}
	}
	return graph.FaultsOf(g, typ, has, check)
}

// must makes a check of conditions, in their order.
func must(rules ...func(graph.Node) string) func(graph.Node) string {
	return func(n graph.Node) string {
		for _, rule := range rules {
			if fault := rule(n); fault != "" {
				return fault
			}
		}
		return ""
	}
}

// is wants a text at a path, on that true, and off false said out loud.
func is(path, want, fault string) func(graph.Node) string {
	return when(func(n graph.Node) bool { return text(n, path) != want }, fault)
}

func on(path, fault string) func(graph.Node) string {
	return when(func(n graph.Node) bool { return !isTrue(n, path) }, fault)
}

func off(path, fault string) func(graph.Node) string {
	return when(func(n graph.Node) bool { return !isFalse(n, path) }, fault)
}

func has(path, fault string) func(graph.Node) string {
	return when(func(n graph.Node) bool { return text(n, path) == "" }, fault)
}

func when(bad func(graph.Node) bool, fault string) func(graph.Node) string {
	return func(n graph.Node) string {
		if bad(n) {
			return fault
		}
		return ""
	}
}

func properties() []graph.Property { return slices.Concat(guarded(), closed(), operated()) }

// stateful are the types whose loss is the loss of data.
var stateful = []string{instance, "gcp:sql/database:Database", "gcp:sql/user:User", bucket, key, "gcp:kms/keyRing:KeyRing", "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"}

func unguarded(g *graph.Graph) []string {
	if !production(g) {
		return nil
	}
	var bad []string
	for _, typ := range stateful {
		bad = append(bad, part(g, managed(g) || !strings.HasPrefix(typ, "gcp:sql/"), typ, when(func(n graph.Node) bool { return !n.Protect || !n.Retain }, "is not protected and retained"))...)
	}
	for _, typ := range []string{network, subnet} {
		bad = append(bad, part(g, own(g), typ, when(func(n graph.Node) bool { return !n.Protect || !n.Retain }, "is not protected and retained"))...)
	}
	bad = append(bad, part(g, true, cluster, must(
		when(func(n graph.Node) bool { return !n.Protect }, "is not protected"), on("deletionProtection", "is not protected by Google")))...)
	bad = append(bad, part(g, managed(g), instance, must(
		on("deletionProtection", "is not protected by its provider"), on("settings.deletionProtectionEnabled", "is not protected by Google")))...)
	bad = append(bad, part(g, true, bucket, off("forceDestroy", "goes with what is in it"))...)
	bad = append(bad, part(g, true, "gcp:projects/service:Service", off("disableOnDestroy", "takes the API from the rest of the project"))...)
	bad = append(bad, part(g, managed(g) && own(g), "gcp:servicenetworking/connection:Connection", is("deletionPolicy", "ABANDON", "cannot be deleted for days"))...)
	for _, typ := range []string{"gcp:sql/database:Database", "gcp:sql/user:User"} {
		bad = append(bad, part(g, managed(g), typ, must(is("deletionPolicy", "ABANDON", "is refused by a server that uses it"),
			when(func(n graph.Node) bool { return n.DeletedWith == "" }, "is deleted by itself")))...)
	}
	for _, n := range g.OfType("kubernetes:storage.k8s.io/v1:StorageClass") {
		if text(n, "parameters[\"disk-encryption-kms-key\"]") == "" || text(n, "reclaimPolicy") != "Retain" {
			bad = append(bad, n.Key()+" makes disks without the stack's key, or that go with their claims")
		}
	}
	return bad
}

// labelled is where a type has its labels; the others take none.
var labelled = map[string]string{
	bucket: "labels", key: "labels", cluster: "resourceLabels", pool: "nodeConfig.resourceLabels", instance: "settings.userLabels",
	"gcp:compute/address:Address": "labels", "gcp:compute/globalAddress:GlobalAddress": "labels", "gcp:dns/managedZone:ManagedZone": "labels",
	"gcp:secretmanager/secret:Secret": "labels", "gcp:pubsub/topic:Topic": "labels", alarm: "userLabels",
	"gcp:monitoring/notificationChannel:NotificationChannel": "userLabels",
}

// unlabelled are the types that take no labels.
var unlabelled = []string{
	network, subnet, budget, "gcp:compute/router:Router", "gcp:compute/routerNat:RouterNat", "gcp:compute/firewall:Firewall", "gcp:dns/recordSet:RecordSet",
	"gcp:kms/keyRing:KeyRing", "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember", "gcp:projects/iAMMember:IAMMember", "gcp:projects/iAMAuditConfig:IAMAuditConfig", "gcp:projects/service:Service",
	"gcp:projects/serviceIdentity:ServiceIdentity", "gcp:secretmanager/secretVersion:SecretVersion", "gcp:serviceaccount/account:Account",
	"gcp:servicenetworking/connection:Connection", "gcp:sql/database:Database", "gcp:sql/user:User", "gcp:storage/bucketIAMMember:BucketIAMMember",
	"gcp:storage/bucketIAMBinding:BucketIAMBinding",
}

func untagged(g *graph.Graph) []string {
	var bad []string
	for _, n := range g.Nodes {
		if !strings.HasPrefix(n.Type, "gcp:") || slices.Contains(unlabelled, n.Type) {
			continue
		}
		at, ok := labelled[n.Type]
		if !ok {
			bad = append(bad, n.Key()+": nobody said whether it takes labels")
			continue
		}
		for _, label := range []string{"project", "stack", "environment", "owner", "cost-centre"} {
			if text(n, at+`["`+label+`"]`) == "" {
				bad = append(bad, n.Key()+" has no label "+label)
			}
		}
	}
	return bad
}

func unencrypted(g *graph.Graph) []string {
	bad := part(g, managed(g), instance, is("encryptionKeyName", "projects/p/locations/r/keyRings/k/cryptoKeys/database", "is not encrypted with the stack's key"))
	for _, n := range g.OfType(bucket) {
		// Google writes access logs with no key of ours.
		if n.Name != "bucket-logs-bucket" && text(n, "encryption.defaultKmsKeyName") != "projects/p/locations/r/keyRings/k/cryptoKeys/bucket" {
			bad = append(bad, n.Key()+" is not encrypted with the stack's key")
		}
	}
	bad = append(bad, part(g, true, cluster, must(
		is("databaseEncryption.state", "ENCRYPTED", "does not encrypt Secrets"), has("databaseEncryption.keyName", "does not encrypt Secrets with the stack's key"),
		has("nodeConfig.bootDiskKmsKey", "begins with a disk without the stack's key")))...)
	bad = append(bad, part(g, true, pool, has("nodeConfig.bootDiskKmsKey", "has disks without the stack's key"))...)
	bad = append(bad, part(g, true, "gcp:secretmanager/secret:Secret", has("replication.userManaged.replicas[0].customerManagedEncryption.kmsKeyName", "is not encrypted with the stack's key"))...)
	bad = append(bad, part(g, true, key, must(is("rotationPeriod", "31536000s", "does not rotate"), is("destroyScheduledDuration", "2592000s", "cannot be brought back")))...)
	// A role takes minutes, and what is refused its key is half made by then.
	bad = append(bad, part(g, true, "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember", must(
		when(func(n graph.Node) bool { return !n.Waited }, "is used before it is in force"),
		is("role", "roles/cloudkms.cryptoKeyEncrypterDecrypter", "may do more than encrypt")))...)
	return append(bad, keysUsedEarly(g)...)
}

// users of keys, with who lets them.
var users = map[string]string{
	"database-instance": "database-key-use", "bucket-artifacts-bucket": "bucket-key-use", "bucket-backups-bucket": "bucket-key-use",
	"cluster-gke": "cluster-key-use", "cluster-nodes-pool": "cluster-disks-key-use", "secrets-passwords": "secrets-key-use",
}

// keysUsedEarly lists what is made before it may use its key.
func keysUsedEarly(g *graph.Graph) []string {
	var bad []string
	for _, n := range g.Nodes {
		role, ok := users[n.Name]
		if ok && !slices.ContainsFunc(n.Dependencies, func(urn string) bool { return strings.HasSuffix(urn, "::"+role) }) {
			bad = append(bad, n.Key()+" does not wait for "+role)
		}
	}
	return bad
}

func guarded() []graph.Property {
	return []graph.Property{
		{Name: "stateful things carry every layer of protection", Holds: unguarded, Twins: map[string]func(*graph.Graph){
			"not protected":            edit("database-instance", func(n *graph.Node) { n.Protect = false }),
			"not retained":             edit("bucket-artifacts-bucket", func(n *graph.Node) { n.Retain = false }),
			"Google deletes it":        set("database-instance", "settings.deletionProtectionEnabled", false),
			"the provider deletes it":  set("database-instance", "deletionProtection", nil),
			"the cluster goes":         set("cluster-gke", "deletionProtection", false),
			"a bucket goes":            set("bucket-backups-bucket", "forceDestroy", true),
			"the role on a key":        edit("bucket-key-use", func(n *graph.Node) { n.Protect = false }),
			"APIs go":                  set("services-compute", "disableOnDestroy", nil),
			"a peering that stays":     set("network-peering", "deletionPolicy", nil),
			"a user by itself":         edit("database-admin", func(n *graph.Node) { n.DeletedWith = "" }),
			"a database that is used":  set("database-database", "deletionPolicy", nil),
			"the network is not ours":  edit("network-vpc", func(n *graph.Node) { n.Protect = false }),
			"the cluster by its owner": edit("cluster-gke", func(n *graph.Node) { n.Protect = false }),
		}},
		{Name: "everything that takes labels has them", Holds: untagged, Twins: map[string]func(*graph.Graph){
			"no labels": set("bucket-artifacts-bucket", "labels", nil), "no owner": set("database-instance", `settings.userLabels["owner"]`, nil),
			"nodes": set("cluster-nodes-pool", "nodeConfig.resourceLabels", nil), "an unknown type": edit("network-vpc", func(n *graph.Node) { n.Type = "gcp:compute/disk:Disk" }),
		}},
		{Name: "everything is encrypted with a key of the stack", Holds: unencrypted, Twins: map[string]func(*graph.Graph){
			"database":         set("database-instance", "encryptionKeyName", nil),
			"bucket":           set("bucket-artifacts-bucket", "encryption", nil),
			"another key":      set("bucket-backups-bucket", "encryption.defaultKmsKeyName", "projects/p/locations/r/keyRings/k/cryptoKeys/database"),
			"Secrets":          set("cluster-gke", "databaseEncryption.state", "DECRYPTED"),
			"disks":            set("cluster-nodes-pool", "nodeConfig.bootDiskKmsKey", nil),
			"the first disk":   set("cluster-gke", "nodeConfig.bootDiskKmsKey", nil),
			"copies of logins": set("secrets-passwords", "replication", map[string]any{"auto": map[string]any{}}),
			"no rotation":      set("bucket-key", "rotationPeriod", nil),
			"gone in a day":    set("database-key", "destroyScheduledDuration", "86400s"),
			"too early":        edit("database-key-use", func(n *graph.Node) { n.Waited = false }),
			"without the role": edit("database-instance", func(n *graph.Node) { n.Dependencies = nil }),
			"owner of a key":   set("bucket-key-use", "role", "roles/cloudkms.admin"),
		}},
	}
}

func closed() []graph.Property {
	return []graph.Property{
		{Name: "nobody reaches what is private", Holds: reachable, Twins: map[string]func(*graph.Graph){
			"open API":             set("cluster-gke", "masterAuthorizedNetworksConfig", nil),
			"the world":            set("cluster-gke", "masterAuthorizedNetworksConfig.cidrBlocks[0].cidrBlock", "0.0.0.0/0"),
			"all of Google":        set("cluster-gke", "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", nil),
			"public nodes":         set("cluster-gke", "privateClusterConfig.enablePrivateNodes", false),
			"a public pool":        set("cluster-nodes-pool", "networkConfig.enablePrivateNodes", nil),
			"certificates":         set("cluster-gke", "masterAuth", nil),
			"old authorization":    set("cluster-gke", "enableLegacyAbac", true),
			"no policies":          set("cluster-gke", "datapathProvider", "LEGACY_DATAPATH"),
			"external addresses":   set("cluster-gke", "serviceExternalIpsConfig", nil),
			"node's own account":   set("cluster-nodes-pool", "nodeConfig.workloadMetadataConfig.mode", "GCE_METADATA"),
			"the default account":  set("cluster-nodes-pool", "nodeConfig.serviceAccount", nil),
			"unsigned software":    set("cluster-nodes-pool", "nodeConfig.shieldedInstanceConfig.enableSecureBoot", false),
			"old metadata":         set("cluster-nodes-pool", "nodeConfig.metadata", nil),
			"lists of access":      set("bucket-artifacts-bucket", "uniformBucketLevelAccess", nil),
			"public bucket":        set("bucket-backups-bucket", "publicAccessPrevention", "inherited"),
			"public database":      set("database-instance", "settings.ipConfiguration.ipv4Enabled", nil),
			"plain database":       set("database-instance", "settings.ipConfiguration.sslMode", "ALLOW_UNENCRYPTED_AND_ENCRYPTED"),
			"database elsewhere":   set("database-instance", "settings.ipConfiguration.privateNetwork", nil),
			"networks of others":   set("database-instance", "settings.ipConfiguration.authorizedNetworks", []any{map[string]any{"value": "198.51.100.0/24"}}),
			"subnets everywhere":   set("network-vpc", "autoCreateSubnetworks", nil),
			"the internet for API": set("network-subnet", "privateIpGoogleAccess", false),
			"names outside":        remove("network-googleapis-others"),
			"a public zone":        set("network-googleapis", "visibility", "public"),
			"an open firewall":     set("network-webhooks", "sourceRanges[0]", "0.0.0.0/0"),
			"a firewall for all":   set("network-webhooks", "targetTags", nil),
		}},
		{Name: "roles are as small as their use", Holds: roles, Twins: map[string]func(*graph.Graph){
			"the dumps":          set("identity-access", "bucket", "mlflow-gcp-prod-backups-0a1b2c"),
			"the bucket itself":  set("identity-access", "role", "roles/storage.admin"),
			"every pod":          set("identity-access", "member", "principalSet://iam.googleapis.com/projects/"+projectNumber+"/locations/global/workloadIdentityPools/ml-platform-prod.svc.id.goog/namespace/mlflow"),
			"everybody":          set("backup-identity-access", "member", "allAuthenticatedUsers"),
			"editor":             set("cluster-nodes-role", "role", "roles/editor"),
			"a key for others":   set("database-key-use", "member", "serviceAccount:a@b.iam.gserviceaccount.com"),
			"an extra role":      copying("identity-access", "identity-more"),
			"viewers read":       remove("bucket-artifacts-readers"),
			"editors too":        set("bucket-backups-owners", "members", []any{"projectOwner:ml-platform-prod", "projectEditor:ml-platform-prod"}),
			"viewers":            edit(logical("viewer", "user:ana@example.com"), func(n *graph.Node) { n.Inputs = n.Inputs.Copy(); delete(n.Inputs, "role") }),
			"nobody administers": remove(logical("admin", "group:ml-platform@example.com")),
		}},
	}
}

func reachable(g *graph.Graph) []string {
	bad := part(g, true, cluster, must(
		when(func(n graph.Node) bool {
			return !value(n, "masterAuthorizedNetworksConfig.cidrBlocks").IsArray() || strings.Contains(fmt.Sprint(value(n, "masterAuthorizedNetworksConfig")), "/0}")
		}, "has an open API"),
		off("masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", "lets everybody's machines in Google Cloud ask its API"),
		on("privateClusterConfig.enablePrivateNodes", "has public nodes"),
		off("masterAuth.clientCertificateConfig.issueClientCertificate", "hands out certificates"),
		off("enableLegacyAbac", "takes authorizations without roles"),
		is("datapathProvider", "ADVANCED_DATAPATH", "does not enforce NetworkPolicies"),
		off("serviceExternalIpsConfig.enabled", "lets Services take any address")))
	bad = append(bad, part(g, true, pool, must(
		on("networkConfig.enablePrivateNodes", "has public nodes"),
		is("nodeConfig.workloadMetadataConfig.mode", "GKE_METADATA", "gives pods the node's account"),
		has("nodeConfig.serviceAccount", "has the project's default account"),
		on("nodeConfig.shieldedInstanceConfig.enableSecureBoot", "starts what nobody signed"),
		is(`nodeConfig.metadata["disable-legacy-endpoints"]`, "true", "answers old requests for tokens")))...)
	bad = append(bad, part(g, true, bucket, must(
		on("uniformBucketLevelAccess", "has lists of access"), is("publicAccessPrevention", "enforced", "can be made public")))...)
	bad = append(bad, part(g, managed(g), instance, must(
		off("settings.ipConfiguration.ipv4Enabled", "has a public address"), has("settings.ipConfiguration.privateNetwork", "has no address inside"),
		is("settings.ipConfiguration.sslMode", "ENCRYPTED_ONLY", "lets plain connections in"),
		when(func(n graph.Node) bool { return value(n, "settings.ipConfiguration.authorizedNetworks").IsArray() }, "lets networks in")))...)
	bad = append(bad, part(g, own(g), network, off("autoCreateSubnetworks", "has subnets in every region"))...)
	bad = append(bad, part(g, own(g), subnet, on("privateIpGoogleAccess", "reaches Google's APIs over the internet"))...)
	bad = append(bad, part(g, own(g), "gcp:dns/managedZone:ManagedZone", is("visibility", "private", "is public"))...)
	if records := len(g.OfType("gcp:dns/recordSet:RecordSet")); own(g) && records != 2 {
		bad = append(bad, fmt.Sprintf("%d names of Google's APIs; want those that lead inside", records))
	}
	plane := ""
	for _, n := range g.OfType(cluster) {
		plane = text(n, "privateClusterConfig.masterIpv4CidrBlock")
	}
	return append(bad, part(g, true, "gcp:compute/firewall:Firewall", must(
		is("sourceRanges[0]", plane, "lets others in than the control plane"), has("targetTags[0]", "is about every machine")))...)
}

func roles(g *graph.Graph) []string {
	var got []string
	add := func(n graph.Node, on string) {
		who := text(n, "member")
		who = strings.ReplaceAll(who, "principal://iam.googleapis.com/projects/"+projectNumber+"/locations/global/workloadIdentityPools/"+project(g)+".svc.id.goog/subject", "pod:")
		got = append(got, fmt.Sprintf("%s: %s on %s for %s", n.Name, strings.TrimPrefix(text(n, "role"), "roles/"), on, who))
	}
	for _, n := range g.OfType("gcp:storage/bucketIAMMember:BucketIAMMember") {
		add(n, text(n, "bucket"))
	}
	for _, n := range g.OfType("gcp:storage/bucketIAMBinding:BucketIAMBinding") {
		who := value(n, "members").ArrayValue()
		if len(who) != 1 || who[0].StringValue() != "projectOwner:"+project(g) {
			got = append(got, n.Key()+" is for others than the project's owners")
		}
	}
	if closed := len(g.OfType("gcp:storage/bucketIAMBinding:BucketIAMBinding")); closed != 12 {
		got = append(got, fmt.Sprintf("%d roles of the project's viewers and editors are taken; want four on each of three buckets", closed))
	}
	for _, n := range g.OfType("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember") {
		id := text(n, "cryptoKeyId")
		add(n, id[strings.LastIndex(id, "/")+1:])
	}
	for _, n := range g.OfType("gcp:projects/iAMMember:IAMMember") {
		add(n, "the project")
	}
	name := g.Stack[strings.LastIndex(g.Stack, "-")+1:]
	stack := "mlflow-gcp-" + name
	agent := func(domain string) string {
		return "serviceAccount:service-" + projectNumber + "@" + domain + ".iam.gserviceaccount.com"
	}
	const encrypt = "cloudkms.cryptoKeyEncrypterDecrypter"
	want := []string{
		"identity-access: storage.objectUser on " + stack + "-artifacts-0a1b2c for pod:/ns/mlflow/sa/mlflow",
		"backup-identity-access: storage.objectUser on " + stack + "-backups-0a1b2c for pod:/ns/mlflow/sa/database-backup",
		"bucket-logs-writer: storage.objectCreator on " + stack + "-logs-0a1b2c for group:cloud-storage-analytics@google.com",
		"bucket-key-use: " + encrypt + " on bucket for " + agent("gs-project-accounts"),
		"cluster-key-use: " + encrypt + " on cluster for " + agent("container-engine-robot"),
		"cluster-disks-key-use: " + encrypt + " on disks for " + agent("compute-system"),
		"secrets-key-use: " + encrypt + " on secrets for " + agent("gcp-sa-secretmanager"),
		"cluster-nodes-role: container.defaultNodeServiceAccount on the project for serviceAccount:" + stack + "-nodes@p.iam.gserviceaccount.com",
		person("admin", "group:ml-platform@example.com"),
	}
	if managed(g) {
		want = append(want, "database-key-use: "+encrypt+" on database for "+agent("gcp-sa-cloud-sql"))
	}
	if name == "prod" {
		want = append(want, person("admin", "serviceAccount:pipeline@ml-platform-prod.iam.gserviceaccount.com"), person("viewer", "user:ana@example.com"))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return []string{fmt.Sprintf("roles are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))}
	}
	return nil
}

// logical is the name of a person's role, and person what it says.
func logical(role, who string) string { return "cluster-" + role + "-" + naming.Label.Fit(who) }

func person(role, who string) string {
	return logical(role, who) + ": container." + role + " on the project for " + who
}

func project(g *graph.Graph) string {
	for _, n := range g.OfType("pulumi:providers:gcp") {
		return text(n, "project")
	}
	return ""
}

func operated() []graph.Property {
	return []graph.Property{
		{Name: "it runs without being looked after", Holds: unoperated, Twins: map[string]func(*graph.Graph){
			"one zone":                  set("cluster-nodes-pool", "nodeLocations", []any{"europe-west3-a"}),
			"a control plane in one":    set("cluster-gke", "location", "europe-west3-a"),
			"a cluster that comes anew": set("cluster-gke", "enableL4IlbSubsetting", nil),
			"a cluster of Google's own": set("cluster-gke", "enableAutopilot", false),
			"two of the same":           set("cluster-gke", "networkPolicy", map[string]any{"enabled": true}),
			"no channel":                set("cluster-gke", "releaseChannel", nil),
			"maintenance any time":      set("cluster-gke", "maintenancePolicy", nil),
			"no identities":             set("cluster-gke", "workloadIdentityConfig", nil),
			"no Gateways":               set("cluster-gke", "gatewayApiConfig", nil),
			"DNS from the node":         set("cluster-gke", "addonsConfig.dnsCacheConfig.enabled", true),
			"billed by the sample":      set("cluster-gke", "monitoringConfig.managedPrometheus", nil),
			"no disks":                  set("cluster-gke", "addonsConfig.gcePersistentDiskCsiDriverConfig", nil),
			"nodes never repaired":      set("cluster-nodes-pool", "management.autoRepair", false),
			"nodes never patched":       set("cluster-nodes-pool", "management.autoUpgrade", false),
			"no surge":                  set("cluster-nodes-pool", "upgradeSettings", nil),
			"the autoscaler is undone":  edit("cluster-nodes-pool", func(n *graph.Node) { n.Ignore = nil }),
			"another image":             set("cluster-nodes-pool", "nodeConfig.imageType", "UBUNTU_CONTAINERD"),
			"no streaming":              set("cluster-nodes-pool", "nodeConfig.gcfsConfig", nil),
			"nobody sees who reads":     remove("secrets-audit"),
			"no way out":                remove("network-nat"),
			"requests of other nodes":   set("exposure-loadbalancer", "spec.externalTrafficPolicy", "Cluster"),
			"an address of the moment":  set("network-nat", "natIpAllocateOption", "AUTO_ONLY"),
			"no webhooks":               remove("network-webhooks"),
			"no standby":                set("database-instance", "settings.availabilityType", "ZONAL"),
			"another edition":           set("database-instance", "settings.edition", nil),
			"no backups":                set("database-instance", "settings.backupConfiguration.enabled", false),
			"no point in time":          set("database-instance", "settings.backupConfiguration.pointInTimeRecoveryEnabled", false),
			"logs beyond the edition":   set("database-instance", "settings.backupConfiguration.transactionLogRetentionDays", 14),
			"few backups":               set("database-instance", "settings.backupConfiguration.backupRetentionSettings.retainedBackups", 1),
			"fixed storage":             set("database-instance", "settings.diskAutoresize", false),
			"growth without end":        set("database-instance", "settings.diskAutoresizeLimit", nil),
			"no max_connections":        set("database-instance", "settings.databaseFlags[0].name", "work_mem"),
			"no insights":               set("database-instance", "settings.insightsConfig", nil),
			"upgrades at noon":          set("database-instance", "settings.maintenanceWindow.hour", 12),
			"no versions":               set("bucket-artifacts-bucket", "versioning", nil),
			"deletion is final":         set("bucket-artifacts-bucket", "softDeletePolicy.retentionDurationSeconds", 0),
			"versions for ever":         set("bucket-artifacts-bucket", "lifecycleRules[1]", nil),
			"uploads for ever":          set("bucket-artifacts-bucket", "lifecycleRules[0].condition.age", 3650),
			"expiry of models":          set("bucket-artifacts-bucket", "lifecycleRules[1].condition", map[string]any{"age": 180}),
			"nobody sees who read":      set("bucket-artifacts-bucket", "logging", nil),
			"access logs for ever":      set("bucket-logs-bucket", "lifecycleRules", []any{}),
			"a small bucket":            set("bucket-artifacts-bucket", "location", "europe-west3"),
			"budget":                    set("budget-monthly", "amount.specifiedAmount.units", "0"),
			"in a currency":             set("budget-monthly", "amount.specifiedAmount.currencyCode", "USD"),
			"every project's budget":    set("budget-monthly", "budgetFilter", nil),
			"budget without people":     set("budget-monthly", "allUpdatesRule.monitoringNotificationChannels", []any{}),
			"budget without topic":      set("budget-monthly", "allUpdatesRule.pubsubTopic", nil),
			"budget of fewer steps":     set("budget-monthly", "thresholdRules[3].spendBasis", "CURRENT_SPEND"),
			"alert without people":      set("database-alert-storage", "notificationChannels", []any{}),
			"an alert too late":         set("database-alert-cpu", "conditions[0].conditionThreshold.thresholdValue", 99),
			"another server's alert":    set("database-alert-cpu", "conditions[0].conditionThreshold.filter", "metric.type=\"cloudsql.googleapis.com/database/cpu/utilization\" AND resource.type=\"cloudsql_database\""),
			"no alert of connections":   remove("database-alert-connections"),
			"nobody is told":            set("network-alerts-email-0", "labels", map[string]any{}),
			"asked once":                edit("bucket-artifacts-bucket", func(n *graph.Node) { n.Retried = false }),
			"an API too early":          edit("services-container", func(n *graph.Node) { n.Waited = false }),
			"an API that is not there":  remove("services-secretmanager"),
		}},
	}
}

func unoperated(g *graph.Graph) []string {
	count := func(path string) func(graph.Node) int {
		return func(n graph.Node) int {
			v := value(n, path)
			if !v.IsArray() {
				return 0
			}
			return len(v.ArrayValue())
		}
	}
	bad := part(g, true, cluster, must(
		when(func(n graph.Node) bool {
			return strings.Count(text(n, "location"), "-") != 1 || count("nodeLocations")(n) != 3
		}, "is not in three zones"),
		on("enableL4IlbSubsetting", "would be replaced when Google turns it on"),
		when(func(n graph.Node) bool {
			return !value(n, "enableAutopilot").IsNull() || !value(n, "networkPolicy").IsNull()
		}, "says what conflicts"),
		is("releaseChannel.channel", "REGULAR", "gets no upgrades"),
		is("maintenancePolicy.recurringWindow.recurrence", "FREQ=WEEKLY;BYDAY=SA,SU", "is upgraded when people work"),
		is("workloadIdentityConfig.workloadPool", project(g)+".svc.id.goog", "gives pods no identity"),
		is("gatewayApiConfig.channel", "CHANNEL_STANDARD", "has no Gateways"),
		off("addonsConfig.dnsCacheConfig.enabled", "answers DNS where no policy lets pods"),
		on("addonsConfig.gcePersistentDiskCsiDriverConfig.enabled", "has no disks"),
		off("monitoringConfig.managedPrometheus.enabled", "is billed by the sample")))
	bad = append(bad, part(g, true, pool, must(
		when(func(n graph.Node) bool { return count("nodeLocations")(n) != 3 }, "is not in three zones"),
		on("management.autoRepair", "is not repaired"), on("management.autoUpgrade", "is not patched"),
		when(func(n graph.Node) bool { return number(n, "upgradeSettings.maxSurge") < 1 }, "has no node to spare for an upgrade"),
		when(func(n graph.Node) bool { return !slices.Contains(n.Ignore, "initialNodeCount") }, "is replaced when its size at the beginning changes"),
		is("nodeConfig.imageType", "COS_CONTAINERD", "has another image"),
		off("nodeConfig.gcfsConfig.enabled", "streams images, which no example asks for")))...)
	bad = append(bad, part(g, true, "gcp:projects/iAMAuditConfig:IAMAuditConfig", is("auditLogConfigs[0].logType", "DATA_READ", "does not keep who reads logins"))...)
	bad = append(bad, part(g, own(g), "gcp:compute/routerNat:RouterNat", is("natIpAllocateOption", "MANUAL_ONLY", "has other addresses tomorrow"))...)
	bad = append(bad, part(g, true, "gcp:compute/firewall:Firewall", is("allows[0].ports[0]", "9443", "closes the way to webhooks"))...)
	bad = append(bad, part(g, managed(g), instance, must(
		when(func(n graph.Node) bool { return production(g) && text(n, "settings.availabilityType") != "REGIONAL" }, "has no standby"),
		is("settings.edition", "ENTERPRISE", "has sizes of another edition"),
		on("settings.backupConfiguration.enabled", "has no backups"), on("settings.backupConfiguration.pointInTimeRecoveryEnabled", "goes back to the last backup"),
		when(func(n graph.Node) bool {
			return number(n, "settings.backupConfiguration.transactionLogRetentionDays") > 7
		}, "keeps logs longer than its edition"),
		when(func(n graph.Node) bool {
			return number(n, "settings.backupConfiguration.backupRetentionSettings.retainedBackups") < 7
		}, "keeps few backups"),
		on("settings.diskAutoresize", "does not grow"),
		when(func(n graph.Node) bool { return number(n, "settings.diskAutoresizeLimit") < 1 }, "grows without end"),
		when(func(n graph.Node) bool {
			return !strings.Contains(fmt.Sprint(value(n, "settings.databaseFlags")), "{max_connections}")
		}, "has Google's max_connections"),
		on("settings.insightsConfig.queryInsightsEnabled", "tells nothing about slow queries"),
		when(func(n graph.Node) bool {
			return number(n, "settings.maintenanceWindow.day") != 7 || number(n, "settings.maintenanceWindow.hour") != 4
		}, "is upgraded when people work")))...)
	// Cilium takes what another node passes on for the node's.
	for _, n := range g.OfType("kubernetes:core/v1:Service") {
		if text(n, "spec.type") == "LoadBalancer" && text(n, "spec.externalTrafficPolicy") != "Local" {
			bad = append(bad, n.Key()+" passes requests on between nodes")
		}
	}
	bad = append(bad, stored(g)...)
	return append(append(append(bad, money(g)...), unwatched(g)...), unready(g)...)
}

// stored is about what buckets keep, and for how long.
func stored(g *graph.Graph) []string {
	return part(g, true, bucket, func(n graph.Node) string {
		rules := map[string]float64{}
		for i := range len(value(n, "lifecycleRules").ArrayValue()) {
			at := fmt.Sprintf("lifecycleRules[%d].", i)
			action := text(n, at+"action.type")
			if action == "Delete" && text(n, at+"condition.withState") != "ARCHIVED" {
				action = "Delete what is current"
			}
			rules[action] = number(n, at+"condition.age") + number(n, at+"condition.daysSinceNoncurrentTime")
		}
		logs := n.Name == "bucket-logs-bucket"
		switch {
		case text(n, "location") != strings.ToUpper(text(n, "location")):
			return "is in a place that Google spells in capitals"
		case number(n, "softDeletePolicy.retentionDurationSeconds") < 7*24*3600:
			return "cannot be brought back"
		case logs && rules["Delete what is current"] != 90:
			return "keeps access logs for ever"
		case logs:
			return ""
		case !isTrue(n, "versioning.enabled") || rules["Delete"] < 7:
			return "keeps no versions, or all"
		case rules["Delete what is current"] > 0:
			return "deletes models"
		case rules["AbortIncompleteMultipartUpload"] < 1 || rules["AbortIncompleteMultipartUpload"] > 30:
			return "keeps parts of uploads"
		case text(n, "logging.logBucket") == "":
			return "does not tell who read"
		}
		return ""
	})
}

func money(g *graph.Graph) []string {
	bad := part(g, true, budget, func(n graph.Node) string {
		var steps []string
		for i := range len(value(n, "thresholdRules").ArrayValue()) {
			at := fmt.Sprintf("thresholdRules[%d].", i)
			steps = append(steps, fmt.Sprintf("%g %s", number(n, at+"thresholdPercent"), text(n, at+"spendBasis")))
		}
		switch {
		case text(n, "amount.specifiedAmount.units") == "0" || text(n, "budgetFilter.projects[0]") != "projects/"+projectNumber:
			return "watches nothing, or everything"
		case text(n, "amount.specifiedAmount.currencyCode") != "":
			return "is in a currency that the account may not have"
		case !slices.Equal(steps, []string{"0.5 CURRENT_SPEND", "0.8 CURRENT_SPEND", "1 CURRENT_SPEND", "1 FORECASTED_SPEND"}):
			return "tells at " + strings.Join(steps, ", ")
		case text(n, "allUpdatesRule.monitoringNotificationChannels[0]") == "" || text(n, "allUpdatesRule.pubsubTopic") == "":
			return "tells nobody"
		}
		return ""
	})
	return append(bad, part(g, true, "gcp:monitoring/notificationChannel:NotificationChannel", has(`labels["email_address"]`, "tells nobody"))...)
}

// unwatched are the metrics without an alert.
func unwatched(g *graph.Graph) []string {
	watched := ""
	bad := part(g, true, alarm, func(n graph.Node) string {
		const at = "conditions[0].conditionThreshold."
		filter := text(n, at+"filter")
		watched += filter
		switch {
		case text(n, "notificationChannels[0]") == "":
			return "tells nobody"
		case strings.Contains(filter, "utilization") && number(n, at+"thresholdValue") > 0.9:
			return "tells too late"
		case !strings.Contains(filter, "0a1b2c\""):
			return "is about others' things too"
		}
		return ""
	})
	for _, metric := range []string{"disk/bytes_used", "postgresql/num_backends", "cpu/utilization", "memory/components", "database/up", "storage/v2/total_bytes"} {
		if !strings.Contains(watched, metric) && (managed(g) || metric == "storage/v2/total_bytes") {
			bad = append(bad, "nobody watches "+metric)
		}
	}
	return bad
}

// apis are what a module of resources is made by.
var apis = map[string]string{
	"kms": "cloudkms", "sql": "sqladmin", "serviceaccount": "iam", "projects": "cloudresourcemanager", "billing": "billingbudgets",
}

// unready lists what is made before Google has what it takes.
func unready(g *graph.Graph) []string {
	enabled := map[string]bool{}
	bad := part(g, true, "gcp:projects/service:Service", func(n graph.Node) string {
		enabled[text(n, "service")] = true
		if !n.Waited {
			return "is used before it is enabled everywhere"
		}
		return ""
	})
	for _, n := range g.Nodes {
		if !strings.HasPrefix(n.Type, "gcp:") {
			continue
		}
		if !n.Retried {
			bad = append(bad, n.Key()+" is asked for once")
		}
		module := strings.Split(strings.Split(n.Type, ":")[1], "/")[0]
		if api, ok := apis[module]; ok {
			module = api
		}
		if !enabled[module+".googleapis.com"] {
			bad = append(bad, n.Key()+" needs "+module+", which nobody enables")
		}
	}
	return bad
}

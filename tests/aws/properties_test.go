package aws_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// Ways to break a graph, and to look at it.
var (
	set, edit, remove, copying   = graph.Setting, graph.Editing, graph.Removing, graph.Copying
	value, text, isTrue, isFalse = graph.Value, graph.Text, graph.IsTrue, graph.IsFalse
	number, each, eachOf         = graph.Number, graph.Faults, graph.FaultsOf
)

// cnpg is the type of a database in the cluster.
const cnpg = "kubernetes:postgresql.cnpg.io/v1:Cluster"

// managed says whether the database is, or ought to be, RDS.
func managed(g *graph.Graph) bool { return len(g.OfType(cnpg)) == 0 }

// ownNetwork says whether the stack makes the network it is in.
func ownNetwork(g *graph.Graph) bool { return len(g.OfType("aws:ec2/subnet:Subnet")) > 0 }

func eachDatabase(g *graph.Graph, check func(graph.Node) string) []string {
	return eachOf(g, "aws:rds/instance:Instance", managed(g), check)
}

// property is one of AWS' own.
type property graph.Property

func properties() []property { return slices.Concat(guarded(), closed(), operated()) }

// stateful are the types whose loss is the loss of data, with what AWS itself
// must refuse.
var stateful = map[string]func(graph.Node) string{
	"aws:rds/instance:Instance": func(n graph.Node) string {
		if !isTrue(n, "deletionProtection") || isTrue(n, "skipFinalSnapshot") || isTrue(n, "deleteAutomatedBackups") || text(n, "finalSnapshotIdentifier") == "" {
			return "is not protected by RDS itself"
		}
		return ""
	},
	"aws:s3/bucketV2:BucketV2": func(n graph.Node) string {
		if isTrue(n, "forceDestroy") {
			return "is emptied by a destroy"
		}
		return ""
	},
	"aws:kms/key:Key": func(n graph.Node) string {
		if !isTrue(n, "enableKeyRotation") || number(n, "deletionWindowInDays") < 30 {
			return "does not rotate or is deleted too soon"
		}
		return ""
	},
	"aws:s3/bucketVersioningV2:BucketVersioningV2": func(n graph.Node) string {
		if text(n, "versioningConfiguration.status") != "Enabled" {
			return "keeps no versions"
		}
		return ""
	},
	"random:index/randomPassword:RandomPassword": nil, "random:index/randomBytes:RandomBytes": nil,
}

// unguarded lists stateful resources of a production stack without a layer of
// their protection.
func unguarded(g *graph.Graph) []string {
	if strings.HasSuffix(g.Stack, "-dev") {
		return nil
	}
	var bad []string
	for typ, extra := range stateful {
		for _, n := range g.OfType(typ) {
			// Logins of people can be made again.
			if strings.HasPrefix(n.Name, "gateway-") || strings.HasSuffix(n.Name, "-salt") {
				continue
			}
			if !n.Protect || !n.Retain {
				bad = append(bad, n.Key()+" is not protected and retained")
			}
			if extra != nil {
				if problem := extra(n); problem != "" {
					bad = append(bad, n.Key()+" "+problem)
				}
			}
		}
	}
	return append(bad, each(g, "aws:eks/cluster:Cluster", func(n graph.Node) string {
		if !n.Protect {
			return "is not protected"
		}
		return ""
	})...)
}

// untaggable are the types of AWS that take no tags.
var untaggable = []string{
	"RolePolicy", "RolePolicyAttachment", "Alias", "Route", "RouteTableAssociation", "BucketPublicAccessBlock", "BucketOwnershipControls",
	"BucketVersioningV2", "BucketServerSideEncryptionConfigurationV2", "BucketPolicy", "BucketLoggingV2", "BucketLifecycleConfigurationV2",
	"AccessPolicyAssociation", "TopicSubscription", "SecretVersion",
}

func untagged(g *graph.Graph) []string {
	var bad []string
	for _, n := range g.Nodes {
		kind := n.Type[strings.LastIndex(n.Type, ":")+1:]
		if !strings.HasPrefix(n.Type, "aws:") || slices.Contains(untaggable, kind) {
			continue
		}
		for _, tag := range []string{"project", "stack", "environment", "owner", "cost-centre", "Name"} {
			if text(n, `tags["`+tag+`"]`) == "" {
				bad = append(bad, n.Key()+" has no tag "+tag)
			}
		}
	}
	// What Kubernetes makes in AWS is tagged by what asks for it.
	bad = append(bad, each(g, "kubernetes:storage.k8s.io/v1:StorageClass", func(n graph.Node) string {
		if all := fmt.Sprint(value(n, "parameters")); !strings.Contains(all, "owner=") || !strings.Contains(all, "stack=") {
			return "makes volumes without tags"
		}
		return ""
	})...)
	return append(bad, eachOf(g, "kubernetes:core/v1:Service", true, func(n graph.Node) string {
		tags := text(n, `metadata.annotations["`+loadBalancer+`additional-resource-tags"]`)
		if text(n, "spec.type") == "LoadBalancer" && (!strings.Contains(tags, "owner=") || !strings.Contains(tags, ",stack=")) {
			return "makes a load balancer without tags"
		}
		return ""
	})...)
}

// described is what EC2 takes for the description of a security group and of its
// rules (docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html);
// neither the provider nor the emulator looks.
var described = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

func misdescribed(g *graph.Graph) []string {
	return eachOf(g, "aws:ec2/securityGroup:SecurityGroup", managed(g), func(n graph.Node) string {
		for _, path := range []string{"description", "ingress[0].description"} {
			if !described.MatchString(text(n, path)) {
				return "has a " + path + " that EC2 refuses: " + text(n, path)
			}
		}
		return ""
	})
}

func guarded() []property {
	return []property{
		{"EC2 takes the descriptions", misdescribed, map[string]func(*graph.Graph){
			"an apostrophe": set("database-firewall", "description", "PostgreSQL, from the cluster's nodes only"),
			"a rule":        set("database-firewall", "ingress[0].description", "nodes & pods, that's all"),
		}},
		{"stateful things carry every layer of protection", unguarded, map[string]func(*graph.Graph){
			"not protected":       edit("database-instance", func(n *graph.Node) { n.Protect = false }),
			"not retained":        edit("bucket-data-bucket", func(n *graph.Node) { n.Retain = false }),
			"deletion protection": set("database-instance", "deletionProtection", false),
			"no final snapshot":   set("database-instance", "skipFinalSnapshot", true),
			"force destroy":       set("bucket-data-bucket", "forceDestroy", true),
			"no versions":         set("bucket-data-versioning", "versioningConfiguration.status", "Suspended"),
			"no rotation":         set("cluster-key", "enableKeyRotation", false),
			"cluster":             edit("cluster-eks", func(n *graph.Node) { n.Protect = false }),
		}},
		{"everything taggable is tagged", untagged, map[string]func(*graph.Graph){
			"no tags": set("network-vpc", "tags", nil), "no owner": set("database-instance", `tags["owner"]`, nil),
			"volumes":       set("cluster-storage", "parameters.tagSpecification_4", nil),
			"load balancer": func(g *graph.Graph) { g.Set(balancerOf(g), "metadata.annotations", nil) },
		}},
		{"everything is encrypted with a key of the stack", unencrypted, map[string]func(*graph.Graph){
			"database":     set("database-instance", "storageEncrypted", false),
			"AWS' own key": set("database-instance", "kmsKeyId", nil),
			"insights":     set("database-instance", "performanceInsightsKmsKeyId", nil),
			"secrets":      set("cluster-eks", "encryptionConfig", nil),
			"nodes":        set("cluster-template", "blockDeviceMappings[0].ebs.encrypted", "false"),
			"bucket":       remove("bucket-data-encryption"),
			"bucket's key": set("bucket-data-encryption", "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm", "AES256"),
			"alarms":       set("alerts-topic", "kmsMasterKeyId", nil),
			"copies":       set("secrets-database", "kmsKeyId", nil),
			"storage":      set("cluster-storage", "parameters.encrypted", "false"),
		}},
	}
}

func unencrypted(g *graph.Graph) []string {
	bad := eachDatabase(g, func(n graph.Node) string {
		if !isTrue(n, "storageEncrypted") || text(n, "kmsKeyId") == "" || text(n, "performanceInsightsKmsKeyId") == "" {
			return "is not encrypted with the stack's key"
		}
		return ""
	})
	bad = append(bad, each(g, "aws:eks/cluster:Cluster", func(n graph.Node) string {
		if text(n, "encryptionConfig.resources[0]") != "secrets" || text(n, "encryptionConfig.provider.keyArn") == "" {
			return "keeps Secrets in clear"
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:ec2/launchTemplate:LaunchTemplate", func(n graph.Node) string {
		if !isTrue(n, "blockDeviceMappings[0].ebs.encrypted") {
			return "has disks in clear"
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:sns/topic:Topic", func(n graph.Node) string {
		if text(n, "kmsMasterKeyId") == "" {
			return "is not encrypted"
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:secretsmanager/secret:Secret", func(n graph.Node) string {
		if text(n, "kmsKeyId") == "" {
			return "is encrypted with AWS' own key"
		}
		return ""
	})...)
	bad = append(bad, each(g, "kubernetes:storage.k8s.io/v1:StorageClass", func(n graph.Node) string {
		if !isTrue(n, "parameters.encrypted") {
			return "makes volumes in clear"
		}
		return ""
	})...)
	for _, b := range g.OfType("aws:s3/bucketV2:BucketV2") {
		want := "aws:kms"
		if strings.HasSuffix(b.Name, "-logs-bucket") {
			want = "AES256" // S3 delivers access logs to no other.
		}
		if name := strings.TrimSuffix(b.Name, "-bucket") + "-encryption"; !slices.ContainsFunc(g.OfType("aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"), func(n graph.Node) bool {
			algorithm := text(n, "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm")
			return n.Name == name && algorithm == want && (want == "AES256" || text(n, "rules[0].applyServerSideEncryptionByDefault.kmsMasterKeyId") != "")
		}) {
			bad = append(bad, b.Key()+" is not encrypted with "+want)
		}
	}
	return bad
}

func closed() []property {
	return []property{
		{"nothing but the gateway is open to the internet", open, map[string]func(*graph.Graph){
			"public database":      set("database-instance", "publiclyAccessible", true),
			"no security group":    remove("database-firewall"),
			"open security group":  set("database-firewall", "ingress[0].cidrBlocks", []any{"0.0.0.0/0"}),
			"open default group":   set("network-default-group", "ingress", []any{map[string]any{"protocol": "-1"}}),
			"open API":             set("cluster-eks", "vpcConfig.publicAccessCidrs", []any{"0.0.0.0/0"}),
			"API of AWS' default":  set("cluster-eks", "vpcConfig.publicAccessCidrs", nil),
			"no private API":       set("cluster-eks", "vpcConfig.endpointPrivateAccess", false),
			"public addresses":     set("network-private-0-subnet", "mapPublicIpOnLaunch", true),
			"bucket without block": remove("bucket-data-public-access"),
			"bucket with ACLs":     set("bucket-data-public-access", "blockPublicAcls", false),
			"nodes in public":      set("cluster-nodes", "subnetIds[0]", "network-public-0-subnet-id"),
			"credentials for pods": set("cluster-template", "metadataOptions.httpPutResponseHopLimit", 2),
			"hidden add-ons":       set("cluster-eks", "bootstrapSelfManagedAddons", nil),
			"old metadata":         set("cluster-template", "metadataOptions.httpTokens", "optional"),
			"creator's right":      set("cluster-eks", "accessConfig.bootstrapClusterCreatorAdminPermissions", true),
			"the map of old":       set("cluster-eks", "accessConfig.authenticationMode", "API_AND_CONFIG_MAP"),
		}},
	}
}

func open(g *graph.Graph) []string {
	bad := eachDatabase(g, func(n graph.Node) string {
		if !isFalse(n, "publiclyAccessible") {
			return "has a public address"
		}
		return ""
	})
	bad = append(bad, eachOf(g, "aws:ec2/securityGroup:SecurityGroup", managed(g), func(n graph.Node) string {
		if n.Name == "cluster-access" {
			return "" // See misplaced.
		}
		for i := range 8 {
			if v := value(n, fmt.Sprintf("ingress[%d].cidrBlocks", i)); v.IsArray() && len(v.ArrayValue()) > 0 {
				return "lets addresses in"
			}
		}
		return ""
	})...)
	bad = append(bad, eachOf(g, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", ownNetwork(g), func(n graph.Node) string {
		if !value(n, "ingress").IsNull() || !value(n, "egress").IsNull() {
			return "is not closed"
		}
		return ""
	})...)
	bad = append(bad, eachOf(g, "aws:ec2/subnet:Subnet", false, func(n graph.Node) string {
		if !isFalse(n, "mapPublicIpOnLaunch") {
			return "hands out public addresses"
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:eks/cluster:Cluster", api)...)
	bad = append(bad, each(g, "aws:eks/nodeGroup:NodeGroup", func(n graph.Node) string {
		for _, s := range value(n, "subnetIds").ArrayValue() {
			if ownNetwork(g) && !strings.HasPrefix(s.StringValue(), "network-private-") {
				return "has nodes in " + s.StringValue()
			}
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:ec2/launchTemplate:LaunchTemplate", func(n graph.Node) string {
		if text(n, "metadataOptions.httpTokens") != "required" || number(n, "metadataOptions.httpPutResponseHopLimit") != 1 {
			return "gives the node's credentials to pods"
		}
		return ""
	})...)
	for _, b := range g.OfType("aws:s3/bucketV2:BucketV2") {
		name := strings.TrimSuffix(b.Name, "-bucket") + "-public-access"
		if !slices.ContainsFunc(g.OfType("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"), func(n graph.Node) bool {
			return n.Name == name && isTrue(n, "blockPublicAcls") && isTrue(n, "blockPublicPolicy") && isTrue(n, "ignorePublicAcls") && isTrue(n, "restrictPublicBuckets")
		}) {
			bad = append(bad, b.Key()+" may become public")
		}
	}
	return bad
}

func api(n graph.Node) string {
	if !isTrue(n, "vpcConfig.endpointPrivateAccess") {
		return "is not reachable from its own network"
	}
	if text(n, "accessConfig.authenticationMode") != "API" || !isFalse(n, "accessConfig.bootstrapClusterCreatorAdminPermissions") {
		return "gives rights that no setting names"
	}
	if !isFalse(n, "bootstrapSelfManagedAddons") {
		return "has add-ons that nobody manages"
	}
	if !isTrue(n, "vpcConfig.endpointPublicAccess") {
		return ""
	}
	cidrs := value(n, "vpcConfig.publicAccessCidrs")
	if !cidrs.IsArray() || len(cidrs.ArrayValue()) == 0 {
		return "has an API that is open to everybody"
	}
	for _, c := range cidrs.ArrayValue() {
		if prefix, err := netip.ParsePrefix(c.StringValue()); err != nil || prefix.Bits() == 0 {
			return "has an API that is open to " + c.StringValue()
		}
	}
	return ""
}

func operated() []property {
	return []property{
		{"what the platform's operation rests on", unoperated, map[string]func(*graph.Graph){
			"ignored policies":      set("cluster-vpc-cni", "configurationValues", "{}"),
			"no network plugin":     remove("cluster-vpc-cni"),
			"no disks":              remove("cluster-aws-ebs-csi-driver"),
			"no identities":         remove("cluster-eks-pod-identity-agent"),
			"nodes before network":  edit("cluster-nodes", func(n *graph.Node) { n.Dependencies = nil }),
			"DNS before nodes":      edit("cluster-coredns", func(n *graph.Node) { n.Dependencies = nil }),
			"expensive support":     set("cluster-eks", "upgradePolicy.supportType", "EXTENDED"),
			"no audit log":          set("cluster-eks", "enabledClusterLogTypes", []any{"api"}),
			"logs for ever":         set("cluster-logs", "retentionInDays", nil),
			"one zone":              set("cluster-nodes", "subnetIds", []any{"network-private-0-subnet-id"}),
			"nodes never patched":   set("cluster-nodes", "releaseVersion", nil),
			"no standby":            set("database-instance", "multiAz", false),
			"extended support":      set("database-instance", "engineLifecycleSupport", nil),
			"no events":             remove("database-events"),
			"events for nobody":     set("database-events", "snsTopic", nil),
			"no backups":            set("database-instance", "backupRetentionPeriod", 0),
			"plain connections":     set("database-parameters", "parameters[1].value", "0"),
			"wrong apply method":    set("database-parameters", "parameters[0].applyMethod", "immediate"),
			"another authority":     set("database-instance", "caCertIdentifier", "rds-ca-rsa4096-g1"),
			"fixed storage":         set("database-instance", "maxAllocatedStorage", nil),
			"budget":                set("budget-monthly", "limitAmount", "0"),
			"budget without people": set("budget-monthly", "notifications[0].subscriberEmailAddresses", []any{}),
			"budget of fewer steps": set("budget-monthly", "notifications", []any{}),
			"forecast in past name": set("budget-monthly", "notifications[3].notificationType", "FORECAST"),
			"alarm without people":  set("database-alarm-storage", "alarmActions", []any{}),
			"no alarm of the CPU":   remove("database-alarm-cpu"),
			"no alarm of growth":    remove("bucket-alarm-growth"),
			"no lifecycle":          remove("bucket-data-lifecycle"),
			"expiry of models":      set("bucket-data-lifecycle", "rules[0].expiration", map[string]any{"days": 180}),
			"uploads for ever":      set("bucket-data-lifecycle", "rules[1].abortIncompleteMultipartUpload", nil),
		}},
	}
}

func unoperated(g *graph.Graph) []string {
	production := strings.HasSuffix(g.Stack, "-prod")
	bad := each(g, "aws:eks/cluster:Cluster", func(n graph.Node) string {
		logs := fmt.Sprint(value(n, "enabledClusterLogTypes"))
		if text(n, "upgradePolicy.supportType") != "STANDARD" || !strings.Contains(logs, "audit") || !strings.Contains(logs, "authenticator") {
			return "lacks standard support or audit logs"
		}
		return ""
	})
	bad = append(bad, addons(g)...)
	bad = append(bad, each(g, "aws:cloudwatch/logGroup:LogGroup", func(n graph.Node) string {
		if v := value(n, "retentionInDays"); !v.IsNumber() || v.NumberValue() < 1 {
			return "keeps logs for ever"
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:eks/nodeGroup:NodeGroup", func(n graph.Node) string {
		if len(value(n, "subnetIds").ArrayValue()) != 3 {
			return "is not in three zones"
		}
		if text(n, "releaseVersion") == "" {
			return "keeps the image of its first day"
		}
		return ""
	})...)
	bad = append(bad, eachDatabase(g, func(n graph.Node) string {
		if text(n, "engineLifecycleSupport") != "open-source-rds-extended-support-disabled" {
			return "is billed for extended support one day"
		}
		if production && !isTrue(n, "multiAz") || number(n, "backupRetentionPeriod") < 7 ||
			text(n, "caCertIdentifier") != "rds-ca-rsa2048-g1" || !value(n, "maxAllocatedStorage").IsNumber() {
			return "lacks standby, backups, growth or the authority that pods trust"
		}
		return ""
	})...)
	bad = append(bad, eachOf(g, "aws:rds/parameterGroup:ParameterGroup", managed(g), func(n graph.Node) string {
		want := map[string]string{"rds.force_ssl": "1/immediate", "max_connections": "*/pending-reboot"}
		for _, p := range value(n, "parameters").ArrayValue() {
			o := p.ObjectValue()
			name, got := o["name"].StringValue(), o["value"].StringValue()+"/"+o["applyMethod"].StringValue()
			if w := want[name]; w == got || strings.HasPrefix(w, "*") && strings.HasSuffix(got, w[1:]) {
				delete(want, name)
			}
		}
		if len(want) > 0 {
			return fmt.Sprintf("lacks %v", want)
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:budgets/budget:Budget", budget)...)
	bad = append(bad, each(g, "aws:cloudwatch/metricAlarm:MetricAlarm", func(n graph.Node) string {
		if v := value(n, "alarmActions"); !v.IsArray() || len(v.ArrayValue()) == 0 {
			return "tells nobody"
		}
		return ""
	})...)
	bad = append(bad, eachOf(g, "aws:rds/eventSubscription:EventSubscription", managed(g), func(n graph.Node) string {
		if text(n, "snsTopic") == "" || !strings.Contains(fmt.Sprint(value(n, "eventCategories")), "low storage") {
			return "does not tell that storage ends"
		}
		return ""
	})...)
	bad = append(bad, unwatched(g)...)
	return append(bad, lifecycle(g)...)
}

// unwatched are the metrics without an alarm.
func unwatched(g *graph.Graph) []string {
	watched := ""
	for _, n := range g.OfType("aws:cloudwatch/metricAlarm:MetricAlarm") {
		watched += fmt.Sprint(n.Inputs["metricName"], n.Inputs["metricQueries"])
	}
	var bad []string
	metrics := []string{"BucketSizeBytes"}
	if managed(g) {
		metrics = append(metrics, "FreeStorageSpace", "DatabaseConnections", "CPUUtilization", "FreeableMemory")
	}
	for _, metric := range metrics {
		if !strings.Contains(watched, metric) {
			bad = append(bad, "nobody watches "+metric)
		}
	}
	return bad
}

// addons must be there, the network plugin with policies on and before the
// nodes, what needs nodes after them.
func addons(g *graph.Graph) []string {
	var bad []string
	byName := map[string]graph.Node{}
	for _, n := range g.OfType("aws:eks/addon:Addon") {
		byName[text(n, "addonName")] = n
	}
	for _, name := range []string{"vpc-cni", "kube-proxy", "coredns", "aws-ebs-csi-driver", "eks-pod-identity-agent", "metrics-server"} {
		n, ok := byName[name]
		if !ok {
			bad = append(bad, "there is no add-on "+name)
			continue
		}
		if text(n, "addonVersion") == "" {
			bad = append(bad, n.Key()+" is not pinned")
		}
	}
	if !strings.Contains(text(byName["vpc-cni"], "configurationValues"), `"enableNetworkPolicy":"true"`) {
		bad = append(bad, "the network plugin ignores NetworkPolicies")
	}
	for _, nodes := range g.OfType("aws:eks/nodeGroup:NodeGroup") {
		if !slices.Contains(nodes.Dependencies, byName["vpc-cni"].URN) {
			bad = append(bad, "nodes do not wait for the network plugin")
		}
		if !slices.Contains(byName["coredns"].Dependencies, nodes.URN) {
			bad = append(bad, "CoreDNS does not wait for nodes")
		}
	}
	return bad
}

func budget(n graph.Node) string {
	if limit := text(n, "limitAmount"); limit == "" || limit == "0" {
		return "has no limit"
	}
	var steps []string
	for _, v := range value(n, "notifications").ArrayValue() {
		o := v.ObjectValue()
		if len(o["subscriberEmailAddresses"].ArrayValue()) > 0 {
			steps = append(steps, fmt.Sprintf("%s %v", o["notificationType"].StringValue(), o["threshold"].NumberValue()))
		}
	}
	if want := []string{"ACTUAL 50", "ACTUAL 80", "ACTUAL 100", "FORECASTED 100"}; !slices.Equal(steps, want) {
		return fmt.Sprintf("alerts at %v", steps)
	}
	return ""
}

// lifecycle removes garbage and never a current object of the data.
func lifecycle(g *graph.Graph) []string {
	const typ = "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"
	var bad []string
	if len(g.OfType(typ)) != len(g.OfType("aws:s3/bucketV2:BucketV2")) {
		bad = append(bad, "a bucket has no lifecycle")
	}
	for _, n := range g.OfType(typ) {
		found := map[string]bool{}
		for _, r := range value(n, "rules").ArrayValue() {
			o := r.ObjectValue()
			for _, action := range []resource.PropertyKey{"noncurrentVersionExpiration", "abortIncompleteMultipartUpload", "expiration"} {
				found[string(action)] = found[string(action)] || o.HasValue(action)
			}
			if e := o["expiration"]; e.IsObject() && e.ObjectValue().HasValue("days") && !strings.Contains(n.Name, "-logs-") {
				bad = append(bad, n.Key()+" deletes current objects by age")
			}
		}
		if len(found) != 3 || !found["noncurrentVersionExpiration"] || !found["abortIncompleteMultipartUpload"] || !found["expiration"] {
			bad = append(bad, n.Key()+" leaves garbage")
		}
	}
	return bad
}

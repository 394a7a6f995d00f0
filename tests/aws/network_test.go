package aws_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// existingNetwork is the stack file whose VPC is there.
const existingNetwork = "stacks/examples/aws-network.yaml"

// loadBalancer begins the annotations about one.
const loadBalancer = "service.beta.kubernetes.io/aws-load-balancer-"

// about is what a question is about: an id, a name, or the kind of an endpoint.
func about(args resource.PropertyMap) string {
	for _, key := range []resource.PropertyKey{"id", "subnetId", "routeTableId", "dhcpOptionsId", "name"} {
		if v := args[key]; v.IsString() {
			return v.StringValue()
		}
	}
	kind, _ := resource.PropertyPath{"filters", 0, "values", 0}.Get(resource.NewProperty(args))
	if kind.IsString() {
		return kind.StringValue()
	}
	return ""
}

// network is what AWS says about an existing network: the subnets' ids end with
// their kind, 1 for private, 2 for the database's, 3 for public ones, and the zone.
// The database's have the routes of the VPC.
func (c cloud) network(name, asked string) (map[string]any, error) {
	kind, zone := asked[max(0, len(asked)-2):max(0, len(asked)-1)], asked[max(0, len(asked)-1):]
	none := fmt.Errorf("AWS has no %s %q", name, asked)
	switch name {
	case "getVpc":
		return map[string]any{
			"id": asked, "enableDnsSupport": true, "enableDnsHostnames": true, "mainRouteTableId": "rtb-main", "ownerId": account, "dhcpOptionsId": "dopt-1",
			"cidrBlockAssociations": []any{map[string]any{"cidrBlock": "10.90.0.0/14"}},
		}, nil
	case "getVpcDhcpOptions":
		return map[string]any{"domainNameServers": []any{"AmazonProvidedDNS"}}, nil
	case "getSubnet":
		return map[string]any{
			"id": asked, "vpcId": "vpc-0123456789abcdef0", "availabilityZone": c.region + zone, "availabilityZoneId": "euc1-az" + zone, "mapPublicIpOnLaunch": false,
			"cidrBlock": fmt.Sprintf("10.9%s.%d.0/24", kind, strings.Index("abc", zone)), "outpostArn": "",
		}, nil
	case "getRouteTable":
		switch {
		case asked == "rtb-main":
			return map[string]any{"routeTableId": asked, "routes": []any{}}, nil
		case kind == "1":
			return map[string]any{"routeTableId": "rtb-1", "routes": []any{map[string]any{"cidrBlock": "0.0.0.0/0", "natGatewayId": "nat-1"}}}, nil
		case kind == "3":
			return map[string]any{"routeTableId": "rtb-3", "routes": []any{map[string]any{"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}}}, nil
		}
	case "getVpcEndpoint":
		if asked == "Gateway" {
			return map[string]any{"id": "vpce-1", "routeTableIds": []any{"rtb-1"}, "privateDnsEnabled": false, "dnsOptions": []any{}}, nil
		}
		if c.endpoint {
			return map[string]any{"id": "vpce-2", "privateDnsEnabled": true, "dnsOptions": []any{map[string]any{"privateDnsOnlyForInboundResolverEndpoint": false}}}, nil
		}
	case "getInstanceTypeOfferings":
		return map[string]any{"locations": []any{c.region + "a", c.region + "b", c.region + "c"}}, nil
	case "getCluster":
		if c.cluster != "" {
			return map[string]any{"vpcConfig": map[string]any{"vpcId": c.cluster, "subnetIds": []any{"subnet-0123456789abcde1a", "subnet-0123456789abcde1b", "subnet-0123456789abcde1c"}}}, nil
		}
	case "getSubnetGroup":
		if c.cluster != "" {
			return map[string]any{"subnetIds": []any{"subnet-0123456789abcde2a", "subnet-0123456789abcde2b"}}, nil
		}
	}
	return nil, none
}

// ofNetwork are the types that an existing network has its own of.
var ofNetwork = []string{
	"vpc:Vpc", "subnet:Subnet", "routeTable:RouteTable", "route:Route", "routeTableAssociation:RouteTableAssociation", "internetGateway:InternetGateway",
	"natGateway:NatGateway", "eip:Eip", "vpcEndpoint:VpcEndpoint", "defaultSecurityGroup:DefaultSecurityGroup", "flowLog:FlowLog",
}

// misplaced lists what is not where network.vpcId and its subnets say.
func misplaced(g *graph.Graph) []string {
	var bad []string
	for _, kind := range ofNetwork {
		for _, n := range g.OfType("aws:ec2/" + kind) {
			bad = append(bad, n.Key()+" is the network owner's")
		}
	}
	in := func(typ, path, kind string) {
		bad = append(bad, each(g, typ, func(n graph.Node) string {
			var got []string
			for i := range 4 {
				if id := text(n, fmt.Sprintf("%s[%d]", path, i)); id != "" {
					got = append(got, strings.TrimPrefix(id, "subnet-0123456789abcde"))
				}
			}
			if want := []string{kind + "a", kind + "b", kind + "c"}; !slices.Equal(got, want) {
				return fmt.Sprintf("is in %v, not in %v", got, want)
			}
			return ""
		})...)
	}
	in("aws:eks/cluster:Cluster", "vpcConfig.subnetIds", "1")
	in("aws:eks/nodeGroup:NodeGroup", "subnetIds", "1")
	in("aws:rds/subnetGroup:SubnetGroup", "subnetIds", "2")
	bad = append(bad, each(g, "aws:ec2/securityGroup:SecurityGroup", func(n graph.Node) string {
		if text(n, "vpcId") != "vpc-0123456789abcdef0" {
			return "is in another VPC"
		}
		if n.Name == "cluster-access" && (value(n, "ingress[0].fromPort").NumberValue() != 443 || text(n, "ingress[0].cidrBlocks[1]") != "10.90.0.0/22") {
			return "does not let in cluster.privateAccessCIDRs, to the API server only"
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:eks/addon:Addon", func(n graph.Node) string {
		if text(n, "addonName") == "vpc-cni" && !strings.Contains(text(n, "configurationValues"), `"ENABLE_SUBNET_DISCOVERY":"false"`) {
			return "takes other subnets"
		}
		return ""
	})...)
	bad = append(bad, each(g, "aws:eks/cluster:Cluster", func(n graph.Node) string {
		if text(n, "vpcConfig.securityGroupIds[0]") != "cluster-access-id" {
			return "lets nobody in"
		}
		return ""
	})...)
	bad = append(bad, each(g, "kubernetes:core/v1:Service", func(n graph.Node) string {
		const want = "subnet-0123456789abcde1a,subnet-0123456789abcde1b,subnet-0123456789abcde1c"
		if got := text(n, `metadata.annotations["`+loadBalancer+`subnets"]`); text(n, "spec.type") == "LoadBalancer" && got != want {
			return "has a load balancer in " + got
		}
		return ""
	})...)
	return append(bad, each(g, "kubernetes:networking.k8s.io/v1:NetworkPolicy", func(n graph.Node) string {
		egress := fmt.Sprint(value(n, "spec.egress"))
		if n.Name == "workspace-netpol-mlflow" && (!strings.Contains(egress, "10.92.0.0/24") || !strings.Contains(egress, "10.92.2.0/24")) {
			return "does not reach the database's subnets"
		}
		return ""
	})...)
}

// warnings are those about the network.
func warnings(g *graph.Graph) []string {
	return slices.DeleteFunc(slices.Clone(g.Warnings), func(w string) bool { return !strings.HasPrefix(w, "network.") })
}

// balancerOf is the name of the load balancer's Service.
func balancerOf(g *graph.Graph) string {
	for _, n := range g.OfType("kubernetes:core/v1:Service") {
		if text(n, "spec.type") == "LoadBalancer" {
			return n.Name
		}
	}
	return ""
}

func TestExistingNetwork(t *testing.T) {
	assert.Empty(t, misplaced(record(t, existingNetwork)))
	assert.Empty(t, warnings(record(t, existingNetwork)))
	for name, sabotage := range map[string]func(*graph.Graph){
		"cluster":  set("cluster-eks", "vpcConfig.subnetIds[0]", "subnet-0123456789abcde2a"),
		"nodes":    set("cluster-nodes", "subnetIds", []any{}),
		"database": set("database-subnets", "subnetIds[1]", "subnet-0123456789abcde1b"),
		"firewall": set("database-firewall", "vpcId", "vpc-default"),
		"balancer": func(g *graph.Graph) { g.Set(balancerOf(g), "metadata.annotations", nil) },
		"all pods": set("cluster-vpc-cni", "configurationValues", `{"enableNetworkPolicy":"true"}`),
		"nobody":   set("cluster-eks", "vpcConfig.securityGroupIds", nil),
		"others":   set("cluster-access", "ingress[0].fromPort", 0),
		"policy":   set("workspace-netpol-mlflow", "spec.egress", []any{}),
		"a subnet": func(g *graph.Graph) {
			g.Nodes = append(g.Nodes, record(t, "Pulumi.prod.yaml").OfType("aws:ec2/subnet:Subnet")[0])
		},
		"flow logs": func(g *graph.Graph) {
			g.Nodes = append(g.Nodes, record(t, "Pulumi.prod.yaml").OfType("aws:ec2/flowLog:FlowLog")...)
		},
	} {
		broken := record(t, existingNetwork).Clone()
		sabotage(broken)
		assert.NotEmpty(t, misplaced(broken), name)
	}
}

// subnetIDs are subnets of kinds and zones, such as 1a.
func subnetIDs(all ...string) string {
	var ids []string
	for _, one := range all {
		ids = append(ids, `"subnet-0123456789abcde`+one+`"`)
	}
	return "[" + strings.Join(ids, ", ") + "]"
}

func networkOf(private, database, balancer string) string {
	return fmt.Sprintf(`{"vpcId": "vpc-0123456789abcdef0", "privateSubnetIds": %s, "databaseSubnetIds": %s, "loadBalancerSubnetIds": %s}`, private, database, balancer)
}

// answer changes what AWS says of something.
func answer(about string, changed map[string]any) func(string, string, map[string]any) error {
	return func(_, asked string, answer map[string]any) error {
		for key, value := range changed {
			if _, ok := answer[key]; ok && asked == about {
				answer[key] = value
			}
		}
		return nil
	}
}

// refused has AWS refuse to answer questions.
func refused(questions ...string) func(string, string, map[string]any) error {
	return func(name, asked string, _ map[string]any) error {
		if slices.Contains(questions, name+" "+asked) {
			return fmt.Errorf("AWS refuses %s %s", name, asked)
		}
		return nil
	}
}

// way is the default route of a table.
func way(to map[string]any) []any {
	to["cidrBlock"] = "0.0.0.0/0"
	return []any{to}
}

// TestAnUnfitNetworkIsRefused: what would fail when half of the stack is made is
// said before anything is, all at once.
func TestAnUnfitNetworkIsRefused(t *testing.T) {
	const id, vpc, publicWay = "subnet-0123456789abcde", "vpc-0123456789abcdef0", `{"host": "a.b"}`
	fits := networkOf(subnetIDs("1a", "1b", "1c"), subnetIDs("2a", "2b", "2c"), subnetIDs("1a", "1b", "1c"))
	const notPublic = `; want a subnet whose way out is an internet gateway, or exposure.annotations with "service.beta.kubernetes.io/aws-load-balancer-internal": "true"`
	for _, c := range []struct {
		name, network, exposure, artifacts string
		cloud                              cloud
		problems, warnings                 []string
	}{
		{name: "it fits", network: fits},
		{name: "a public way in", network: networkOf(subnetIDs("1a", "1b", "1c"), "[]", subnetIDs("3a", "3b", "3c")), exposure: publicWay},
		{name: "a way in through a firewall", network: networkOf(subnetIDs("1a", "1b", "1c"), "[]", subnetIDs("3a", "3b", "3c")), exposure: publicWay,
			cloud: cloud{change: answer(id+"3b", map[string]any{"routes": way(map[string]any{"vpcEndpointId": "vpce-9"})})}},
		{name: "another interface", network: fits, cloud: cloud{endpoint: true}, artifacts: `{"cidrs": ["10.90.9.0/28"]}`},
		{name: "the cluster is there", network: fits, cloud: cloud{cluster: vpc}},
		{name: "a database where EKS has no room", network: fits, cloud: cloud{change: answer(id+"2a", map[string]any{"availabilityZoneId": "use1-az3"})}},
		{name: "a database in two zones", network: networkOf(subnetIDs("1a", "1b", "1c"), subnetIDs("2a", "2b"), subnetIDs("1a", "1b", "1c"))},

		{name: "names", network: fits, cloud: cloud{change: answer(vpc, map[string]any{"enableDnsHostnames": false})}, problems: []string{
			`network.vpcId is "` + vpc + `"; want a VPC with DNS resolution and DNS hostnames on`,
		}},
		{name: "another VPC and public", network: fits, cloud: cloud{change: answer(id+"1b", map[string]any{
			"vpcId": "vpc-1", "mapPublicIpOnLaunch": true, "routes": way(map[string]any{"gatewayId": "igw-1"}), "cidrBlock": "10.91.1.0/27",
		})}, problems: []string{
			`network.privateSubnetIds is "` + id + `1b"; want a subnet of ` + vpc,
			`network.privateSubnetIds is "` + id + `1b"; want a subnet that gives out no public addresses`,
			`network.privateSubnetIds is "` + id + `1b"; want a subnet whose way out is not an internet gateway`,
			`network.privateSubnetIds is "` + id + `1b"; want a subnet of at least 64 addresses: every pod has one`,
			`network.loadBalancerSubnetIds is "` + id + `1b"; want a subnet of ` + vpc,
		}},
		{name: "two zones", network: fits, cloud: cloud{change: answer(id+"1c", map[string]any{"availabilityZone": "eu-central-1a"})}, problems: []string{
			`network.privateSubnetIds is ["` + id + `1a","` + id + `1b","` + id + `1c"]; want subnets in 3 zones`,
			`network.loadBalancerSubnetIds is "` + id + `1c"; want one subnet in a zone, and eu-central-1a has another`,
		}},
		{name: "one zone and open", network: networkOf(subnetIDs("1a", "1b", "1c"), subnetIDs("3a", "3a"), subnetIDs("1a", "1b", "1c")), problems: []string{
			`network.databaseSubnetIds is "` + id + `3a"; want every subnet once`,
		}},
		{name: "an open database", network: networkOf(subnetIDs("1a", "1b", "1c"), subnetIDs("3a", "2a"), subnetIDs("1a", "1b", "1c")), problems: []string{
			`network.databaseSubnetIds is ["` + id + `3a","` + id + `2a"]; want subnets in at least 2 zones`,
			`network.databaseSubnetIds is "` + id + `3a"; want a subnet without a way to the internet gateway`,
		}},
		{name: "a zone without room", network: fits, cloud: cloud{change: answer(id+"1a", map[string]any{"availabilityZoneId": "use1-az3"})}, problems: []string{
			`network.privateSubnetIds is "` + id + `1a"; want a subnet in another zone: EKS has no room for control planes in eu-central-1a`,
		}},
		{name: "a Local Zone", network: fits, cloud: cloud{change: answer(id+"2c", map[string]any{"availabilityZone": "eu-central-1-ham-1a"})}, problems: []string{
			`network.databaseSubnetIds is "` + id + `2c"; want a subnet with IPv4 addresses in an availability zone, no Local Zone and no Outpost`,
		}},
		{name: "a private way in", network: networkOf(subnetIDs("1a", "1b", "1c"), "[]", subnetIDs("3a", "1a", "1b")), exposure: publicWay, problems: []string{
			`network.loadBalancerSubnetIds is "` + id + `1a"; want one subnet in a zone, and eu-central-1a has another`,
			`network.loadBalancerSubnetIds is "` + id + `1a"` + notPublic,
			`network.loadBalancerSubnetIds is "` + id + `1b"` + notPublic,
			`network.loadBalancerSubnetIds is ["` + id + `3a","` + id + `1a","` + id + `1b"]; want a subnet in eu-central-1c too: there are nodes`,
		}},
		{name: "Services in the VPC", network: fits, cloud: cloud{change: answer(vpc, map[string]any{"cidrBlockAssociations": []any{map[string]any{"cidrBlock": "172.31.240.0/20"}}})}, problems: []string{
			`cluster.serviceCIDR is "172.31.0.0/16"; want a range outside of the VPC, which has 172.31.240.0/20`,
		}},
		{name: "the cluster is elsewhere", network: fits, cloud: cloud{cluster: "vpc-old"}, problems: []string{
			`network.vpcId is "` + vpc + `"; want vpc-old, where the cluster is: a stack keeps its network`,
		}},
		{name: "another way to S3", network: fits, cloud: cloud{endpoint: true}, problems: []string{
			`artifacts.cidrs is []; want the addresses of vpce-2, the interface endpoint that S3's names lead to in ` + vpc,
		}},
		{name: "nodes that are not there", network: fits, cloud: cloud{change: answer("m7i.xlarge", map[string]any{"locations": []any{"eu-central-1a", "eu-central-1b"}})}, problems: []string{
			`network.privateSubnetIds is "` + id + `1c"; want a subnet in another zone, or another cluster.nodes.type: eu-central-1c has no m7i.xlarge`,
		}},
		{name: "the cluster is in other zones", network: fits, cloud: cloud{cluster: vpc, change: answer("mlflow-aws-network", map[string]any{"vpcConfig": map[string]any{
			"vpcId": vpc, "subnetIds": []any{id + "1a", id + "2b"},
		}})}, problems: []string{
			`network.privateSubnetIds is "` + id + `1c"; want a subnet in the zones of the cluster, eu-central-1a and eu-central-1b, which it keeps`,
		}},
		{name: "the database is elsewhere", network: fits, cloud: cloud{cluster: vpc, change: answer("mlflow-aws-network", map[string]any{"subnetIds": []any{id + "2a", id + "2f"}})}, problems: []string{
			`network.databaseSubnetIds is ["` + id + `2a","` + id + `2b","` + id + `2c"]; want ` + id + `2f too: the database is in it, and RDS gives up no subnet`,
		}},
		{name: "the database is beside the nodes", network: networkOf(subnetIDs("1a", "1b", "1c"), "[]", subnetIDs("1a", "1b", "1c")), cloud: cloud{cluster: vpc}, problems: []string{
			`network.privateSubnetIds is ["` + id + `1a","` + id + `1b","` + id + `1c"]; want ` + id + `2a too`,
			`network.privateSubnetIds is ["` + id + `1a","` + id + `1b","` + id + `1c"]; want ` + id + `2b too`,
		}},
		{name: "no VPC", network: fits, cloud: cloud{change: refused("getVpc " + vpc)}, problems: []string{`network.vpcId is "` + vpc + `"; want a VPC of eu-central-1 that AWS shows: `}},
		{name: "no subnet", network: fits, cloud: cloud{change: refused("getSubnet " + id + "2b")}, problems: []string{
			`network.databaseSubnetIds is "` + id + `2b"; want a subnet that AWS shows: `,
		}},

		{name: "the VPC's routes", network: fits, cloud: cloud{change: refused("getRouteTable " + id + "1a")}, warnings: []string{
			"network.privateSubnetIds: " + id + "1a shows no default route",
			"network.privateSubnetIds: " + id + "1a does not use vpce-1, the gateway endpoint of S3",
		}},
		{name: "hidden routes", network: fits, cloud: cloud{change: refused("getRouteTable "+id+"1a", "getRouteTable rtb-main")}, warnings: []string{
			"network.privateSubnetIds: the routes of " + id + "1a do not show", "network.databaseSubnetIds: the routes of " + id + "2a do not show",
			"network.databaseSubnetIds: the routes of " + id + "2b do not show", "network.databaseSubnetIds: the routes of " + id + "2c do not show",
			"network.loadBalancerSubnetIds: the routes of " + id + "1a do not show",
		}},
		{name: "no way out", network: fits, cloud: cloud{change: answer(id+"1c", map[string]any{"routes": []any{}})}, warnings: []string{
			"network.privateSubnetIds: " + id + "1c shows no default route",
		}},
		{name: "no endpoint", network: fits, cloud: cloud{change: refused("getVpcEndpoint Gateway")}, warnings: []string{"network.vpcId: " + vpc + " shows no gateway endpoint of S3 ("}},
		{name: "a shared network", network: fits, cloud: cloud{change: func(name, asked string, answer map[string]any) error {
			if name == "getVpc" {
				answer["ownerId"], answer["mainRouteTableId"] = "444455556666", ""
			}
			return refused("getVpcEndpoint Gateway")(name, asked, answer)
		}}, warnings: []string{
			"network.databaseSubnetIds: the routes of " + id + "2a do not show", "network.databaseSubnetIds: the routes of " + id + "2b do not show",
			"network.databaseSubnetIds: the routes of " + id + "2c do not show", "network.vpcId: whether " + vpc + " has a gateway endpoint of S3 shows to its owner only",
		}},
		{name: "other names", network: fits, cloud: cloud{change: answer("dopt-1", map[string]any{"domainNameServers": []any{"10.0.0.2"}})}, warnings: []string{
			"network.vpcId: " + vpc + " does not show AmazonProvidedDNS in its DHCP options",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, existingNetwork)
			r.Config[settings.Project+":network"] = c.network
			if c.exposure != "" {
				r.Config[settings.Project+":exposure"] = c.exposure
			}
			if c.artifacts != "" {
				r.Config[settings.Project+":artifacts"] = c.artifacts
			}
			c.cloud.region = "eu-central-1"
			r.Cloud = c.cloud
			g, err := graph.Record(r, newProgram())
			if len(c.problems) == 0 {
				require.NoError(t, err)
				got := warnings(g)
				require.Len(t, got, len(c.warnings), "%q", got)
				for _, warning := range c.warnings {
					assert.Contains(t, strings.Join(got, "\n"), warning)
				}
				return
			}
			require.Error(t, err)
			for _, problem := range c.problems {
				require.ErrorContains(t, err, problem)
			}
			assert.Equal(t, len(c.problems), strings.Count(err.Error(), "; want "), err.Error())
			for _, n := range g.Nodes {
				assert.True(t, strings.HasPrefix(n.Type, "pulumi:providers:"), "%s is registered", n.Key())
			}
		})
	}
}

// TestTheLoadBalancerStays when its subnets are listed in another order; with other
// ones there is another.
func TestTheLoadBalancerStays(t *testing.T) {
	made := func(subnets ...string) string {
		r := run(t, existingNetwork)
		r.Config[settings.Project+":network"] = networkOf(subnetIDs("1a", "1b", "1c"), "[]", subnetIDs(subnets...))
		g, err := graph.Record(r, newProgram())
		require.NoError(t, err)
		return balancerOf(g)
	}
	assert.Equal(t, made("1a", "1b", "1c"), made("1c", "1a", "1b"))
	assert.NotEqual(t, made("1a", "1b", "1c"), made("1a", "1b", "3c"))
}

// TestAnInterfaceEndpointIsReached: with its addresses in the settings, the pods that
// use the bucket reach it, and no others do.
func TestAnInterfaceEndpointIsReached(t *testing.T) {
	r := run(t, existingNetwork)
	r.Config[settings.Project+":artifacts"] = `{"cidrs": ["10.90.9.0/28"]}`
	g, err := graph.Record(r, newProgram())
	require.NoError(t, err)
	reached := map[string]bool{}
	for _, n := range g.OfType("kubernetes:networking.k8s.io/v1:NetworkPolicy") {
		reached[n.Name] = strings.Contains(fmt.Sprint(value(n, "spec.egress")), "10.90.9.0/28")
	}
	assert.True(t, reached["workspace-netpol-mlflow"])
	assert.True(t, reached["workspace-netpol-database-backup"])
	assert.False(t, reached["workspace-netpol-gateway"])
}

func TestSubnets(t *testing.T) {
	onAWS.CheckSubnets(t, overlaps, map[string]func(*graph.Graph){
		"the same addresses": set("network-database-1-subnet", "cidrBlock", "10.20.0.0/26"),
		"outside of the VPC": set("network-database-1-subnet", "cidrBlock", "10.21.0.0/26"),
		"one less":           remove("network-database-1-subnet"),
	})
}

func overlaps(g *graph.Graph) []string {
	subnets := g.OfType("aws:ec2/subnet:Subnet")
	bad := graph.Overlapping(text(g.OfType("aws:ec2/vpc:Vpc")[0], "cidrBlock"), subnets, "cidrBlock")
	if len(subnets) != 9 {
		bad = append(bad, "there are not three subnets of each kind")
	}
	return bad
}

// TestZonesHaveTheNodes: a zone without the nodes' type is passed over; with too few
// nothing is made.
func TestZonesHaveTheNodes(t *testing.T) {
	zonesOf := func(offered ...any) ([]string, error) {
		r := run(t, "Pulumi.prod.yaml")
		r.Cloud = cloud{region: "eu-central-1", change: func(name, _ string, answer map[string]any) error {
			if name == "getInstanceTypeOfferings" {
				answer["locations"] = offered
			}
			return nil
		}, zones: []any{"eu-central-1a", "eu-central-1b", "eu-central-1c", "eu-central-1d"}}
		g, err := graph.Record(r, newProgram())
		if err != nil {
			return nil, err
		}
		var names []string
		for _, n := range g.OfType("aws:ec2/subnet:Subnet") {
			names = append(names, text(n, "availabilityZone"))
		}
		slices.Sort(names)
		return slices.Compact(names), nil
	}
	got, err := zonesOf("eu-central-1d", "eu-central-1a", "eu-central-1c")
	require.NoError(t, err)
	assert.Equal(t, []string{"eu-central-1a", "eu-central-1c", "eu-central-1d"}, got)
	_, err = zonesOf("eu-central-1a", "eu-central-1b")
	require.ErrorContains(t, err, `cluster.nodes.type is "m7i.xlarge" in eu-central-1, in 2 zones that EKS is in; want at least 3`)
}

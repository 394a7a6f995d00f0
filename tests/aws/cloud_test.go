package aws_test

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// cloud answers like AWS in a region: with ARNs, ids and what its functions look up.
type cloud struct {
	region string
	// caller is who runs the program; empty for somebody who may.
	caller string
	// endpoint is there when an existing network has an interface endpoint of S3, and
	// cluster is the VPC of a cluster that is there.
	endpoint bool
	cluster  string
	// zones of the region, a to c without.
	zones []any
	// change alters an answer, or refuses it; asked is what the question is about.
	change func(name, asked string, answer map[string]any) error
}

var _ graph.Cloud = cloud{}

// Computed implements graph.Cloud.
func (c cloud) Computed(n graph.Node) resource.PropertyMap {
	out := resource.PropertyMap{}
	set := func(key string, value any) { out[resource.PropertyKey(key)] = resource.NewPropertyValue(value) }
	kind := n.Type[strings.LastIndex(n.Type, ":")+1:]
	if strings.HasPrefix(n.Type, "aws:") {
		set("arn", fmt.Sprintf("arn:aws:%s:%s:%s:%s/%s", strings.Split(strings.TrimPrefix(n.Type, "aws:"), "/")[0], c.region, account, strings.ToLower(kind), n.Name))
	}
	switch n.Type {
	case "aws:kms/key:Key":
		set("keyId", "key-"+n.Name)
	case "aws:eks/cluster:Cluster":
		set("endpoint", "https://api.example.com")
		set("certificateAuthority", map[string]any{"data": "Y2VydA=="})
		config := resource.PropertyMap{}
		if v := n.Inputs["vpcConfig"]; v.IsObject() {
			config = v.ObjectValue().Copy()
		}
		config["clusterSecurityGroupId"] = resource.NewProperty("sg-nodes")
		out["vpcConfig"] = resource.NewProperty(config)
	case "aws:ec2/launchTemplate:LaunchTemplate":
		set("latestVersion", 1)
		set("id", "lt-0a1b2c3d4e5f60718")
	case "aws:rds/instance:Instance":
		set("address", "db.example.com")
	case "random:index/randomId:RandomId":
		set("hex", "0a1b2c3d")
	}
	return out
}

// Call implements graph.Cloud.
func (c cloud) Call(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	answer := map[string]any{}
	switch token {
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		zones := c.zones
		if zones == nil {
			zones = []any{c.region + "a", c.region + "b", c.region + "c"}
		}
		answer = map[string]any{"names": zones, "zoneIds": []any{}, "groupNames": []any{}, "id": "x", "region": "x"}
	case "aws:index/getCallerIdentity:getCallerIdentity":
		caller := c.caller
		if caller == "" {
			caller = "arn:aws:sts::" + account + ":assumed-role/platform-deploy/ci"
		}
		answer = map[string]any{"arn": caller, "accountId": account, "id": account, "userId": "AROA:ci"}
	case "aws:ec2/getPrefixList:getPrefixList":
		answer = map[string]any{"cidrBlocks": []any{"3.5.136.0/22", "52.219.170.0/23"}, "id": "pl-1", "name": args["name"].StringValue()}
	case "aws:eks/getAddonVersion:getAddonVersion":
		answer = map[string]any{"version": "v1.0.0-eksbuild.1", "addonName": args["addonName"].StringValue(), "kubernetesVersion": "1.36", "id": "x"}
	case "aws:ssm/getParameter:getParameter":
		answer = map[string]any{"insecureValue": "1.36.1-20261101", "value": "1.36.1-20261101", "name": args["name"].StringValue(), "arn": "x", "id": "x", "type": "String", "version": 1}
	default:
		name, asked := token[strings.LastIndex(token, ":")+1:], about(args)
		var err error
		if answer, err = c.network(name, asked); err != nil {
			return nil, err
		}
		if c.change != nil {
			if err := c.change(name, asked, answer); err != nil {
				return nil, err
			}
		}
	}
	return resource.NewPropertyMapFromMap(answer), nil
}

package aws_test

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// cloud answers like AWS: with ARNs, ids and what its functions look up.
type cloud struct{}

var _ graph.Cloud = cloud{}

// Computed implements graph.Cloud.
func (cloud) Computed(n graph.Node) resource.PropertyMap {
	out := resource.PropertyMap{}
	set := func(key string, value any) { out[resource.PropertyKey(key)] = resource.NewPropertyValue(value) }
	kind := n.Type[strings.LastIndex(n.Type, ":")+1:]
	if strings.HasPrefix(n.Type, "aws:") {
		set("arn", fmt.Sprintf("arn:aws:%s:eu-central-1:%s:%s/%s", strings.Split(strings.TrimPrefix(n.Type, "aws:"), "/")[0], account, strings.ToLower(kind), n.Name))
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
	case "aws:rds/instance:Instance":
		set("address", "db.example.com")
	case "random:index/randomId:RandomId":
		set("hex", "0a1b2c3d")
	}
	return out
}

// Call implements graph.Cloud.
func (cloud) Call(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	answer := map[string]any{}
	switch token {
	case "aws:index/getAvailabilityZones:getAvailabilityZones":
		answer = map[string]any{"names": []any{"eu-central-1a", "eu-central-1b", "eu-central-1c"}, "zoneIds": []any{}, "groupNames": []any{}, "id": "x", "region": "x"}
	case "aws:ec2/getPrefixList:getPrefixList":
		answer = map[string]any{"cidrBlocks": []any{"3.5.136.0/22", "52.219.170.0/23"}, "id": "pl-1", "name": args["name"].StringValue()}
	case "aws:eks/getAddonVersion:getAddonVersion":
		answer = map[string]any{"version": "v1.0.0-eksbuild.1", "addonName": args["addonName"].StringValue(), "kubernetesVersion": "1.36", "id": "x"}
	default:
		return nil, fmt.Errorf("the cloud of the tests does not know %s", token)
	}
	return resource.NewPropertyMapFromMap(answer), nil
}

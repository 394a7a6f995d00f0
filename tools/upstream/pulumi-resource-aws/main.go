// Command pulumi-resource-aws is AWS' Terraform provider behind Pulumi's Terraform
// bridge, with the resources and functions that stacks on AWS use: what `make
// verify-aws` checks the stacks with. It is not the plugin that `pulumi up` uses,
// which is published by Pulumi and cannot be built from modules.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/hashicorp/terraform-provider-aws/xpprovider"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	sdk "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	"github.com/pulumi/pulumi-terraform-bridge/v3/unstable/metadata"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// version is the release that the commit in go.mod carries.
const version = "5.82.2"

// resources are the names of the published provider, module/Type.
var resources = map[string]string{
	"aws_budgets_budget":                    "budgets/Budget",
	"aws_cloudwatch_log_group":              "cloudwatch/LogGroup",
	"aws_cloudwatch_metric_alarm":           "cloudwatch/MetricAlarm",
	"aws_default_security_group":            "ec2/DefaultSecurityGroup",
	"aws_eip":                               "ec2/Eip",
	"aws_flow_log":                          "ec2/FlowLog",
	"aws_internet_gateway":                  "ec2/InternetGateway",
	"aws_launch_template":                   "ec2/LaunchTemplate",
	"aws_nat_gateway":                       "ec2/NatGateway",
	"aws_route":                             "ec2/Route",
	"aws_route_table":                       "ec2/RouteTable",
	"aws_route_table_association":           "ec2/RouteTableAssociation",
	"aws_security_group":                    "ec2/SecurityGroup",
	"aws_subnet":                            "ec2/Subnet",
	"aws_vpc":                               "ec2/Vpc",
	"aws_vpc_endpoint":                      "ec2/VpcEndpoint",
	"aws_eks_access_entry":                  "eks/AccessEntry",
	"aws_eks_access_policy_association":     "eks/AccessPolicyAssociation",
	"aws_eks_addon":                         "eks/Addon",
	"aws_eks_cluster":                       "eks/Cluster",
	"aws_eks_node_group":                    "eks/NodeGroup",
	"aws_eks_pod_identity_association":      "eks/PodIdentityAssociation",
	"aws_iam_role":                          "iam/Role",
	"aws_iam_role_policy":                   "iam/RolePolicy",
	"aws_iam_role_policy_attachment":        "iam/RolePolicyAttachment",
	"aws_kms_alias":                         "kms/Alias",
	"aws_kms_key":                           "kms/Key",
	"aws_db_event_subscription":             "rds/EventSubscription",
	"aws_db_instance":                       "rds/Instance",
	"aws_db_parameter_group":                "rds/ParameterGroup",
	"aws_db_subnet_group":                   "rds/SubnetGroup",
	"aws_s3_bucket":                         "s3/BucketV2",
	"aws_s3_bucket_lifecycle_configuration": "s3/BucketLifecycleConfigurationV2",
	"aws_s3_bucket_logging":                 "s3/BucketLoggingV2",
	"aws_s3_bucket_ownership_controls":      "s3/BucketOwnershipControls",
	"aws_s3_bucket_policy":                  "s3/BucketPolicy",
	"aws_s3_bucket_public_access_block":     "s3/BucketPublicAccessBlock",
	"aws_s3_bucket_server_side_encryption_configuration": "s3/BucketServerSideEncryptionConfigurationV2",
	"aws_s3_bucket_versioning":                           "s3/BucketVersioningV2",
	"aws_secretsmanager_secret":                          "secretsmanager/Secret",
	"aws_secretsmanager_secret_version":                  "secretsmanager/SecretVersion",
	"aws_sns_topic":                                      "sns/Topic",
	"aws_sns_topic_subscription":                         "sns/TopicSubscription",
}

// functions are those of the published provider.
var functions = map[string]string{
	"aws_availability_zones":          "index/getAvailabilityZones",
	"aws_caller_identity":             "index/getCallerIdentity",
	"aws_db_subnet_group":             "rds/getSubnetGroup",
	"aws_ec2_instance_type_offerings": "ec2/getInstanceTypeOfferings",
	"aws_eks_addon_version":           "eks/getAddonVersion",
	"aws_eks_cluster":                 "eks/getCluster",
	"aws_prefix_list":                 "ec2/getPrefixList",
	"aws_route_table":                 "ec2/getRouteTable",
	"aws_ssm_parameter":               "ssm/getParameter",
	"aws_subnet":                      "ec2/getSubnet",
	"aws_vpc":                         "ec2/getVpc",
	"aws_vpc_dhcp_options":            "ec2/getVpcDhcpOptions",
	"aws_vpc_endpoint":                "ec2/getVpcEndpoint",
}

// renamed are properties that the published provider gives other names.
var renamed = map[string]map[string]string{
	"aws_cloudwatch_metric_alarm": {"alarm_name": "name"},
	"aws_default_security_group":  {"ingress": "ingress", "egress": "egress"},
	"aws_security_group":          {"ingress": "ingress", "egress": "egress"},
	"aws_sns_topic_subscription":  {"topic_arn": "topic"},
}

// single are lists of functions that the published provider gives as one object.
var single = map[string][]string{"aws_eks_cluster": {"vpc_config"}}

func main() {
	ctx := context.Background()
	framework, classic, err := xpprovider.GetProvider(ctx)
	if err != nil {
		log.Fatal(err)
	}
	info := tfbridge.ProviderInfo{
		P:    pf.MuxShimWithPF(ctx, sdk.NewProvider(classic), framework),
		Name: "aws", Version: version, MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*tfbridge.ResourceInfo{}, DataSources: map[string]*tfbridge.DataSourceInfo{},
	}
	for name, published := range resources {
		module, typ, _ := strings.Cut(published, "/")
		r := &tfbridge.ResourceInfo{
			Tok:    tokens.Type("aws:" + module + "/" + strings.ToLower(typ[:1]) + typ[1:] + ":" + typ),
			Fields: map[string]*tfbridge.SchemaInfo{},
		}
		for property, name := range renamed[name] {
			r.Fields[property] = &tfbridge.SchemaInfo{Name: name}
		}
		info.Resources[name] = r
	}
	for name, published := range functions {
		_, function, _ := strings.Cut(published, "/")
		d := &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember("aws:" + published + ":" + function), Fields: map[string]*tfbridge.SchemaInfo{}}
		for _, property := range single[name] {
			d.Fields[property] = &tfbridge.SchemaInfo{MaxItemsOne: tfbridge.True()}
		}
		info.DataSources[name] = d
	}
	// The published provider computes which half has a resource when it is
	// generated, and carries the result as data.
	muxed, ok := info.P.(interface {
		ResolveDispatch(*tfbridge.ProviderInfo) (muxer.DispatchTable, error)
	})
	if !ok {
		log.Fatal("the bridge has no longer two halves")
	}
	table, err := muxed.ResolveDispatch(&info)
	if err != nil {
		log.Fatal(err)
	}
	if err := metadata.Set(info.GetMetadata(), "mux", table); err != nil {
		log.Fatal(err)
	}
	pf.MainWithMuxer(ctx, info.Name, info, fmt.Appendf(nil, `{"name":%q,"version":%q}`, info.Name, version))
}

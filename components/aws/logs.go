package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
)

// logDays is how long logs are kept. CloudWatch keeps them for ever by default,
// which is one of the bills that grow unnoticed.
const logDays = 90

// logGroup makes the group before the service that writes to it, which would
// make one that never expires.
func (p *Platform) logGroup(ctx *pulumi.Context, parent pulumi.Resource, name, physical string) (*cloudwatch.LogGroup, error) {
	group, err := cloudwatch.NewLogGroup(ctx, name+"-logs", &cloudwatch.LogGroupArgs{
		Name: pulumi.String(physical), RetentionInDays: pulumi.Int(logDays), Tags: p.tags("logs"),
	}, p.child(parent)...)
	if err != nil {
		return nil, fmt.Errorf("creating log group %s: %w", physical, err)
	}
	return group, nil
}

// flowLogs records refused connections: accepted ones would cost ten times as
// much and answer few questions.
func (p *Platform) flowLogs(ctx *pulumi.Context, name string, n *platform.Network) error {
	physical := "/mlflow-platform/" + p.settings.Stack + "/vpc-flow-logs"
	group, err := p.logGroup(ctx, n, name+"-flow", physical)
	if err != nil {
		return err
	}
	role, _, err := p.role(ctx, n, name, "flow-logs", trust("vpc-flow-logs.amazonaws.com", p.ours()))
	if err != nil {
		return err
	}
	policy, err := iam.NewRolePolicy(ctx, name+"-flow-policy", &iam.RolePolicyArgs{
		Role: role.Name,
		Policy: document(statement{
			Effect: "Allow", Action: []string{"logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"},
			Resource: []string{p.arn("logs", "log-group:"+physical), p.arn("logs", "log-group:"+physical+":*")},
		}),
	}, p.child(n)...)
	if err != nil {
		return fmt.Errorf("allowing flow logs: %w", err)
	}
	_, err = ec2.NewFlowLog(ctx, name+"-flow-log", &ec2.FlowLogArgs{
		VpcId: p.made.vpc, TrafficType: pulumi.String("REJECT"), LogDestination: group.Arn, IamRoleArn: role.Arn,
		MaxAggregationInterval: pulumi.Int(600), Tags: p.tags("flow-log"),
	}, p.child(n, pulumi.DependsOn([]pulumi.Resource{policy}))...)
	if err != nil {
		return fmt.Errorf("creating the flow log: %w", err)
	}
	return nil
}

package aws

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
)

// statement is one statement of a policy document
// (docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html).
// Values may be outputs.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    []string
	Resource  any
	Condition map[string]any
}

// document encodes statements as a policy document.
func document(statements ...statement) pulumi.StringOutput {
	var all []any
	for _, s := range statements {
		one := map[string]any{"Effect": s.Effect, "Action": s.Action}
		for key, value := range map[string]any{"Principal": s.Principal, "Resource": s.Resource} {
			if value != nil {
				one[key] = value
			}
		}
		if s.Sid != "" {
			one["Sid"] = s.Sid
		}
		if len(s.Condition) > 0 {
			one["Condition"] = s.Condition
		}
		all = append(all, one)
	}
	return pulumi.JSONMarshal(map[string]any{"Version": "2012-10-17", "Statement": all})
}

// trust lets an AWS service take a role.
func trust(service string, condition map[string]any, actions ...string) pulumi.StringOutput {
	return document(statement{
		Effect: "Allow", Principal: map[string]any{"Service": service}, Action: append([]string{"sts:AssumeRole"}, actions...), Condition: condition,
	})
}

// ours keeps a service from being used by another account as a deputy
// (docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html).
func (p *Platform) ours() map[string]any {
	return map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": p.settings.Account}}
}

// role makes a role with AWS' own policies by name.
func (p *Platform) role(ctx *pulumi.Context, parent pulumi.Resource, name, role string, trust pulumi.StringInput, managed ...string) (*iam.Role, []pulumi.Resource, error) {
	r, err := iam.NewRole(ctx, name+"-"+role+"-role", &iam.RoleArgs{
		Name:             pulumi.String(p.name(naming.IAM, p.settings.Region, role)),
		Description:      pulumi.String("mlflow-platform " + p.settings.Stack + ": " + role),
		AssumeRolePolicy: trust, Tags: p.tags(role),
	}, p.child(parent)...)
	if err != nil {
		return nil, nil, fmt.Errorf("creating role %s: %w", role, err)
	}
	ready := []pulumi.Resource{r}
	for _, policy := range managed {
		attachment, err := iam.NewRolePolicyAttachment(ctx, name+"-"+role+"-"+policy, &iam.RolePolicyAttachmentArgs{
			Role: r.Name, PolicyArn: pulumi.String(fmt.Sprintf("arn:%s:iam::aws:policy/%s", partition, policy)),
		}, p.child(parent)...)
		if err != nil {
			return nil, nil, fmt.Errorf("attaching %s to role %s: %w", policy, role, err)
		}
		ready = append(ready, attachment)
	}
	return r, ready, nil
}

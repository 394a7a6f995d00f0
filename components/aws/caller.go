package aws

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// checkCaller looks whether cluster.admins let in whoever runs the program: the
// cluster would refuse what is to be put into it, a quarter of an hour later. A
// preview only warns, so that CI may use a role that can change nothing.
func (p *Platform) checkCaller(ctx *pulumi.Context) error {
	caller, err := aws.GetCallerIdentity(ctx, &aws.GetCallerIdentityArgs{}, pulumi.Provider(p.provider))
	if err != nil {
		return fmt.Errorf("asking AWS who this is: %w", err)
	}
	admins := p.settings.Cluster.Admins
	if slices.ContainsFunc(admins, func(admin string) bool { return is(caller.Arn, admin) }) {
		return nil
	}
	problem := fmt.Sprintf("cluster.admins is %q; want %s in it, who runs this: only they put anything into the cluster", admins, caller.Arn)
	if !ctx.DryRun() {
		return errors.New(problem)
	}
	if err := ctx.Log.Warn(problem, nil); err != nil {
		return fmt.Errorf("logging: %w", err)
	}
	return nil
}

// is says whether a caller is a principal of IAM. A role that was taken is
// arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION, without the path that the role
// may have (docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
func is(caller, principal string) bool {
	if caller == principal {
		return true
	}
	taken, ok := strings.CutPrefix(caller, "arn:"+partition+":sts::")
	role, isRole := strings.CutPrefix(principal, "arn:"+partition+":iam::")
	if !ok || !isRole {
		return false
	}
	account, session, _ := strings.Cut(taken, ":assumed-role/")
	name, _, _ := strings.Cut(session, "/")
	return strings.HasPrefix(role, account+":role/") && name != "" && role[strings.LastIndex(role, "/")+1:] == name
}

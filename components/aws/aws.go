// Package aws is the platform on Amazon Web Services: a VPC over three zones,
// EKS, RDS for PostgreSQL, an S3 bucket, Pod Identity, a budget and alarms.
package aws

import (
	"fmt"
	"maps"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// partition of all ARNs: settings refuse regions of the others.
const partition = "aws"

// tokens of the component resources.
const (
	networkToken  = "mlflow:aws:Network"
	clusterToken  = "mlflow:aws:Cluster"
	databaseToken = "mlflow:aws:Database"
	volumesToken  = "mlflow:aws:Volumes"
	bucketToken   = "mlflow:aws:Bucket"
	identityToken = "mlflow:aws:Identity"
	alertsToken   = "mlflow:aws:Alerts"
	secretsToken  = "mlflow:aws:Secrets"
	budgetToken   = "mlflow:aws:Budget"
)

// Platform implements platform.Platform.
type Platform struct {
	settings *settings.Settings
	provider *aws.Provider
	// authority signs the certificates of RDS in the region, PEM; empty without a
	// managed database.
	authority string
	// made holds what later steps need of earlier ones.
	made made
}

var _ platform.Platform = (*Platform)(nil)

// New makes the platform and its provider. The provider refuses every account
// but the one of the settings, so that credentials of another one change
// nothing there.
func New(ctx *pulumi.Context, s *settings.Settings) (platform.Platform, error) {
	var authority string
	if s.Database.Mode == "managed" {
		var err error
		if authority, err = rootCertificate(s.Region); err != nil {
			return nil, err
		}
	}
	provider, err := aws.NewProvider(ctx, "aws", &aws.ProviderArgs{
		Region:            pulumi.String(s.Region),
		AllowedAccountIds: pulumi.ToStringArray([]string{s.Account}),
	})
	if err != nil {
		return nil, fmt.Errorf("creating the AWS provider: %w", err)
	}
	p := &Platform{settings: s, provider: provider, authority: authority}
	if err := p.checkCaller(ctx); err != nil || s.Network.VPCID == "" {
		return p, err
	}
	return p, p.lookUpNetwork(ctx)
}

// child are the options of a child in AWS.
func (p *Platform) child(parent pulumi.Resource, own ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return component.Options(parent, append([]pulumi.ResourceOption{pulumi.Provider(p.provider)}, own...)...)
}

// name is the physical name of what must have one: project and stack, so that
// two stacks share an account.
func (p *Platform) name(limit naming.Limit, parts ...string) string {
	return limit.Fit(append([]string{"mlflow", p.settings.Stack}, parts...)...)
}

// tags are on everything that takes tags: the user's, and the platform's own,
// which win.
func (p *Platform) tags(name string) pulumi.StringMap { return pulumi.ToStringMap(p.tagTexts(name)) }

func (p *Platform) tagTexts(name string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, p.settings.Tags)
	all["Name"] = p.name(naming.Tag, name)
	all["project"] = settings.Project
	all["stack"] = p.settings.Stack
	return all
}

// arn is the ARN of something in the stack's account and region.
func (p *Platform) arn(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s:%s:%s:%s", partition, service, p.settings.Region, p.settings.Account, resource)
}

// Package gcp is the platform on Google Cloud: a VPC network, GKE, Cloud SQL for
// PostgreSQL, Cloud Storage, workload identity, a budget and alerts.
package gcp

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/organizations"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// tokens of the component resources.
const (
	networkToken  = "mlflow:gcp:Network"
	servicesToken = "mlflow:gcp:Services"
	keysToken     = "mlflow:gcp:Keys"
	clusterToken  = "mlflow:gcp:Cluster"
	databaseToken = "mlflow:gcp:Database"
	volumesToken  = "mlflow:gcp:Volumes"
	bucketToken   = "mlflow:gcp:Bucket"
	identityToken = "mlflow:gcp:Identity"
	alertsToken   = "mlflow:gcp:Alerts"
	secretsToken  = "mlflow:gcp:Secrets"
	budgetToken   = "mlflow:gcp:Budget"
)

// Platform implements platform.Platform.
type Platform struct {
	settings *settings.Settings
	provider *gcp.Provider
	// project is the number of the settings' project, and billing its billing account.
	project, billing string
	// cluster is the one that is there, nil before the first update.
	cluster *container.LookupClusterResult
	// patient asks again when Google has not caught up with itself yet.
	patient pulumi.ResourceOption
	// granted waits after a role is given.
	granted pulumi.ResourceOption
	// made holds what later steps need of earlier ones.
	made made
}

var _ platform.Platform = (*Platform)(nil)

// Sleep lets time pass; tests replace it.
var Sleep = time.Sleep

// New makes the platform and its provider, which works in the project of the
// settings.
func New(ctx *pulumi.Context, s *settings.Settings) (platform.Platform, error) {
	provider, err := gcp.NewProvider(ctx, "gcp", &gcp.ProviderArgs{
		Project: pulumi.String(s.Account), Region: pulumi.String(s.Region),
		// Our labels are on everything that takes some; the provider's own say nothing more.
		AddTerraformAttributionLabel: pulumi.Bool(false),
	})
	if err != nil {
		return nil, fmt.Errorf("creating the Google Cloud provider: %w", err)
	}
	p := &Platform{settings: s, provider: provider}
	if err := p.lookUpProject(ctx); err != nil {
		return nil, err
	}
	if p.patient, err = patience(ctx); err != nil {
		return nil, err
	}
	if p.granted, err = waiting(ctx); err != nil {
		return nil, err
	}
	if err := p.planNetwork(ctx); err != nil {
		return nil, err
	}
	return p, p.lookUpCluster(ctx)
}

// zones are the first three of the region: named a, b and c, but for two regions
// (cloud.google.com/compute/docs/regions-zones). Google is not asked: the API that
// knows is enabled by the first update.
func (p *Platform) zones() []string {
	letters := "abc"
	if p.settings.Region == "us-east1" || p.settings.Region == "europe-west1" {
		letters = "bcd"
	}
	var all []string
	for _, letter := range letters {
		all = append(all, p.settings.Region+"-"+string(letter))
	}
	return all
}

// lookUpProject finds the project's number, which several services go by, and its
// billing account.
func (p *Platform) lookUpProject(ctx *pulumi.Context) error {
	s := p.settings
	found, err := organizations.LookupProject(ctx, &organizations.LookupProjectArgs{ProjectId: &s.Account}, pulumi.Provider(p.provider))
	if err != nil {
		return fmt.Errorf("account is %q; want a project that Google Cloud shows to you: %w", s.Account, err)
	}
	p.project, p.billing = found.Number, s.Budget.BillingAccount
	if p.billing == "" {
		p.billing = found.BillingAccount
	}
	var problems settings.Problems
	problems.Want(found.Number != "", "account", s.Account, "a project that Google Cloud shows to you")
	problems.Want(!s.Budget.Enabled || p.billing != "", "budget.billingAccount", p.billing,
		"the billing account of %s, which does not show (gcloud billing accounts list); without any: gcloud billing projects link %s --billing-account ID; or budget.enabled false", s.Account, s.Account)
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// child are the options of a child in Google Cloud.
func (p *Platform) child(parent pulumi.Resource, own ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return component.Options(parent, append([]pulumi.ResourceOption{pulumi.Provider(p.provider), p.patient}, own...)...)
}

// name is the physical name of what is named in the project.
func (p *Platform) name(parts ...string) string { return p.fit(naming.GKE, parts...) }

func (p *Platform) fit(limit naming.Limit, parts ...string) string {
	return limit.Fit(append([]string{"mlflow", p.settings.Stack}, parts...)...)
}

// suffix makes names that were never used before: a key ring stays forever, a
// deleted database instance keeps its name for a week, and a bucket has one that
// nobody else in the cloud may have.
func (p *Platform) suffix(ctx *pulumi.Context, name string, parent pulumi.Resource) (pulumi.StringOutput, error) {
	end, err := random.NewRandomId(ctx, name+"-suffix", &random.RandomIdArgs{ByteLength: pulumi.Int(3)}, component.Options(parent, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("naming what must be unique: %w", err)
	}
	return end.Hex, nil
}

// unique is a name with that suffix.
func (p *Platform) unique(parts ...string) pulumi.StringOutput {
	return pulumi.Sprintf("%s-%s", p.name(parts...), p.made.suffix)
}

// labels are on everything that takes labels: the user's, and the platform's own,
// which win.
func (p *Platform) labels() pulumi.StringMap { return pulumi.ToStringMap(p.labelTexts()) }

func (p *Platform) labelTexts() map[string]string {
	all := map[string]string{}
	maps.Copy(all, p.settings.Tags)
	all["project"] = settings.Project
	all["stack"] = naming.Label.Fit(p.settings.Stack)
	return all
}

// disabled says whether an error is Google's word that an API is not enabled in the
// project.
func disabled(err error) bool {
	return strings.Contains(err.Error(), "SERVICE_DISABLED") || strings.Contains(err.Error(), "it is disabled")
}

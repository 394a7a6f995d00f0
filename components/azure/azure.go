// Package azure is the platform on Microsoft Azure: a virtual network, AKS, Azure
// Database for PostgreSQL, Blob Storage, workload identity, a budget and alerts.
package azure

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/pulumi/pulumi-azure-native-sdk/authorization/v3"
	azure "github.com/pulumi/pulumi-azure-native-sdk/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// tokens of the component resources.
const (
	networkToken  = "mlflow:azure:Network"
	keysToken     = "mlflow:azure:Keys"
	clusterToken  = "mlflow:azure:Cluster"
	databaseToken = "mlflow:azure:Database"
	bucketToken   = "mlflow:azure:Bucket"
	identityToken = "mlflow:azure:Identity"
	alertsToken   = "mlflow:azure:Alerts"
	secretsToken  = "mlflow:azure:Secrets"
	budgetToken   = "mlflow:azure:Budget"
)

// Platform implements platform.Platform.
type Platform struct {
	settings *settings.Settings
	provider *azure.Provider
	// tenant is the directory of the subscription.
	tenant string
	// made holds what later steps need of earlier ones.
	made made
}

var _ platform.Platform = (*Platform)(nil)

// Now is the time; tests replace it.
var Now = time.Now

// New makes the platform and its provider, which works in the subscription of the
// settings and in no other.
func New(ctx *pulumi.Context, s *settings.Settings) (platform.Platform, error) {
	provider, err := azure.NewProvider(ctx, "azure", &azure.ProviderArgs{
		SubscriptionId: pulumi.String(s.Account), Location: pulumi.String(s.Region),
	})
	if err != nil {
		return nil, fmt.Errorf("creating the Azure provider: %w", err)
	}
	client, err := authorization.GetClientConfig(ctx, pulumi.Provider(provider))
	if err != nil {
		return nil, fmt.Errorf("asking Azure who this is: %w", err)
	}
	return &Platform{settings: s, provider: provider, tenant: client.TenantId}, nil
}

// child are the options of a child in Azure.
func (p *Platform) child(parent pulumi.Resource, own ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return component.Options(parent, append([]pulumi.ResourceOption{pulumi.Provider(p.provider)}, own...)...)
}

// name is the physical name of what is named in the resource group.
func (p *Platform) name(parts ...string) pulumi.String {
	return pulumi.String(naming.AzureResource.Fit(append([]string{"mlflow", p.settings.Stack}, parts...)...))
}

var notPlain = regexp.MustCompile(`[^a-z0-9]`)

// global is a name that nobody else in Azure may have, of at most 24 letters and
// digits: what storage accounts and vaults take
// (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules).
// Its end is random, because a deleted vault keeps its name for 90 days.
func (p *Platform) global() pulumi.StringOutput {
	return pulumi.Sprintf("%s%s", plain(p.settings.Stack), p.made.suffix)
}

// plain is the stack's part of a global name, which leaves room for the suffix.
func plain(stack string) string {
	text := "mlflow" + notPlain.ReplaceAllString(strings.ToLower(stack), "")
	return text[:min(len(text), 24-2*suffixBytes)]
}

// tags are on everything that takes tags: the user's, and the platform's own,
// which win.
func (p *Platform) tags() pulumi.StringMap {
	all := map[string]string{}
	maps.Copy(all, p.settings.Tags)
	all["project"] = settings.Project
	all["stack"] = p.settings.Stack
	return pulumi.ToStringMap(all)
}

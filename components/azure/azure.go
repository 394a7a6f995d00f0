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
	"github.com/pulumi/pulumi-azure-native-sdk/containerservice/v3"
	azure "github.com/pulumi/pulumi-azure-native-sdk/v3"
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
	networkToken  = "mlflow:azure:Network"
	keysToken     = "mlflow:azure:Keys"
	clusterToken  = "mlflow:azure:Cluster"
	databaseToken = "mlflow:azure:Database"
	bucketToken   = "mlflow:azure:Bucket"
	identityToken = "mlflow:azure:Identity"
	alertsToken   = "mlflow:azure:Alerts"
	secretsToken  = "mlflow:azure:Secrets"
	budgetToken   = "mlflow:azure:Budget"
	volumesToken  = "mlflow:azure:Volumes"
)

// Platform implements platform.Platform.
type Platform struct {
	settings *settings.Settings
	provider *azure.Provider
	// tenant is the directory of the subscription.
	tenant string
	// cluster is the one that is there, nil before the first update.
	cluster *containerservice.LookupManagedClusterResult
	// made holds what later steps need of earlier ones.
	made made
}

var _ platform.Platform = (*Platform)(nil)

// Now is the time and Sleep lets it pass; tests replace them.
var (
	Now   = time.Now
	Sleep = time.Sleep
)

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
	p := &Platform{settings: s, provider: provider, tenant: client.TenantId}
	if s.Network.Existing() {
		if err := p.lookUpNetwork(ctx); err != nil {
			return nil, err
		}
	}
	return p, p.lookUpCluster(ctx)
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
func (p *Platform) global(suffix pulumi.StringOutput) pulumi.StringOutput {
	return pulumi.Sprintf("%s%s", plain(p.settings.Stack), suffix)
}

// suffix is such an end.
func (p *Platform) suffix(ctx *pulumi.Context, name string, parent pulumi.Resource) (pulumi.StringOutput, error) {
	end, err := random.NewRandomId(ctx, name+"-suffix", &random.RandomIdArgs{ByteLength: pulumi.Int(suffixBytes)}, component.Options(parent, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("naming what must be unique: %w", err)
	}
	return end.Hex, nil
}

// plain is the stack's part of a global name, which leaves room for the suffix.
func plain(stack string) string {
	text := "mlflow" + notPlain.ReplaceAllString(strings.ToLower(stack), "")
	return text[:min(len(text), 24-2*suffixBytes)]
}

// absent says whether an error is Azure's word that something is not there: services
// have codes of their own for that.
func absent(err error) bool {
	return strings.Contains(err.Error(), "Status=404") || strings.Contains(err.Error(), "RESPONSE 404")
}

// lock keeps anybody from deleting what Azure does not protect by itself. It is made
// last and goes first: what it covers, everything below scope, stays as well.
func (p *Platform) lock(ctx *pulumi.Context, parent pulumi.Resource, name, part string, scope pulumi.StringInput, covered []pulumi.Resource) error {
	if !p.settings.Protect {
		return nil
	}
	if _, err := authorization.NewManagementLockByScope(ctx, name+"-lock", &authorization.ManagementLockByScopeArgs{
		Scope: scope, Level: pulumi.String("CanNotDelete"), LockName: p.name(part), Notes: pulumi.String("mlflow-platform: protect is true"),
	}, p.child(parent, pulumi.DependsOn(covered))...); err != nil {
		return fmt.Errorf("locking the %s: %w", part, err)
	}
	return nil
}

// tags are on everything that takes tags: the user's, and the platform's own,
// which win.
func (p *Platform) tags() pulumi.StringMap { return pulumi.ToStringMap(p.tagTexts()) }

func (p *Platform) tagTexts() map[string]string {
	all := map[string]string{}
	maps.Copy(all, p.settings.Tags)
	all["project"] = settings.Project
	all["stack"] = p.settings.Stack
	return all
}

// Command pulumi-resource-gcp is Google's Terraform provider behind Pulumi's
// Terraform bridge, with the resources and functions that stacks on Google Cloud
// use: what the stacks are checked with. It is not the plugin that `pulumi up`
// uses, which is published by Pulumi and cannot be built from modules.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/terraform-provider-google/google/fwprovider"
	"github.com/hashicorp/terraform-provider-google/google/provider"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/schema"
	sdk "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	"github.com/pulumi/pulumi-terraform-bridge/v3/unstable/metadata"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// version is the release that the commit in go.mod carries.
const version = "5.45.0"

// resources are the names of the published provider, module/Type. That one is made of
// the beta provider, which no module proxy has, and projects/ServiceIdentity is in
// the beta alone.
var resources = map[string]string{
	"google_billing_budget":                   "billing/Budget",
	"google_compute_address":                  "compute/Address",
	"google_compute_firewall":                 "compute/Firewall",
	"google_compute_global_address":           "compute/GlobalAddress",
	"google_compute_network":                  "compute/Network",
	"google_compute_route":                    "compute/Route",
	"google_compute_router":                   "compute/Router",
	"google_compute_router_nat":               "compute/RouterNat",
	"google_compute_subnetwork":               "compute/Subnetwork",
	"google_container_cluster":                "container/Cluster",
	"google_container_node_pool":              "container/NodePool",
	"google_dns_managed_zone":                 "dns/ManagedZone",
	"google_dns_record_set":                   "dns/RecordSet",
	"google_kms_crypto_key":                   "kms/CryptoKey",
	"google_kms_crypto_key_iam_member":        "kms/CryptoKeyIAMMember",
	"google_kms_key_ring":                     "kms/KeyRing",
	"google_logging_project_bucket_config":    "logging/ProjectBucketConfig",
	"google_logging_project_exclusion":        "logging/ProjectExclusion",
	"google_monitoring_alert_policy":          "monitoring/AlertPolicy",
	"google_monitoring_notification_channel":  "monitoring/NotificationChannel",
	"google_project_iam_audit_config":         "projects/IAMAuditConfig",
	"google_project_iam_member":               "projects/IAMMember",
	"google_project_service":                  "projects/Service",
	"google_pubsub_topic":                     "pubsub/Topic",
	"google_pubsub_topic_iam_member":          "pubsub/TopicIAMMember",
	"google_secret_manager_secret":            "secretmanager/Secret",
	"google_secret_manager_secret_iam_member": "secretmanager/SecretIamMember",
	"google_secret_manager_secret_version":    "secretmanager/SecretVersion",
	"google_service_account":                  "serviceaccount/Account",
	"google_service_account_iam_member":       "serviceaccount/IAMMember",
	"google_service_networking_connection":    "servicenetworking/Connection",
	"google_sql_database":                     "sql/Database",
	"google_sql_database_instance":            "sql/DatabaseInstance",
	"google_sql_user":                         "sql/User",
	"google_storage_bucket":                   "storage/Bucket",
	"google_storage_bucket_iam_binding":       "storage/BucketIAMBinding",
	"google_storage_bucket_iam_member":        "storage/BucketIAMMember",
}

// functions are those of the published provider.
var functions = map[string]string{
	"google_billing_account":                 "organizations/getBillingAccount",
	"google_client_config":                   "organizations/getClientConfig",
	"google_compute_address":                 "compute/getAddress",
	"google_compute_global_address":          "compute/getGlobalAddress",
	"google_compute_machine_types":           "compute/getMachineTypes",
	"google_compute_network":                 "compute/getNetwork",
	"google_compute_network_peering":         "compute/getNetworkPeering",
	"google_compute_regions":                 "compute/getRegions",
	"google_compute_router":                  "compute/getRouter",
	"google_compute_router_nat":              "compute/getRouterNat",
	"google_compute_subnetwork":              "compute/getSubnetwork",
	"google_compute_subnetworks":             "compute/getSubnetworks",
	"google_compute_zones":                   "compute/getZones",
	"google_container_cluster":               "container/getCluster",
	"google_container_engine_versions":       "container/getEngineVersions",
	"google_dns_managed_zone":                "dns/getManagedZone",
	"google_kms_crypto_key":                  "kms/getKMSCryptoKey",
	"google_kms_key_ring":                    "kms/getKMSKeyRing",
	"google_monitoring_notification_channel": "monitoring/getNotificationChannel",
	"google_project":                         "organizations/getProject",
	"google_project_service":                 "projects/getProjectService",
	"google_pubsub_topic":                    "pubsub/getTopic",
	"google_secret_manager_secret":           "secretmanager/getSecret",
	"google_secret_manager_secret_version":   "secretmanager/getSecretVersion",
	"google_service_account":                 "serviceaccount/getAccount",
	"google_sql_ca_certs":                    "sql/getCaCerts",
	"google_sql_database_instance":           "sql/getDatabaseInstance",
	"google_sql_tiers":                       "sql/getTiers",
	"google_storage_bucket":                  "storage/getBucket",
	"google_storage_project_service_account": "storage/getProjectServiceAccount",
}

// lowercase are resources whose names the published provider makes of Pulumi's in
// lower case.
var lowercase = []string{"google_compute_network", "google_compute_router", "google_compute_router_nat", "google_compute_subnetwork"}

func main() {
	ctx := context.Background()
	http.DefaultTransport.(*http.Transport).Proxy = refuse
	info, err := bridge(ctx)
	if err != nil {
		log.Fatal(err)
	}
	pf.MainWithMuxer(ctx, info.Name, info, fmt.Appendf(nil, `{"name":%q,"version":%q}`, info.Name, version))
}

// refuse keeps the provider from asking Google, while it is configured, whose token
// it has. It wants that for its log, and where there is no network it asks again and
// again for minutes; this error it takes for an answer.
func refuse(r *http.Request) (*url.URL, error) {
	if r.URL.Host == "openidconnect.googleapis.com" {
		return nil, errors.New("not asked whose token it is")
	}
	return http.ProxyFromEnvironment(r)
}

// bridge gives the provider the published names.
func bridge(ctx context.Context) (tfbridge.ProviderInfo, error) {
	info := tfbridge.ProviderInfo{
		P:    pf.MuxShimWithPF(ctx, sdk.NewProvider(provider.Provider()), fwprovider.New(version)),
		Name: "gcp", ResourcePrefix: "google", Version: version, MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*tfbridge.ResourceInfo{}, DataSources: map[string]*tfbridge.DataSourceInfo{},
		// Of the published provider's own. This one never asks for the regions.
		ExtraConfig: map[string]*tfbridge.ConfigInfo{
			"skipRegionValidation": {Schema: (&schema.Schema{Type: shim.TypeBool, Optional: true}).Shim()},
		},
	}
	for name, published := range resources {
		module, typ, _ := strings.Cut(published, "/")
		resource, ok := info.P.ResourcesMap().GetOk(name)
		if !ok {
			return info, fmt.Errorf("the provider has no resource %s", name)
		}
		info.Resources[name] = &tfbridge.ResourceInfo{
			Tok:    tokens.Type("gcp:" + module + "/" + strings.ToLower(typ[:1]) + typ[1:] + ":" + typ),
			Fields: fields(resource),
		}
	}
	for name, published := range functions {
		_, function, _ := strings.Cut(published, "/")
		source, ok := info.P.DataSourcesMap().GetOk(name)
		if !ok {
			return info, fmt.Errorf("the provider has no function %s", name)
		}
		info.DataSources[name] = &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember("gcp:" + published + ":" + function), Fields: fields(source)}
	}
	special(info.Resources)
	info.SetAutonaming(255, "-")
	// The published provider computes which half has a resource when it is
	// generated, and carries the result as data.
	muxed, ok := info.P.(interface {
		ResolveDispatch(*tfbridge.ProviderInfo) (muxer.DispatchTable, error)
	})
	if !ok {
		return info, errors.New("the bridge has no longer two halves")
	}
	table, err := muxed.ResolveDispatch(&info)
	if err != nil {
		return info, err
	}
	return info, metadata.Set(info.GetMetadata(), "mux", table)
}

// fields are the properties of a resource that the published provider gives other
// names or types wherever they are.
func fields(resource shim.Resource) map[string]*tfbridge.SchemaInfo {
	changed := map[string]*tfbridge.SchemaInfo{}
	for property, info := range map[string]tfbridge.SchemaInfo{
		"terraform_labels": {Name: "pulumiLabels", Secret: tfbridge.True()},
		"effective_labels": {Secret: tfbridge.True()},
		// 64 bits, of which a number keeps 53.
		"managed_zone_id": {Type: "string"},
	} {
		if _, ok := resource.Schema().GetOk(property); ok {
			changed[property] = &info
		}
	}
	return changed
}

// special is what the published provider does for single resources.
func special(all map[string]*tfbridge.ResourceInfo) {
	for _, name := range lowercase {
		all[name].Fields["name"] = tfbridge.AutoNameWithCustomOptions("name", tfbridge.AutoNameOptions{
			Separator: "-", Maxlen: 63, Randlen: 7, Transform: strings.ToLower,
		})
	}
	all["google_storage_bucket"].Fields["name"] = tfbridge.AutoName("name", 222, "-")
	all["google_dns_managed_zone"].Fields["description"] = &tfbridge.SchemaInfo{Default: tfbridge.ManagedByPulumi}
	// A record's name is a domain name.
	all["google_dns_record_set"].Fields["name"] = &tfbridge.SchemaInfo{Name: "name"}
	all["google_secret_manager_secret"].DeleteBeforeReplace = true
	// A list in 5.42, which the SDK is made of, and at most one since.
	all["google_container_cluster"].Fields["monitoring_config"] = &tfbridge.SchemaInfo{Elem: &tfbridge.SchemaInfo{
		Fields: map[string]*tfbridge.SchemaInfo{"advanced_datapath_observability_config": {MaxItemsOne: tfbridge.False()}},
	}}
}

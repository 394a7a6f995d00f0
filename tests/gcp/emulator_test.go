//go:build verify

package gcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// front stands before Google's provider: it passes on everything but what is about types
// that the provider lacks, which the fake of the engine's tests answers.
type front struct {
	// usual is the stack's provider, and paying the budget's, which is configured
	// otherwise: of one that runs already the engine takes one process for both.
	usual, paying *grpc.ClientConn
}

// serve starts the provider and its front, and returns the port.
func serve(t *testing.T, g *google) string {
	t.Helper()
	f := &front{plugin(t, g), plugin(t, g)}
	server := grpc.NewServer(grpc.UnaryInterceptor(f.pass))
	rpc.RegisterResourceProviderServer(server, &provider.Fake{Cloud: cloud{}})
	rpc.RegisterEngineServer(server, &journal{t: t})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		// Serve ends with the listener; there is nobody to tell.
		_ = server.Serve(listener)
	}()
	t.Cleanup(server.Stop)
	address := listener.Addr().String()
	for _, conn := range []*grpc.ClientConn{f.usual, f.paying} {
		_, err := rpc.NewResourceProviderClient(conn).Attach(t.Context(), &rpc.PluginAttach{Address: address})
		require.NoError(t, err)
	}
	return address[strings.LastIndex(address, ":")+1:]
}

func plugin(t *testing.T, g *google) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("127.0.0.1:"+plug(t, g.env...), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	return conn
}

// journal is the engine to which the provider logs: it runs on between two updates.
type journal struct {
	rpc.UnimplementedEngineServer
	t *testing.T
}

// Log implements the engine.
func (j *journal) Log(_ context.Context, r *rpc.LogRequest) (*emptypb.Empty, error) {
	if r.GetSeverity() >= rpc.LogSeverity_WARNING {
		j.t.Logf("%s: %s %s", r.GetSeverity(), r.GetUrn(), r.GetMessage())
	}
	return &emptypb.Empty{}, nil
}

// pass answers a call.
func (f *front) pass(ctx context.Context, request any, info *grpc.UnaryServerInfo, own grpc.UnaryHandler) (any, error) {
	var urn string
	if about, ok := request.(interface{ GetUrn() string }); ok {
		urn = about.GetUrn()
	}
	name := info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]
	method := rpc.File_pulumi_provider_proto.Services().ByName("ResourceProvider").Methods().ByName(protoreflect.Name(name))
	message, ok := request.(proto.Message)
	lacks := slices.ContainsFunc(beta, func(token string) bool { return strings.Contains(urn, token+"::") })
	// The plugins stay attached to the journal.
	if method == nil || !ok || lacks || name == "Attach" {
		return own(ctx, request)
	}
	typ, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	if err != nil {
		return nil, err
	}
	to := f.usual
	if strings.HasSuffix(urn, "::budget-provider") || strings.Contains(urn, "gcp:billing/budget:Budget::") {
		to = f.paying
	}
	answer := typ.New().Interface()
	return answer, to.Invoke(ctx, info.FullMethod, message, answer)
}

// applied is a stack that the real engine made with Google's own provider.
func applied(t *testing.T, file string) (*provider.Live, *google) {
	t.Helper()
	r := run(t, file)
	g := newGoogle(t, r.Config[settings.Project+":account"], r.Config[settings.Project+":region"])
	if file == existingNetwork {
		g.corporate()
	}
	l := provider.NewLive(t, r, newProgram, fixed, "gcp:"+serve(t, g))
	l.Update(t)
	return l, g
}

// corporate makes the network that a stack runs in which does not make one.
func (g *google) corporate() {
	const apis = "compute.googleapis.com/compute/v1/projects/"
	there := newCorporate()
	for path, one := range map[string]object{
		"/global/networks/corporate": there.network, "/regions/" + g.region + "/subnetworks/mlflow": there.subnet, "/global/addresses/google-services": there.addresses,
	} {
		delete(one, "id")
		g.made[apis+g.project+path] = one
	}
	there.network["peerings"] = []any{there.peering}
	g.made["servicenetworking.googleapis.com/v1/services/servicenetworking.googleapis.com/connections/1"] = object{"network": "projects/" + projectNumber + "/global/networks/corporate"}
}

// strangers are requests that change what is the network owner's.
func strangers(requests []call) []string {
	var bad []string
	for _, r := range requests {
		_, collection := cut(r.path)
		if r.method != http.MethodGet && slices.Contains([]string{"networks", "subnetworks", "routers", "addresses", "connections", "managedZones"}, collection) {
			bad = append(bad, r.path)
		}
	}
	return bad
}

// echo is an output that Google's provider shows with every other change of a cluster,
// and for which it asks GKE nothing: an empty map that it reads as none.
const echo = "nodePoolAutoConfig"

// planned is what an update would do, by the provider's own comparison with the
// state: operation, name and what differs.
func planned(t *testing.T, l *provider.Live) []string {
	t.Helper()
	stream := make(chan events.EngineEvent)
	var all []string
	var reading sync.WaitGroup
	reading.Go(func() {
		for event := range stream {
			if pre := event.ResourcePreEvent; pre != nil && pre.Metadata.Op != apitype.OpSame {
				differs := slices.DeleteFunc(slices.Sorted(slices.Values(pre.Metadata.Diffs)), func(key string) bool { return key == echo })
				all = append(all, strings.Join(append([]string{string(pre.Metadata.Op), resource.URN(pre.Metadata.URN).Name()}, differs...), " "))
			}
		}
	})
	_, err := l.Preview(t.Context(), optpreview.EventStreams(stream), optpreview.SuppressProgress())
	reading.Wait()
	require.NoError(t, err)
	slices.Sort(all)
	return all
}

// refresh reads again what Google's provider made, and says how much that is.
func refresh(t *testing.T, l *provider.Live) int {
	t.Helper()
	exported, err := l.Export(t.Context())
	require.NoError(t, err)
	var deployment apitype.DeploymentV3
	require.NoError(t, json.Unmarshal(exported.Deployment, &deployment))
	var targets []string
	for _, one := range deployment.Resources {
		if token := string(one.Type); one.Custom && strings.HasPrefix(token, "gcp:") && !slices.Contains(beta, token) {
			targets = append(targets, string(one.URN))
		}
	}
	_, err = l.Refresh(t.Context(), optrefresh.Target(targets), optrefresh.SuppressProgress())
	require.NoError(t, err)
	return len(targets)
}

// TestTheProviderAppliesIt applies every stack with Google's own provider to the fake
// of Google's APIs, on the real engine. Nothing is left to do then, by what the provider
// was told and by what it reads.
func TestTheProviderAppliesIt(t *testing.T) {
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			l, g := applied(t, file)
			requests := g.take()
			foreign := strangers(requests)
			assert.Equal(t, file == existingNetwork, len(foreign) == 0, foreign)
			assert.Empty(t, planned(t, l), "a second time")
			t.Logf("%d resources, %d requests", refresh(t, l), len(requests))
			assert.Empty(t, planned(t, l), "after a look at what is there")
			switch file {
			case dev:
				change(t, l, []changed{{"database", `{"highAvailability": true}`, []string{"update database-instance settings"}}})
			case prod:
				compare(t, requests, wishes)
				// The budget's quota is the project's; nobody else names one.
				for _, r := range requests {
					assert.Equal(t, strings.HasPrefix(r.path, "billingbudgets."), r.payer == "ml-platform-prod", "%s %s", r.method, r.path)
				}
				assert.Equal(t, allowed, g.policies())
				change(t, l, changes)
				grow(t, l, g)
				drift(t, l, g)
				update(t, l, g)
				destroy(t, l, g)
			}
		})
	}
}

// wish is a request that Google must get: a path that ends so, and a body that has this
// in it, lists as a whole.
type wish struct{ method, path, body string }

// wishes are what decides over safety and cost, in Google's own words.
var wishes = []wish{
	{"POST", "/europe-west3/clusters", `{"cluster": {
		"privateClusterConfig": {"enablePrivateNodes": true, "masterIpv4CidrBlock": "10.40.65.0/28"},
		"masterAuthorizedNetworksConfig": {"enabled": true, "gcpPublicCidrsAccessEnabled": false, "cidrBlocks": [{"cidrBlock": "198.51.100.0/24"}]},
		"networkConfig": {"datapathProvider": "ADVANCED_DATAPATH", "enableL4ilbSubsetting": true, "serviceExternalIpsConfig": {"enabled": false}},
		"databaseEncryption": {"state": "ENCRYPTED", "keyName": "projects/ml-platform-prod/locations/europe-west3/keyRings/mlflow-gcp-prod-0a1b2c/cryptoKeys/cluster"},
		"workloadIdentityConfig": {"workloadPool": "ml-platform-prod.svc.id.goog"}, "shieldedNodes": {"enabled": true}, "legacyAbac": {"enabled": false},
		"nodeConfig": {
			"serviceAccount": "mlflow-gcp-prod-nodes@ml-platform-prod.iam.gserviceaccount.com", "workloadMetadataConfig": {"mode": "GKE_METADATA"},
			"shieldedInstanceConfig": {"enableSecureBoot": true, "enableIntegrityMonitoring": true}
		},
		"releaseChannel": {"channel": "REGULAR"}, "securityPostureConfig": {"mode": "BASIC", "vulnerabilityMode": "VULNERABILITY_DISABLED"},
		"loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}}, "monitoringConfig": {"managedPrometheusConfig": {}},
		"locations": ["europe-west3-a", "europe-west3-b", "europe-west3-c"], "costManagementConfig": {"enabled": true}
	}}`},
	{"DELETE", "/clusters/mlflow-gcp-prod/nodePools/default-pool", `null`},
	{"POST", "/clusters/mlflow-gcp-prod/nodePools", `{"nodePool": {
		"autoscaling": {"enabled": true, "totalMinNodeCount": 3, "totalMaxNodeCount": 9}, "management": {"autoRepair": true, "autoUpgrade": true},
		"upgradeSettings": {"strategy": "SURGE", "maxSurge": 1}, "networkConfig": {"enablePrivateNodes": true},
		"config": {
			"machineType": "n2-standard-4", "diskSizeGb": 100, "imageType": "COS_CONTAINERD", "metadata": {"disable-legacy-endpoints": "true"},
			"bootDiskKmsKey": "projects/ml-platform-prod/locations/europe-west3/keyRings/mlflow-gcp-prod-0a1b2c/cryptoKeys/disks",
			"serviceAccount": "mlflow-gcp-prod-nodes@ml-platform-prod.iam.gserviceaccount.com", "workloadMetadataConfig": {"mode": "GKE_METADATA"},
			"shieldedInstanceConfig": {"enableSecureBoot": true, "enableIntegrityMonitoring": true}
		}
	}}`},
	{"POST", "/projects/ml-platform-prod/instances", `{
		"diskEncryptionConfiguration": {"kmsKeyName": "projects/ml-platform-prod/locations/europe-west3/keyRings/mlflow-gcp-prod-0a1b2c/cryptoKeys/database"},
		"databaseVersion": "POSTGRES_17", "region": "europe-west3",
		"settings": {
			"edition": "ENTERPRISE", "availabilityType": "REGIONAL", "tier": "db-custom-4-16384", "deletionProtectionEnabled": true,
			"dataDiskSizeGb": "500", "storageAutoResize": true, "storageAutoResizeLimit": "2000",
			"ipConfiguration": {"ipv4Enabled": false, "privateNetwork": "projects/ml-platform-prod/global/networks/mlflow-gcp-prod", "sslMode": "ENCRYPTED_ONLY"},
			"backupConfiguration": {
				"enabled": true, "pointInTimeRecoveryEnabled": true, "transactionLogRetentionDays": 7,
				"backupRetentionSettings": {"retainedBackups": 35, "retentionUnit": "COUNT"}
			},
			"databaseFlags": [
				{"name": "max_connections", "value": "400"}, {"name": "log_min_duration_statement", "value": "1000"}, {"name": "log_lock_waits", "value": "on"},
				{"name": "log_checkpoints", "value": "on"}
			],
			"maintenanceWindow": {"day": 7, "hour": 4, "updateTrack": "stable"}, "insightsConfig": {"queryInsightsEnabled": true}
		}
	}`},
	{"POST", "/storage/v1/b", `{
		"name": "mlflow-gcp-prod-artifacts-0a1b2c", "location": "EUROPE-WEST3",
		"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}, "publicAccessPrevention": "enforced"},
		"encryption": {"defaultKmsKeyName": "projects/ml-platform-prod/locations/europe-west3/keyRings/mlflow-gcp-prod-0a1b2c/cryptoKeys/bucket"},
		"versioning": {"enabled": true}, "softDeletePolicy": {"retentionDurationSeconds": "604800"}, "logging": {"logBucket": "mlflow-gcp-prod-logs-0a1b2c"},
		"lifecycle": {"rule": [
			{"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}},
			{"action": {"type": "Delete"}, "condition": {"isLive": false, "daysSinceNoncurrentTime": 30, "age": 0}}
		]},
		"autoclass": {"enabled": true, "terminalStorageClass": "NEARLINE"}
	}`},
	{"POST", "/storage/v1/b", `{
		"name": "mlflow-gcp-prod-backups-0a1b2c",
		"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}, "publicAccessPrevention": "enforced"},
		"encryption": {"defaultKmsKeyName": "projects/ml-platform-prod/locations/europe-west3/keyRings/mlflow-gcp-prod-0a1b2c/cryptoKeys/bucket"},
		"versioning": {"enabled": true}, "softDeletePolicy": {"retentionDurationSeconds": "604800"}, "logging": {"logBucket": "mlflow-gcp-prod-logs-0a1b2c"}
	}`},
	{"POST", "/storage/v1/b", `{
		"name": "mlflow-gcp-prod-logs-0a1b2c", "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}, "publicAccessPrevention": "enforced"},
		"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 90}}]}
	}`},
	{"POST", "/mlflow-gcp-prod-0a1b2c/cryptoKeys", `{"purpose": "ENCRYPT_DECRYPT", "rotationPeriod": "31536000s", "destroyScheduledDuration": "2592000s"}`},
	{"POST", "/secrets", `{"replication": {"userManaged": {"replicas": [{
		"location": "europe-west3",
		"customerManagedEncryption": {"kmsKeyName": "projects/ml-platform-prod/locations/europe-west3/keyRings/mlflow-gcp-prod-0a1b2c/cryptoKeys/secrets"}
	}]}}}`},
	{"POST", "/regions/europe-west3/subnetworks", `{"privateIpGoogleAccess": true, "logConfig": {"enable": true, "flowSampling": 0.1}}`},
	{"PATCH", "/routers/mlflow-gcp-prod", `{"nats": [{"natIpAllocateOption": "MANUAL_ONLY", "logConfig": {"enable": true, "filter": "ERRORS_ONLY"}}]}`},
	{"POST", "/global/firewalls", `{"direction": "INGRESS", "sourceRanges": ["10.40.65.0/28"], "targetTags": ["mlflow-gcp-prod-nodes"], "allowed": [{"ports": ["9443"]}]}`},
	{"POST", "/managedZones", `{"visibility": "private", "dnsName": "googleapis.com."}`},
	{"POST", "/changes", `{"additions": [{"type": "A", "rrdatas": ["199.36.153.8", "199.36.153.9", "199.36.153.10", "199.36.153.11"]}]}`},
	{"POST", "/connections", `{"network": "projects/123456789012/global/networks/mlflow-gcp-prod", "reservedPeeringRanges": ["mlflow-gcp-prod-database"]}`},
	{"PUT", "/topics/mlflow-gcp-prod-budget", `{"messageStoragePolicy": {"allowedPersistenceRegions": ["europe-west3"]}}`},
	{"POST", "/billingAccounts/0A1B2C-3D4E5F-001122/budgets", `{
		"amount": {"specifiedAmount": {"units": "2000"}}, "budgetFilter": {"projects": ["projects/123456789012"], "creditTypesTreatment": "INCLUDE_ALL_CREDITS"},
		"thresholdRules": [
			{"thresholdPercent": 0.5, "spendBasis": "CURRENT_SPEND"}, {"thresholdPercent": 0.8, "spendBasis": "CURRENT_SPEND"},
			{"thresholdPercent": 1, "spendBasis": "CURRENT_SPEND"}, {"thresholdPercent": 1, "spendBasis": "FORECASTED_SPEND"}
		],
		"notificationsRule": {"pubsubTopic": "projects/ml-platform-prod/topics/mlflow-gcp-prod-budget"}
	}`},
	{"POST", "/notificationChannels", `{"type": "email", "enabled": true, "labels": {"email_address": "platform@example.com"}}`},
	{"POST", "/notificationChannels", `{"type": "email", "enabled": true, "labels": {"email_address": "finance@example.com"}}`},
	{"POST", "/alertPolicies", `{"displayName": "mlflow-gcp-prod-database-connections", "enabled": true, "conditions": [{"conditionThreshold": {"comparison": "COMPARISON_GT", "thresholdValue": 320}}]}`},
	{"POST", "/alertPolicies", `{"displayName": "mlflow-gcp-prod-bucket-growth", "enabled": true, "conditions": [{"conditionThreshold": {"comparison": "COMPARISON_GT", "thresholdValue": 2147483648000}}]}`},
	{"POST", "/projects/ml-platform-prod:setIamPolicy", `{"policy": {"auditConfigs": [
		{"service": "secretmanager.googleapis.com", "auditLogConfigs": [{"logType": "ADMIN_READ"}, {"logType": "DATA_READ"}]}
	]}}`},
}

// missing are the wanted requests that nobody made.
func missing(t *testing.T, requests []call, wanted []wish) []string {
	t.Helper()
	var bad []string
	for _, w := range wanted {
		want := decode(t, w.body)
		if !slices.ContainsFunc(requests, func(r call) bool {
			return r.method == w.method && strings.HasSuffix(r.path, w.path) && contains(r.body, want)
		}) {
			bad = append(bad, fmt.Sprintf("%s %s with %s", w.method, w.path, w.body))
		}
	}
	return bad
}

// contains says whether a value has another one in it: objects may have more, and lists
// another order.
func contains(got, want any) bool {
	switch want := want.(type) {
	case object:
		in, ok := got.(object)
		for key, value := range want {
			ok = ok && contains(in[key], value)
		}
		return ok
	case []any:
		in, ok := got.([]any)
		ok = ok && len(in) == len(want)
		for _, value := range want {
			ok = ok && slices.ContainsFunc(in, func(one any) bool { return contains(one, value) })
		}
		return ok
	}
	return got == want
}

// broken are the values that differ from one in a single place.
func broken(value any) []any {
	var all []any
	switch value := value.(type) {
	case object:
		for key, one := range value {
			for _, other := range broken(one) {
				twin := maps.Clone(value)
				twin[key] = other
				all = append(all, twin)
			}
		}
	case []any:
		for i, one := range value {
			for _, other := range broken(one) {
				twin := slices.Clone(value)
				twin[i] = other
				all = append(all, twin)
			}
		}
		all = append(all, append(slices.Clone(value), "more"))
	default:
		all = append(all, "other")
	}
	return all
}

// compare looks for requests.
func compare(t *testing.T, made []call, wanted []wish) {
	t.Helper()
	assert.Empty(t, missing(t, made, wanted))
	// The twins: what is wanted otherwise in a single place nobody asked for.
	for _, w := range wanted {
		for _, twin := range broken(decode(t, w.body)) {
			body, err := json.Marshal(twin)
			require.NoError(t, err)
			assert.NotEmpty(t, missing(t, made, []wish{{w.method, w.path, string(body)}}), "%s %s with %s", w.method, w.path, body)
		}
	}
}

// allowed is everybody who may do something. Owners of the project keep in every bucket
// what Google gives them; its editors and viewers do not.
var allowed = []string{
	"bucket roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com",
	"cluster roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@container-engine-robot.iam.gserviceaccount.com",
	"database roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gcp-sa-cloud-sql.iam.gserviceaccount.com",
	"disks roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com",
	"ml-platform-prod roles/container.admin group:ml-platform@example.com serviceAccount:pipeline@ml-platform-prod.iam.gserviceaccount.com",
	"ml-platform-prod roles/container.defaultNodeServiceAccount serviceAccount:mlflow-gcp-prod-nodes@ml-platform-prod.iam.gserviceaccount.com",
	"ml-platform-prod roles/container.viewer user:ana@example.com",
	"ml-platform-prod roles/owner user:owner@example.com",
	"mlflow-gcp-prod-artifacts-0a1b2c roles/storage.legacyBucketOwner projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-artifacts-0a1b2c roles/storage.legacyBucketReader projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-artifacts-0a1b2c roles/storage.legacyObjectOwner projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-artifacts-0a1b2c roles/storage.legacyObjectReader projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-artifacts-0a1b2c roles/storage.objectUser " + subject + "mlflow",
	"mlflow-gcp-prod-backups-0a1b2c roles/storage.legacyBucketOwner projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-backups-0a1b2c roles/storage.legacyBucketReader projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-backups-0a1b2c roles/storage.legacyObjectOwner projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-backups-0a1b2c roles/storage.legacyObjectReader projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-backups-0a1b2c roles/storage.objectUser " + subject + "database-backup",
	"mlflow-gcp-prod-logs-0a1b2c roles/storage.legacyBucketOwner projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-logs-0a1b2c roles/storage.legacyBucketReader projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-logs-0a1b2c roles/storage.legacyObjectOwner projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-logs-0a1b2c roles/storage.legacyObjectReader projectOwner:ml-platform-prod",
	"mlflow-gcp-prod-logs-0a1b2c roles/storage.objectCreator group:cloud-storage-analytics@google.com",
	"secrets roles/cloudkms.cryptoKeyEncrypterDecrypter serviceAccount:service-123456789012@gcp-sa-secretmanager.iam.gserviceaccount.com",
}

// subject is a ServiceAccount of the namespace.
const subject = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/ml-platform-prod.svc.id.goog/subject/ns/mlflow/sa/"

// policies are who may do what in the end, everywhere in the project: the lines are what
// it is about, role and members.
func (g *google) policies() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for path, one := range g.made {
		about, name := cut(path)
		if name != "iam" {
			continue
		}
		_, about = cut(about)
		for _, binding := range listed(one["bindings"]) {
			var who []string
			for _, member := range listed(binding.(object)["members"]) {
				who = append(who, member.(string))
			}
			slices.Sort(who)
			all = append(all, fmt.Sprintf("%s %s %s", about, binding.(object)["role"], strings.Join(who, " ")))
		}
	}
	slices.Sort(all)
	return all
}

// changed is a setting, a part of it in JSON, and what an update would do.
type changed struct {
	key, value string
	want       []string
}

// changes are all in place but for two: a load balancer inside is another one, and a
// version of a secret never changes.
var changes = []changed{
	{"database", `{"instanceType": "db-custom-8-32768"}`, []string{"update database-instance settings"}},
	{"database", `{"storageGiB": 600}`, []string{
		"update backup-list spec", "update backup-restore spec", "update backup-schedule spec", "update database-instance settings",
	}},
	{"database", `{"maxStorageGiB": 3000}`, []string{"update database-alert-storage conditions", "update database-instance settings"}},
	{"database", `{"maxConnections": 500}`, []string{"update database-alert-connections conditions", "update database-instance settings"}},
	{"database", `{"iamAuthentication": true}`, []string{"update database-instance settings"}},
	{"database", `{"backup": {"retentionDays": 14}}`, []string{"update backup-schedule spec", "update database-instance settings"}},
	{"database", `{"passwordVersion": 2}`, []string{
		"create database-admin-password-alternate", "create database-role-password-alternate",
		"create-replacement database-role-setup metadata spec", "create-replacement secrets-database-admin-version secretData", "create-replacement secrets-database-version secretData",
		"delete-replaced database-role-setup", "delete-replaced secrets-database-admin-version", "delete-replaced secrets-database-version",
		"replace database-role-setup metadata spec", "replace secrets-database-admin-version secretData", "replace secrets-database-version secretData",
		"update database-admin password", "update database-role-secret stringData", "update mlflow-database stringData", "update mlflow-server spec",
	}},
	{"artifacts", `{"noncurrentDays": 60}`, []string{"update bucket-artifacts-bucket lifecycleRules", "update bucket-backups-bucket lifecycleRules"}},
	{"artifacts", `{"transitionClass": "NEARLINE"}`, []string{"update bucket-artifacts-bucket autoclass lifecycleRules"}},
	{"network", `{"flowLogs": false}`, []string{"update network-subnet logConfig"}},
	{"cluster", `{"apiAccessCIDRs": ["203.0.113.0/24"]}`, []string{"update cluster-gke masterAuthorizedNetworksConfig"}},
	{"cluster", `{"apiAccessCIDRs": [], "privateAccessCIDRs": ["10.0.0.0/8"]}`, []string{"update cluster-gke masterAuthorizedNetworksConfig privateClusterConfig"}},
	{"cluster", `{"version": "1.36"}`, []string{"update cluster-gke minMasterVersion"}},
	{"cluster", `{"nodes": {"max": 12}}`, []string{"update cluster-nodes-pool autoscaling"}},
	{"cluster", `{"nodes": {"type": "n2d-standard-4"}}`, []string{"update cluster-nodes-pool nodeConfig"}},
	{"cluster", `{"nodes": {"diskGiB": 200}}`, []string{"update cluster-nodes-pool nodeConfig"}},
	{"cluster", `{"imageStreaming": true}`, []string{
		"create cluster-nodes-images", "create services-artifactregistry", "create services-containerfilesystem", "update cluster-nodes-pool nodeConfig",
	}},
	{"exposure", `{"annotations": {"networking.gke.io/load-balancer-type": "Internal"}}`, []string{"create exposure-loadbalancer-internal", "delete exposure-loadbalancer"}},
	{"budget", `{"monthlyUSD": 2500}`, []string{"update budget-monthly amount"}},
	{"budget", `{"emails": ["platform@example.com"]}`, []string{
		"delete network-alerts-email-1", "update bucket-alert-growth notificationChannels", "update budget-monthly allUpdatesRule",
		"update database-alert-connections notificationChannels", "update database-alert-cpu notificationChannels", "update database-alert-memory notificationChannels",
		"update database-alert-storage notificationChannels", "update database-alert-up notificationChannels",
	}},
	{"tags", `{"owner": "others"}`, nil},
}

// change plans changes of settings, each alone: the provider says what an update
// would replace, and nothing with data is.
func change(t *testing.T, l *provider.Live, all []changed) {
	t.Helper()
	for _, c := range all {
		key := settings.Project + ":" + c.key
		before, had := l.Config[key]
		value := object{}
		if had {
			value = decode(t, before)
		}
		override(value, decode(t, c.value))
		after, err := json.Marshal(value)
		require.NoError(t, err)
		l.Config[key] = string(after)
		found := planned(t, l)
		if c.want == nil {
			// Labels are on everything that takes some, and change in place.
			assert.Greater(t, len(found), 25)
			c.want = slices.DeleteFunc(slices.Clone(found), func(one string) bool { return !strings.HasPrefix(one, "update ") })
		}
		assert.Equal(t, c.want, found, "%s: %s", c.key, c.value)
		if l.Config[key] = before; !had {
			delete(l.Config, key)
		}
	}
}

func decode(t *testing.T, text string) object {
	t.Helper()
	var one object
	require.NoError(t, json.Unmarshal([]byte(text), &one), text)
	return one
}

// grow is what Google changes by itself, and the stack leaves alone: storage, a release of
// the channel, the autoscaler's nodes.
func grow(t *testing.T, l *provider.Live, g *google) {
	t.Helper()
	instance := g.find("/instances/mlflow-gcp-prod-0a1b2c")
	cluster := g.find("/clusters/mlflow-gcp-prod")
	pool := g.find("/nodePools/nodes")
	g.mu.Lock()
	within(instance, "settings")["dataDiskSizeGb"], within(instance, "settings")["settingsVersion"] = "700", "9"
	cluster["currentMasterVersion"], cluster["currentNodeVersion"], pool["version"] = "1.35.9-gke.2001000", "1.35.9-gke.2001000", "1.35.9-gke.2001000"
	cluster["nodeConfig"], cluster["currentNodeCount"], pool["initialNodeCount"] = pool["config"], 9, 3
	g.mu.Unlock()
	refresh(t, l)
	assert.Empty(t, planned(t, l), "after Google's own changes")
}

// drift is what somebody else changed: who looks at it plans to change it back.
func drift(t *testing.T, l *provider.Live, g *google) {
	t.Helper()
	bucket := g.find("/b/mlflow-gcp-prod-artifacts-0a1b2c")
	instance := g.find("/instances/mlflow-gcp-prod-0a1b2c")
	cluster := g.find("/clusters/mlflow-gcp-prod")
	g.mu.Lock()
	within(bucket, "iamConfiguration")["publicAccessPrevention"] = "inherited"
	within(instance, "settings")["deletionProtectionEnabled"] = false
	within(cluster, "masterAuthorizedNetworksConfig")["cidrBlocks"] = []any{object{"cidrBlock": "0.0.0.0/0"}}
	g.mu.Unlock()
	refresh(t, l)
	assert.Equal(t, []string{
		"update bucket-artifacts-bucket publicAccessPrevention", "update cluster-gke masterAuthorizedNetworksConfig", "update database-instance settings",
	}, planned(t, l))
}

// find is what was made at a path that ends so.
func (g *google) find(end string) object {
	g.mu.Lock()
	defer g.mu.Unlock()
	for path, one := range g.made {
		if strings.HasSuffix(path, end) {
			return one
		}
	}
	g.t.Fatal("nothing at " + end)
	return nil
}

// updates are what an update asks for, in place, with what takes the drift back.
var updates = []wish{
	{"PUT", "/clusters/mlflow-gcp-prod", `{"update": {"desiredMasterVersion": "1.36"}}`},
	{"PUT", "/clusters/mlflow-gcp-prod", `{"update": {"desiredMasterAuthorizedNetworksConfig": {
		"enabled": true, "gcpPublicCidrsAccessEnabled": false, "cidrBlocks": [{"cidrBlock": "203.0.113.0/24"}]
	}}}`},
	{"PUT", "/clusters/mlflow-gcp-prod", `{"update": {"desiredNodePoolId": "nodes", "desiredNodePoolAutoscaling": {"enabled": true, "totalMinNodeCount": 3, "totalMaxNodeCount": 12}}}`},
	{"PUT", "/clusters/mlflow-gcp-prod/nodePools/nodes", `{"machineType": "n2d-standard-4", "diskSizeGb": "200", "diskType": "pd-balanced"}`},
	{"PUT", "/instances/mlflow-gcp-prod-0a1b2c", `{"settings": {
		"tier": "db-custom-8-32768", "deletionProtectionEnabled": true, "availabilityType": "REGIONAL",
		"ipConfiguration": {"ipv4Enabled": false, "sslMode": "ENCRYPTED_ONLY"}, "backupConfiguration": {"enabled": true, "pointInTimeRecoveryEnabled": true}
	}}`},
	{"PUT", "/instances/mlflow-gcp-prod-0a1b2c/users", `{"name": "platform_admin", "password": "c4n4ry-password-database-admin-password-alternate"}`},
	{"PATCH", "/b/mlflow-gcp-prod-artifacts-0a1b2c", `{"iamConfiguration": {"publicAccessPrevention": "enforced"}}`},
}

// update makes several changes at once; nothing that is there goes but the old logins'
// copies.
func update(t *testing.T, l *provider.Live, g *google) {
	t.Helper()
	for setting, value := range map[string]any{
		"cluster.version": "1.36", "cluster.apiAccessCIDRs": []string{"203.0.113.0/24"}, "cluster.nodes": object{"type": "n2d-standard-4", "diskGiB": 200, "max": 12},
		"database.instanceType": "db-custom-8-32768", "database.passwordVersion": 2, "budget.enforceEstimate": false,
	} {
		l.Set(t, setting, value)
	}
	g.take()
	l.Update(t)
	requests := g.take()
	compare(t, requests, updates)
	var gone []string
	for _, r := range requests {
		if _, name := cut(r.path); r.method == http.MethodDelete || strings.HasSuffix(name, ":destroy") {
			gone = append(gone, r.path)
		}
	}
	assert.Len(t, gone, 2, gone)
	for _, path := range gone {
		assert.Contains(t, path, "/secrets/mlflow-gcp-prod-database")
	}
	assert.Empty(t, planned(t, l), "after the update")
	refresh(t, l)
	assert.Empty(t, planned(t, l), "after a look at what is there")
}

// destroy takes everything away, what data is in before the keys that encrypt it. What
// Google does not delete stays: the services, the key ring and its keys without their
// versions, and the connection with the database's network.
func destroy(t *testing.T, l *provider.Live, g *google) {
	t.Helper()
	l.Set(t, "protect", false)
	g.take()
	l.Update(t)
	compare(t, g.take(), []wish{{"PUT", "/instances/mlflow-gcp-prod-0a1b2c", `{"settings": {"availabilityType": "REGIONAL"}}`}})
	assert.Nil(t, within(g.find("/instances/mlflow-gcp-prod-0a1b2c"), "settings")["deletionProtectionEnabled"], "unprotected")
	_, err := l.Destroy(t.Context(), optdestroy.SuppressProgress())
	require.NoError(t, err)
	requests := g.take()
	at := func(method, end string) int {
		t.Helper()
		found := slices.IndexFunc(requests, func(r call) bool { return r.method == method && strings.HasSuffix(r.path, end) })
		assert.GreaterOrEqual(t, found, 0, "%s %s", method, end)
		return found
	}
	for user, key := range map[string]string{
		"/b/mlflow-gcp-prod-artifacts-0a1b2c": "bucket", "/b/mlflow-gcp-prod-backups-0a1b2c": "bucket", "/instances/mlflow-gcp-prod-0a1b2c": "database",
		"/clusters/mlflow-gcp-prod": "cluster", "/secrets/mlflow-gcp-prod-database-admin": "secrets",
	} {
		assert.Less(t, at(http.MethodDelete, user), at(http.MethodPost, "/cryptoKeys/"+key+":setIamPolicy"), user)
		assert.Less(t, at(http.MethodPost, "/cryptoKeys/"+key+":setIamPolicy"), at(http.MethodPost, "/cryptoKeys/"+key+"/cryptoKeyVersions/1:destroy"), user)
	}
	assert.Less(t, at(http.MethodDelete, "/instances/mlflow-gcp-prod-0a1b2c"), at(http.MethodDelete, "/networks/mlflow-gcp-prod"))
	assert.Less(t, at(http.MethodDelete, "/clusters/mlflow-gcp-prod"), at(http.MethodDelete, "/subnetworks/mlflow-gcp-prod-nodes"))
	assert.Contains(t, g.policies(), "ml-platform-prod roles/owner user:owner@example.com")
	g.mu.Lock()
	defer g.mu.Unlock()
	left := map[string]bool{}
	for path := range g.made {
		parent, _ := cut(path)
		if _, collection := cut(parent); !strings.HasSuffix(path, "/iam") {
			left[collection] = true
		}
	}
	assert.Equal(t, []string{"connections", "cryptoKeys", "keyRings", "services"}, slices.Sorted(maps.Keys(left)))
}

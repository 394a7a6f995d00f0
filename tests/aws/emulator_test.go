//go:build verify

package aws_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

// motoEnv names the directory with moto_server, of `make python-test`.
const motoEnv = "MLFLOW_PLATFORM_PYTHON_BIN"

// emulator is moto, an emulator of AWS' API, behind a proxy that keeps the
// requests and answers for the parts of EKS that moto lacks.
type emulator struct {
	*httptest.Server
	mu       sync.Mutex
	requests []call
	eks      map[string]map[string]any
	// group is the security group that EKS makes for a cluster; here the VPC's own.
	// vpc is an existing network.
	group, vpc string
	// logging is the configuration of the bucket's access log.
	logging []byte
	// wanted are the clusters and node groups as they were asked for, by name, and
	// tags those of the budget.
	wanted map[string]map[string]any
	tags   json.RawMessage
}

// call is one call of AWS' API: its action is the operation's name, or for the
// REST services method and path.
type call struct{ service, action, body string }

func emulate(t *testing.T) *emulator {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	command := exec.CommandContext(t.Context(), provider.Tool(t, motoEnv)+"/moto_server", "-H", "127.0.0.1", "-p", port)
	// With AWS' own policies, so that a misspelled one is found.
	command.Env = append(os.Environ(), "MOTO_IAM_LOAD_MANAGED_POLICIES=true")
	command.Stderr = os.Stderr
	require.NoError(t, command.Start())
	t.Cleanup(func() { assert.NoError(t, command.Process.Kill()); _ = command.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		return err == nil && conn.Close() == nil
	}, time.Minute, 100*time.Millisecond)

	e := &emulator{eks: map[string]map[string]any{}, wanted: map[string]map[string]any{}, tags: json.RawMessage("[]")}
	forward := &httputil.ReverseProxy{ModifyResponse: e.complete, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address})
		r.Out.Host = r.In.Host
		r.Out.Header.Set("x-moto-account-id", account)
	}}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		seen := describe(r, string(body))
		e.mu.Lock()
		e.requests = append(e.requests, seen)
		e.remember(seen)
		e.mu.Unlock()
		switch {
		case seen.action == "GetCallerIdentity":
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprintf(w, identity, account, account)
			return
		case seen.service == "budgets" && seen.action == "DescribeSubscribersForNotification":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			fmt.Fprint(w, `{"Subscribers": [{"SubscriptionType": "EMAIL", "Address": "platform@example.com"}]}`)
			return
		case seen.service == "budgets" && seen.action == "ListTagsForResource":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			e.mu.Lock()
			defer e.mu.Unlock()
			fmt.Fprintf(w, `{"ResourceTags": %s}`, e.tags)
			return
		// The nodes' image: moto knows those of its own day.
		case seen.service == "ssm" && seen.action == "GetParameter":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			fmt.Fprintf(w, `{"Parameter": {"ARN": "arn:aws:ssm:%s::parameter/eks", "Name": "eks", "Type": "String", "Value": "%s.1-20261101", "Version": 1}}`,
				scope(r)[0], kubernetesVersion.FindString(string(body)))
			return
		// Moto fails at the policy of the bucket that gets the log: a Principal "*".
		case seen.service == "s3" && r.URL.Query().Has("logging"):
			e.mu.Lock()
			defer e.mu.Unlock()
			if r.Method == http.MethodPut {
				e.logging = body
				return
			}
			w.Header().Set("Content-Type", "application/xml")
			_, _ = w.Write(e.logging)
			return
		}
		if seen.service == "eks" && e.answer(w, r, body) {
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

// kubernetesVersion is in the name of the parameter with the nodes' image.
var kubernetesVersion = regexp.MustCompile(`1\.[0-9]+`)

// identity is the answer of STS to GetCallerIdentity; moto has only a user of its
// own.
const identity = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::%s:assumed-role/platform-deploy/ci</Arn><UserId>AROA:ci</UserId><Account>%s</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`

// remember keeps of a request what moto does not give back.
func (e *emulator) remember(c call) {
	var asked map[string]any
	switch {
	case c.service == "eks" && strings.HasPrefix(c.action, "POST /clusters"):
		if json.Unmarshal([]byte(c.body), &asked) != nil {
			return
		}
		for _, key := range []string{"nodegroupName", "name"} {
			if name, ok := asked[key].(string); ok {
				e.wanted[name] = asked
				return
			}
		}
	case c.service == "budgets" && c.action == "CreateBudget":
		var budget struct{ ResourceTags json.RawMessage }
		if json.Unmarshal([]byte(c.body), &budget) == nil && budget.ResourceTags != nil {
			e.tags = budget.ResourceTags
		}
	}
}

// echo are the parts of a cluster and of a node group that moto does not keep.
var echo = []string{"accessConfig", "upgradePolicy", "updateConfig", "releaseVersion"}

// credential is where a signature names region and service.
var credential = regexp.MustCompile(`Credential=[^/]+/[^/]+/([^/]+)/([^/]+)/`)

// scope is the region and the service that a request is for.
func scope(r *http.Request) [2]string {
	if m := credential.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return [2]string{m[1], m[2]}
	}
	return [2]string{}
}

func describe(r *http.Request, body string) call {
	one := call{service: scope(r)[1], action: r.Method + " " + r.URL.RequestURI(), body: body}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		one.action = target[strings.LastIndex(target, ".")+1:]
	} else if form, err := url.ParseQuery(body); err == nil && form.Get("Action") != "" {
		one.action = form.Get("Action")
		one.body, _ = url.QueryUnescape(body)
	}
	return one
}

// parts are the resources of EKS that moto 5.2 lacks: what names one in a request,
// and what its answer is called.
var parts = map[string][2]string{
	"addons": {"addonName", "addon"}, "access-entries": {"principalArn", "accessEntry"},
	"access-policies": {"policyArn", "associatedAccessPolicy"}, "pod-identity-associations": {"serviceAccount", "association"},
}

// answer keeps what is created and gives it back, as EKS does: in the state that
// waiters wait for.
func (e *emulator) answer(w http.ResponseWriter, r *http.Request, body []byte) bool {
	// An ARN in a path has slashes of its own.
	path := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i := range path {
		if plain, err := url.PathUnescape(path[i]); err == nil {
			path[i] = plain
		}
	}
	say := func(value any) bool {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
		return true
	}
	if path[0] == "addons" {
		return say(map[string]any{"addons": []any{map[string]any{
			"addonName": r.URL.Query().Get("addonName"),
			"addonVersions": []any{map[string]any{"addonVersion": "v1.0.0-eksbuild.1", "compatibilities": []any{map[string]any{
				"clusterVersion": r.URL.Query().Get("kubernetesVersion"), "defaultVersion": true,
			}}}},
		}}})
	}
	for i, kind := range path {
		part, ok := parts[kind]
		if !ok || i+2 < len(path) {
			continue
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if r.Method == http.MethodPost && i == len(path)-1 {
			made := map[string]any{}
			if err := json.Unmarshal(body, &made); err != nil {
				return false
			}
			name := fmt.Sprint(made[part[0]])
			made["clusterName"], made["status"] = path[1], "ACTIVE"
			arn := func(kind, name string) string {
				return "arn:aws:eks:" + scope(r)[0] + ":" + account + ":" + kind + "/" + path[1] + "/" + name
			}
			made["associationId"], made["associationArn"] = "a-"+name, arn("podidentityassociation", "a-"+name)
			made["addonArn"], made["accessEntryArn"] = arn("addon", name), arn("access-entry", name)
			delete(made, "podIdentityAssociations")
			if kind == "pod-identity-associations" {
				name = "a-" + name
			}
			e.eks[strings.Join(append(path, name), " ")] = made
			return say(map[string]any{part[1]: made})
		}
		if kind == "access-policies" && r.Method == http.MethodGet {
			var all []any
			for key, made := range e.eks {
				if strings.HasPrefix(key, strings.Join(path, " ")+" ") {
					all = append(all, made)
				}
			}
			return say(map[string]any{"associatedAccessPolicies": all})
		}
		if made, ok := e.eks[strings.Join(path, " ")]; ok && r.Method == http.MethodGet {
			return say(map[string]any{part[1]: made})
		}
		w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		return say(map[string]any{"message": "not found"})
	}
	return false
}

// groupID is how EC2 names a security group.
var groupID = regexp.MustCompile(`<groupId>(sg-[0-9a-f]+)</groupId>`)

// ownTags are a launch template's own tags, which moto gives back as if they were
// for what is launched.
var ownTags = regexp.MustCompile(`(?s)<item>\s*<resourceType>launch-template</resourceType>.*?</tagSet>\s*</item>`)

// complete adds to moto's answers what it does not keep, and the security group
// that EKS makes for a cluster.
func (e *emulator) complete(r *http.Response) error {
	service := describe(r.Request, "").service
	if service != "ec2" && service != "eks" {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if m := groupID.FindSubmatch(body); service == "ec2" && m != nil && e.group == "" {
		e.group = string(m[1])
	}
	body = ownTags.ReplaceAll(body, nil)
	var answer map[string]map[string]any
	if service == "eks" && json.Unmarshal(body, &answer) == nil {
		for kind, key := range map[string]string{"cluster": "name", "nodegroup": "nodegroupName"} {
			made := answer[kind]
			name, ok := made[key].(string)
			if !ok {
				continue
			}
			for _, part := range echo {
				if value, ok := e.wanted[name][part]; ok {
					made[part] = value
				}
			}
			if e.wanted[name]["remoteAccess"] == nil {
				delete(made, "remoteAccess")
			}
			if network, ok := made["resourcesVpcConfig"].(map[string]any); ok {
				network["clusterSecurityGroupId"], network["vpcId"] = e.group, e.vpc
			}
		}
		if body, err = json.Marshal(answer); err != nil {
			return err
		}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

// missing are the wanted requests that nobody made.
func missing(requests []call, wanted []wish) []string {
	var bad []string
	for _, w := range wanted {
		found := false
		for _, r := range requests {
			all := r.service == w.service && strings.Contains(r.action, w.action)
			for _, text := range w.contains {
				all = all && strings.Contains(r.body, text)
			}
			found = found || all
		}
		if !found {
			bad = append(bad, fmt.Sprintf("%s %s with %q", w.service, w.action, w.contains))
		}
	}
	return bad
}

// wish is a request that AWS must get.
type wish struct {
	service, action string
	contains        []string
}

// wishes are what decides over safety and cost, in AWS' own words.
var wishes = []wish{
	{"s3", "encryption", []string{"<SSEAlgorithm>aws:kms</SSEAlgorithm>", "<KMSMasterKeyID>arn:aws:kms:", "<BucketKeyEnabled>true</BucketKeyEnabled>"}},
	{"s3", "publicAccessBlock", []string{"<BlockPublicAcls>true", "<BlockPublicPolicy>true", "<IgnorePublicAcls>true", "<RestrictPublicBuckets>true"}},
	{"s3", "policy", []string{"aws:SecureTransport", "aws:PrincipalAccount"}},
	{"s3", "versioning", []string{"<Status>Enabled</Status>"}},
	{"s3", "lifecycle", []string{"<AbortIncompleteMultipartUpload><DaysAfterInitiation>7<", "<NoncurrentDays>30<", "<StorageClass>INTELLIGENT_TIERING<"}},
	{"s3", "logging", []string{"<TargetBucket>mlflow-prod-111122223333-eu-central-1-logs<"}},
	{"rds", "CreateDBInstance", []string{
		"StorageEncrypted=true", "KmsKeyId=arn:aws:kms:", "DeletionProtection=true", "PubliclyAccessible=false", "MultiAZ=true",
		"BackupRetentionPeriod=30", "MaxAllocatedStorage=1000",
	}},
	{"rds", "CreateEventSubscription", []string{"=low storage"}},
	{"rds", "ModifyDBInstance", []string{"CACertificateIdentifier=rds-ca-rsa2048-g1"}},
	{"rds", "ModifyDBParameterGroup", []string{"rds.force_ssl", "max_connections"}},
	{"eks", "POST /clusters", []string{
		`"authenticationMode":"API"`, `"bootstrapClusterCreatorAdminPermissions":false`, `"resources":["secrets"]`, `"publicAccessCidrs":["198.51.100.0/24"]`,
		`"supportType":"STANDARD"`, `"bootstrapSelfManagedAddons":false`,
	}},
	{"eks", "POST /clusters/mlflow-prod/addons", []string{"vpc-cni", `\"enableNetworkPolicy\":\"true\"`}},
	{"eks", "POST /clusters/mlflow-prod/access-entries/", []string{"AmazonEKSClusterAdminPolicy"}},
	{"eks", "POST /clusters/mlflow-prod/node-groups", []string{`"maxUnavailable":1`, `"capacityType":"ON_DEMAND"`}},
	{"ec2", "CreateLaunchTemplate", []string{"HttpTokens=required", "HttpPutResponseHopLimit=1", "Encrypted=true"}},
	{"ec2", "CreateFlowLogs", []string{"TrafficType=REJECT"}},
	{"ec2", "CreateVpcEndpoint", []string{"s3:ResourceAccount"}},
	{"kms", "CreateKey", []string{"kms:*"}},
	{"kms", "EnableKeyRotation", nil},
	{"iam", "CreateRole", []string{"pods.eks.amazonaws.com", "aws:SourceArn"}},
	{"budgets", "CreateBudget", []string{`"Amount":"1200"`, `"IncludeCredit":false`}},
	{"budgets", "CreateNotification", []string{`"NotificationType":"ACTUAL","Threshold":50,`, "platform@example.com"}},
	{"budgets", "CreateNotification", []string{`"NotificationType":"ACTUAL","Threshold":80,`, "platform@example.com"}},
	{"budgets", "CreateNotification", []string{`"NotificationType":"ACTUAL","Threshold":100,`, "platform@example.com"}},
	{"budgets", "CreateNotification", []string{`"NotificationType":"FORECASTED","Threshold":100,`, "platform@example.com"}},
	{"monitoring", "PutMetricAlarm", []string{"BucketSizeBytes"}},
	{"logs", "PutRetentionPolicy", []string{`"retentionInDays":90`}},
	{"sns", "SetTopicAttributes", []string{"AttributeName=KmsMasterKeyId", "AttributeValue=arn:aws:kms:"}},
	{"secretsmanager", "CreateSecret", []string{"mlflow-prod/database-admin", `"KmsKeyId":"arn:aws:kms:`}},
}

// applied is a stack that the real engine made with AWS' own provider.
func applied(t *testing.T, file string) (*provider.Live, *emulator) {
	t.Helper()
	e := emulate(t)
	port := plug(t, "AWS_ENDPOINT_URL="+e.URL, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=none")
	l := newLive(t, file, "aws:"+port)
	if file == existingNetwork {
		l.Set(t, "network", e.network(t, l.Config[settings.Project+":region"]))
	}
	l.Before = func(ctx *pulumi.Context) error {
		return ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			if group, ok := args.Props.(*eks.NodeGroupArgs); ok {
				group.NodeRepairConfig = nil // See newer.
			}
			return nil
		})
	}
	l.Update(t)
	return l, e
}

// network makes the network of a stack whose VPC is there, and returns the setting:
// the emulator chooses the ids.
func (e *emulator) network(t *testing.T, region string) string {
	t.Helper()
	do := func(result, action string, args ...string) string {
		t.Helper()
		form := url.Values{"Action": {action}, "Version": {"2016-11-15"}}
		for i := 0; i < len(args); i += 2 {
			form.Set(args[i], args[i+1])
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.URL, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261101/"+region+"/ec2/aws4_request, SignedHeaders=host, Signature=0")
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", action, body)
		m := regexp.MustCompile("<" + result + ">([a-z]+-[0-9a-f]+)<").FindSubmatch(body)
		if result == "" {
			return ""
		}
		require.NotNil(t, m, "%s: %s", action, body)
		return string(m[1])
	}
	vpc := do("vpcId", "CreateVpc", "CidrBlock", "10.90.0.0/16")
	do("", "ModifyVpcAttribute", "VpcId", vpc, "EnableDnsHostnames.Value", "true")
	table := do("routeTableId", "CreateRouteTable", "VpcId", vpc)
	do("vpcEndpointId", "CreateVpcEndpoint", "VpcId", vpc, "ServiceName", "com.amazonaws."+region+".s3", "RouteTableId.1", table)
	// It stands for the group that EKS makes.
	do("groupId", "CreateSecurityGroup", "GroupName", "nodes", "GroupDescription", "nodes", "VpcId", vpc)
	subnets := func(part int, table string) (ids []string) {
		for i, zone := range []string{"a", "b", "c"} {
			id := do("subnetId", "CreateSubnet", "VpcId", vpc, "CidrBlock", fmt.Sprintf("10.90.%d.0/24", part+i), "AvailabilityZone", region+zone)
			if ids = append(ids, id); table != "" {
				do("associationId", "AssociateRouteTable", "RouteTableId", table, "SubnetId", id)
			}
		}
		return ids
	}
	private := subnets(0, table)
	// These have the VPC's routes.
	isolated := subnets(3, "")
	setting, err := json.Marshal(map[string]any{
		"vpcId": vpc, "privateSubnetIds": private, "databaseSubnetIds": isolated, "loadBalancerSubnetIds": private,
	})
	require.NoError(t, err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests, e.vpc = nil, vpc
	return string(setting)
}

// strangers are requests that change what is the network owner's.
func strangers(requests []call) []string {
	var bad []string
	for _, r := range requests {
		if slices.Contains([]string{
			"CreateVpc", "ModifyVpcAttribute", "CreateSubnet", "ModifySubnetAttribute", "CreateRouteTable", "CreateRoute", "AssociateRouteTable",
			"CreateInternetGateway", "CreateNatGateway", "AllocateAddress", "CreateVpcEndpoint", "CreateFlowLogs",
		}, r.action) {
			bad = append(bad, r.action)
		}
	}
	return bad
}

// lost begins the names of what moto does not keep of a database.
const lost = "performanceInsights"

// planned is what an update would do, by the provider's own comparison with the
// state: operation, name and what differs.
func planned(t *testing.T, l *provider.Live) []string {
	t.Helper()
	all, err := plan(t, l)
	if err != nil && strings.Contains(err.Error(), "connect: connection refused") {
		// The plugin, which runs on, logged to the engine of the plan before.
		all, err = plan(t, l)
	}
	require.NoError(t, err)
	return all
}

func plan(t *testing.T, l *provider.Live) ([]string, error) {
	t.Helper()
	stream := make(chan events.EngineEvent)
	var all []string
	var reading sync.WaitGroup
	reading.Go(func() {
		for event := range stream {
			if pre := event.ResourcePreEvent; pre != nil && pre.Metadata.Op != apitype.OpSame {
				differs := slices.DeleteFunc(slices.Sorted(slices.Values(pre.Metadata.Diffs)), func(key string) bool { return strings.HasPrefix(key, lost) })
				if len(differs) > 0 || len(pre.Metadata.Diffs) == 0 {
					all = append(all, strings.Join(append([]string{string(pre.Metadata.Op), resource.URN(pre.Metadata.URN).Name()}, differs...), " "))
				}
			}
		}
	})
	_, err := l.Preview(t.Context(), optpreview.EventStreams(stream), optpreview.SuppressProgress())
	reading.Wait()
	slices.Sort(all)
	return all, err
}

// TestTheProviderAppliesIt applies every stack with AWS' own provider to the
// emulator, on the real engine, and then plans it again: nothing is left to do.
func TestTheProviderAppliesIt(t *testing.T) {
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			l, e := applied(t, file)
			assert.Empty(t, planned(t, l), "a second time")
			e.mu.Lock()
			foreign := strangers(e.requests)
			e.mu.Unlock()
			assert.Equal(t, file == existingNetwork, len(foreign) == 0, foreign)
			if file == "Pulumi.prod.yaml" {
				compare(t, e)
				change(t, l)
			}
		})
	}
}

// compare looks for the requests that production must make.
func compare(t *testing.T, e *emulator) {
	t.Helper()
	e.mu.Lock()
	made := e.requests
	e.mu.Unlock()
	t.Logf("%d requests", len(made))
	assert.Empty(t, missing(made, wishes))
	assert.Len(t, missing(nil, wishes), len(wishes), "without requests all are missed")
	// The twin: of requests without encryption and protection all are missed.
	var bare []call
	for _, r := range made {
		bare = append(bare, call{service: r.service, action: r.action})
	}
	for _, w := range wishes {
		if len(w.contains) > 0 {
			assert.NotEmpty(t, missing(bare, []wish{w}), "%s %s", w.service, w.action)
		}
	}
}

// change plans changes of settings, each alone: the provider says what an update
// would replace, and nothing with data is.
func change(t *testing.T, l *provider.Live) {
	t.Helper()
	for _, c := range []struct {
		key, value string
		want       []string
	}{
		{"database", `{"instanceType": "db.m6g.large"}`, []string{"update database-instance instanceClass"}},
		{"database", `{"storageGiB": 220}`, []string{
			"update backup-list spec", "update backup-restore spec", "update backup-schedule spec",
			"update database-alarm-storage threshold", "update database-instance allocatedStorage",
		}},
		{"database", `{"maxConnections": 300}`, []string{"update database-alarm-connections threshold", "update database-parameters parameters"}},
		{"database", `{"backup": {"retentionDays": 14}}`, []string{"update backup-schedule spec", "update database-instance backupRetentionPeriod"}},
		{"artifacts", `{"noncurrentDays": 60, "transitionDays": 60}`, []string{"update bucket-data-lifecycle rules", "update bucket-logs-lifecycle rules"}},
		{"network", `{"natGateways": 1}`, []string{
			"delete network-1-nat", "delete network-1-nat-address", "delete network-2-nat", "delete network-2-nat-address",
			"update network-private-1-default natGatewayId", "update network-private-2-default natGatewayId",
		}},
		{"network", `{"flowLogs": false}`, []string{
			"delete network-flow-log", "delete network-flow-logs", "delete network-flow-logs-role", "delete network-flow-policy",
		}},
		// The plan does not know yet that the nodes' group stays.
		{"cluster", `{"apiAccessCIDRs": [], "privateAccessCIDRs": ["10.0.0.0/8"]}`, []string{
			"create cluster-access", "update cluster-eks vpcConfig", "update database-firewall ingress",
		}},
		{"cluster", `{"nodes": {"diskGiB": 120}}`, []string{"update cluster-nodes launchTemplate", "update cluster-template blockDeviceMappings defaultVersion latestVersion"}},
		{"exposure", `{"annotations": {"service.beta.kubernetes.io/aws-load-balancer-internal": "true"}}`, []string{
			"create exposure-loadbalancer-internal", "delete exposure-loadbalancer",
		}},
		{"cluster", `{"version": "1.37"}`, []string{"update cluster-eks version", "update cluster-nodes releaseVersion version"}},
		{"cluster", `{"nodes": {"release": "1.36.2-20261115"}}`, []string{"update cluster-nodes releaseVersion"}},
		// New nodes first, then the old ones go.
		{"cluster", `{"nodes": {"type": "m6i.xlarge"}}`, []string{
			"create-replacement cluster-nodes instanceTypes", "delete-replaced cluster-nodes", "replace cluster-nodes instanceTypes",
		}},
		{"cluster", `{"nodes": {"max": 9}}`, []string{"update cluster-nodes scalingConfig"}},
		{"cluster", `{"addons": {"coredns": "v1.12.0-eksbuild.3"}}`, []string{"update cluster-coredns addonVersion"}},
		{"budget", `{"monthlyUSD": 2000}`, []string{"update budget-monthly limitAmount"}},
		{"tags", `{"owner": "others"}`, nil},
	} {
		key := settings.Project + ":" + c.key
		before, had := l.Config[key]
		changed := map[string]any{}
		if had {
			require.NoError(t, json.Unmarshal([]byte(before), &changed))
		}
		require.NoError(t, json.Unmarshal([]byte(c.value), &changed))
		after, err := json.Marshal(changed)
		require.NoError(t, err)
		l.Config[key] = string(after)
		all := planned(t, l)
		if c.want == nil {
			// Tags are on everything, and change in place.
			assert.Greater(t, len(all), 40)
			c.want = slices.DeleteFunc(slices.Clone(all), func(one string) bool { return !strings.HasPrefix(one, "update ") })
		}
		assert.Equal(t, c.want, all, "%s: %s", c.key, c.value)
		if l.Config[key] = before; !had {
			delete(l.Config, key)
		}
	}
}

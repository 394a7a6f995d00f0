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
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	group string
	// logging is the configuration of the bucket's access log.
	logging []byte
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

	e := &emulator{eks: map[string]map[string]any{}}
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
		e.mu.Unlock()
		switch {
		case seen.action == "GetCallerIdentity":
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprintf(w, identity, account, account)
			return
		case seen.service == "budgets" && budgets[seen.action] != "":
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			fmt.Fprint(w, budgets[seen.action])
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

// identity is the answer of STS to GetCallerIdentity; moto has only a user of its
// own.
const identity = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::%s:assumed-role/platform-deploy/ci</Arn><UserId>AROA:ci</UserId><Account>%s</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`

// budgets are answers about the budget that moto lacks.
var budgets = map[string]string{
	"DescribeSubscribersForNotification": `{"Subscribers": [{"SubscriptionType": "EMAIL", "Address": "platform@example.com"}]}`,
	"ListTagsForResource":                `{"ResourceTags": []}`,
}

// credential is where a signature names the service.
var credential = regexp.MustCompile(`Credential=[^/]+/[^/]+/[^/]+/([^/]+)/`)

func describe(r *http.Request, body string) call {
	one := call{action: r.Method + " " + r.URL.RequestURI(), body: body}
	if m := credential.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		one.service = m[1]
	}
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
			made["associationId"], made["associationArn"] = "a-"+name, "arn:aws:eks:eu-central-1:"+account+":podidentityassociation/"+path[1]+"/a-"+name
			made["addonArn"] = "arn:aws:eks:eu-central-1:" + account + ":addon/" + path[1] + "/" + name
			made["accessEntryArn"] = "arn:aws:eks:eu-central-1:" + account + ":access-entry/" + path[1] + "/" + name
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

// complete adds to moto's clusters the security group that EKS makes for them.
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
	var answer map[string]map[string]any
	if service == "eks" && json.Unmarshal(body, &answer) == nil && answer["cluster"] != nil {
		if network, ok := answer["cluster"]["resourcesVpcConfig"].(map[string]any); ok {
			network["clusterSecurityGroupId"] = e.group
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

// TestTheProviderAppliesIt applies production with AWS' own provider to the
// emulator, on the real engine.
func TestTheProviderAppliesIt(t *testing.T) {
	e := emulate(t)
	port := plug(t, "AWS_ENDPOINT_URL="+e.URL, "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=none")
	l := newLive(t, "Pulumi.prod.yaml", "aws:"+port)
	l.before = func(ctx *pulumi.Context) error {
		return ctx.RegisterStackTransformation(func(args *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			if group, ok := args.Props.(*eks.NodeGroupArgs); ok {
				group.NodeRepairConfig = nil // See newer.
			}
			return nil
		})
	}
	l.up(t)
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

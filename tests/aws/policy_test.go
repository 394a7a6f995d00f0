package aws_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// request is what a policy decides on.
type request struct {
	// principal is an account, a service such as s3.amazonaws.com, or empty where
	// the policy belongs to a role.
	principal, action, resource string
	// context are the condition keys of the request.
	context map[string]string
}

// many is a string or a list of strings.
type many []string

func (m *many) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		*m = many{""}
		return json.Unmarshal(raw, &(*m)[0])
	}
	return json.Unmarshal(raw, (*[]string)(m))
}

type policy struct {
	Statement []struct {
		Sid, Effect      string
		Principal        json.RawMessage
		Action, Resource many
		Condition        map[string]map[string]many
	}
}

// allows evaluates a policy the way IAM does: a Deny wins, then an Allow, else
// nothing is allowed
// (docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
func (p policy) allows(t *testing.T, r request) bool {
	t.Helper()
	allowed := false
	for _, s := range p.Statement {
		if !applies(s.Principal, r.principal) || !matches(s.Action, r.action) || len(s.Resource) > 0 && !matches(s.Resource, r.resource) || !holds(t, s.Condition, r.context) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func applies(raw json.RawMessage, principal string) bool {
	text := string(raw)
	if len(raw) == 0 || text == `"*"` {
		return true
	}
	var by map[string]many
	if json.Unmarshal(raw, &by) != nil {
		return false
	}
	return slices.Contains(by["Service"], principal) || slices.Contains(by["AWS"], "arn:aws:iam::"+principal+":root")
}

func matches(patterns many, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		// In IAM an asterisk crosses slashes, which path.Match does not let it.
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(value, "/", "\x00"))
		return err == nil && ok
	})
}

func holds(t *testing.T, conditions map[string]map[string]many, context map[string]string) bool {
	t.Helper()
	for operator, keys := range conditions {
		for key, values := range keys {
			got, present := context[key]
			var ok bool
			switch operator {
			case "StringEquals", "ArnEquals", "Bool":
				ok = present && slices.Contains(values, got)
			case "StringLike", "ArnLike":
				ok = present && matches(values, got)
			case "Null":
				ok = slices.Contains(values, fmt.Sprint(!present))
			case "StringNotEquals":
				// A key that is absent is not equal.
				ok = !present || !slices.Contains(values, got)
			default:
				require.Fail(t, "the test does not know the operator "+operator)
			}
			if !ok {
				return false
			}
		}
	}
	return true
}

// read is the policy document in an input of a node.
func read(t *testing.T, g *graph.Graph, name, input string) policy {
	t.Helper()
	for _, n := range g.Nodes {
		if n.Name == name {
			var p policy
			require.NoError(t, json.Unmarshal([]byte(text(n, input)), &p), "%s: %s", name, text(n, input))
			require.NotEmpty(t, p.Statement)
			return p
		}
	}
	require.Fail(t, "no node "+name)
	return policy{}
}

const (
	bucketARN = "arn:aws:s3:::mlflow-prod-111122223333-eu-central-1-data"
	stranger  = "999988887777"
)

var (
	overTLS = map[string]string{"aws:SecureTransport": "true", "aws:PrincipalAccount": account, "aws:PrincipalIsAWSService": "false"}
	viaS3   = map[string]string{"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
	byPods  = map[string]string{"aws:SourceAccount": account, "aws:SourceArn": "arn:aws:eks:eu-central-1:" + account + ":cluster/mlflow-prod"}
)

func TestPolicies(t *testing.T) {
	g := record(t, "Pulumi.prod.yaml")
	key := "arn:aws:kms:eu-central-1:" + account + ":key/bucket-key"
	for _, c := range []struct {
		node, input string
		allowed     []request
		denied      []request
	}{
		{node: "identity-policy", input: "policy",
			allowed: []request{
				{action: "s3:GetObject", resource: bucketARN + "/artifacts/1/a/model.pkl"},
				{action: "s3:PutObject", resource: bucketARN + "/artifacts/1/a/model.pkl"},
				{action: "s3:DeleteObject", resource: bucketARN + "/artifacts/1/a/model.pkl"},
				{action: "s3:AbortMultipartUpload", resource: bucketARN + "/artifacts/x"},
				{action: "s3:ListBucket", resource: bucketARN, context: map[string]string{"s3:prefix": "artifacts/1/"}},
				{action: "kms:GenerateDataKey", resource: key, context: viaS3},
			},
			denied: []request{
				{action: "s3:GetObject", resource: bucketARN + "/backups/mlflow-1.dump"},
				{action: "s3:PutObject", resource: bucketARN + "/backups/mlflow-1.dump"},
				{action: "s3:GetObject", resource: bucketARN + "/artifacts-of-others/x"},
				{action: "s3:GetObject", resource: "arn:aws:s3:::another/artifacts/x"},
				{action: "s3:ListBucket", resource: bucketARN, context: map[string]string{"s3:prefix": "backups/"}},
				{action: "s3:ListBucket", resource: bucketARN},
				{action: "s3:GetObjectVersion", resource: bucketARN + "/artifacts/x"},
				{action: "s3:DeleteObjectVersion", resource: bucketARN + "/artifacts/x"},
				{action: "s3:PutBucketPolicy", resource: bucketARN}, {action: "s3:PutLifecycleConfiguration", resource: bucketARN},
				{action: "kms:Decrypt", resource: key}, {action: "kms:ScheduleKeyDeletion", resource: key, context: viaS3},
				{action: "iam:PassRole", resource: "arn:aws:iam::" + account + ":role/x"},
			}},
		{node: "backup-identity-policy", input: "policy",
			allowed: []request{{action: "s3:PutObject", resource: bucketARN + "/backups/mlflow-1.dump"}},
			denied:  []request{{action: "s3:GetObject", resource: bucketARN + "/artifacts/x"}, {action: "s3:DeleteObject", resource: bucketARN + "/artifacts/x"}}},
		{node: "identity-mlflow-role", input: "assumeRolePolicy",
			allowed: []request{{principal: "pods.eks.amazonaws.com", action: "sts:AssumeRole", context: byPods}, {principal: "pods.eks.amazonaws.com", action: "sts:TagSession", context: byPods}},
			denied: []request{
				{principal: "pods.eks.amazonaws.com", action: "sts:AssumeRole", context: map[string]string{"aws:SourceAccount": stranger, "aws:SourceArn": byPods["aws:SourceArn"]}},
				{principal: "pods.eks.amazonaws.com", action: "sts:AssumeRole", context: map[string]string{"aws:SourceAccount": account, "aws:SourceArn": byPods["aws:SourceArn"] + "-other"}},
				{principal: "ec2.amazonaws.com", action: "sts:AssumeRole", context: byPods}, {principal: account, action: "sts:AssumeRole", context: byPods},
			}},
		{node: "network-flow-logs-role", input: "assumeRolePolicy",
			allowed: []request{{principal: "vpc-flow-logs.amazonaws.com", action: "sts:AssumeRole", context: map[string]string{"aws:SourceAccount": account}}},
			denied:  []request{{principal: "vpc-flow-logs.amazonaws.com", action: "sts:AssumeRole", context: map[string]string{"aws:SourceAccount": stranger}}}},
		{node: "alerts-key", input: "policy",
			allowed: []request{{principal: account, action: "kms:PutKeyPolicy"}, {principal: "cloudwatch.amazonaws.com", action: "kms:GenerateDataKey", context: map[string]string{"aws:SourceAccount": account}}, {principal: "events.rds.amazonaws.com", action: "kms:GenerateDataKey"}},
			denied: []request{
				{principal: "cloudwatch.amazonaws.com", action: "kms:GenerateDataKey", context: map[string]string{"aws:SourceAccount": stranger}},
				{principal: "cloudwatch.amazonaws.com", action: "kms:ScheduleKeyDeletion", context: map[string]string{"aws:SourceAccount": account}},
				{principal: "events.rds.amazonaws.com", action: "kms:ScheduleKeyDeletion"},
				{principal: stranger, action: "kms:Decrypt"},
			}},
		{node: "alerts-topic", input: "policy",
			allowed: []request{{principal: "cloudwatch.amazonaws.com", action: "sns:Publish", resource: "arn:aws:sns:eu-central-1:" + account + ":mlflow-prod-alerts", context: map[string]string{"aws:SourceAccount": account}}},
			denied: []request{
				{principal: stranger, action: "sns:Subscribe", resource: "arn:aws:sns:eu-central-1:" + account + ":mlflow-prod-alerts"},
				{principal: "events.rds.amazonaws.com", action: "sns:Publish", resource: "arn:aws:sns:eu-central-1:" + account + ":mlflow-prod-alerts", context: map[string]string{"aws:SourceAccount": stranger}},
			}},
		{node: "network-s3", input: "policy",
			allowed: []request{
				{action: "s3:PutObject", resource: bucketARN + "/x", context: map[string]string{"s3:ResourceAccount": account}},
				{action: "s3:GetObject", resource: "arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/sha256"},
				{action: "s3:GetObject", resource: "arn:aws:s3:::docker-images-prod/registry-v2/docker/registry/v2/blobs/sha256/x/data"},
			},
			denied: []request{
				{action: "s3:PutObject", resource: "arn:aws:s3:::exfiltration/x", context: map[string]string{"s3:ResourceAccount": stranger}},
				{action: "s3:PutObject", resource: "arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/sha256", context: map[string]string{"s3:ResourceAccount": stranger}},
			}},
		{node: "bucket-logs-policy", input: "policy",
			allowed: []request{{principal: "logging.s3.amazonaws.com", action: "s3:PutObject", resource: strings.TrimSuffix(bucketARN, "data") + "logs/s3/x",
				context: map[string]string{"aws:SourceAccount": account, "aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "true"}}},
			denied: []request{{principal: "logging.s3.amazonaws.com", action: "s3:PutObject", resource: strings.TrimSuffix(bucketARN, "data") + "logs/s3/x",
				context: map[string]string{"aws:SourceAccount": stranger, "aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "true"}}}},
	} {
		p := read(t, g, c.node, c.input)
		for _, r := range c.allowed {
			assert.True(t, p.allows(t, r), "%s should allow %+v", c.node, r)
		}
		for _, r := range c.denied {
			assert.False(t, p.allows(t, r), "%s should deny %+v", c.node, r)
		}
	}
}

// TestBucketPolicyClosesIt puts the policy beside a role that may do anything:
// the Denies hold all the same.
func TestBucketPolicyClosesIt(t *testing.T) {
	p := read(t, record(t, "Pulumi.prod.yaml"), "bucket-data-policy", "policy")
	everything := policy{Statement: p.Statement}
	var admin policy
	require.NoError(t, json.Unmarshal([]byte(`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}`), &admin))
	everything.Statement = append(everything.Statement, admin.Statement...)
	read := request{action: "s3:GetObject", resource: bucketARN + "/artifacts/x", context: overTLS}
	assert.True(t, everything.allows(t, read))
	const keyHeader, encryptionHeader = "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption"
	own := request{action: "s3:PutObject", resource: read.resource, context: maps.Clone(overTLS)}
	assert.True(t, everything.allows(t, own), "the bucket's key is the default")
	own.context[encryptionHeader], own.context[keyHeader] = "aws:kms", "arn:aws:kms:eu-central-1:"+account+":key/bucket-key"
	assert.True(t, everything.allows(t, own))
	for why, change := range map[string][2]string{
		"plain HTTP":        {"aws:SecureTransport", "false"},
		"another account":   {"aws:PrincipalAccount", stranger},
		"a foreign key":     {keyHeader, "arn:aws:kms:eu-central-1:" + stranger + ":key/x"},
		"no key of the KMS": {encryptionHeader, "AES256"},
	} {
		if strings.HasPrefix(change[0], "s3:") {
			read.action = "s3:PutObject"
		} else {
			read.action = "s3:GetObject"
		}
		context := map[string]string{}
		for k, v := range overTLS {
			context[k] = v
		}
		context[change[0]] = change[1]
		assert.False(t, everything.allows(t, request{action: read.action, resource: read.resource, context: context}), why)
		assert.True(t, admin.allows(t, request{action: read.action, resource: read.resource, context: context}), "without the policy %s is allowed", why)
	}
}

// TestOthersBucketsAreReadOnly: what network.readableBuckets lists is read and not
// written, and viewers of the cluster are no administrators.
func TestOthersBucketsAreReadOnly(t *testing.T) {
	g := record(t, "stacks/examples/aws-prod.yaml")
	p, foreign := read(t, g, "network-s3", "policy"), map[string]string{"s3:ResourceAccount": stranger}
	assert.True(t, p.allows(t, request{action: "s3:GetObject", resource: "arn:aws:s3:::shared-training-data/x", context: foreign}))
	assert.False(t, p.allows(t, request{action: "s3:PutObject", resource: "arn:aws:s3:::shared-training-data/x", context: foreign}))
	assert.False(t, read(t, record(t, "Pulumi.prod.yaml"), "network-s3", "policy").allows(t, request{action: "s3:GetObject", resource: "arn:aws:s3:::shared-training-data/x", context: foreign}))
	given := map[string]string{}
	for _, n := range g.OfType("aws:eks/accessPolicyAssociation:AccessPolicyAssociation") {
		given[text(n, "principalArn")] = text(n, "policyArn")
	}
	const role, policy = "arn:aws:iam::111122223333:role/", "arn:aws:eks::aws:cluster-access-policy/"
	assert.Equal(t, map[string]string{
		role + "platform-deploy": policy + "AmazonEKSClusterAdminPolicy", role + "platform-on-call": policy + "AmazonEKSClusterAdminPolicy",
		role + "data-science": policy + "AmazonEKSViewPolicy",
	}, given)
}

// TestNoPolicyIsWide looks for what no policy of ours may have.
func TestNoPolicyIsWide(t *testing.T) {
	wide := func(g *graph.Graph) []string {
		var bad []string
		for _, n := range g.OfType("aws:iam/rolePolicy:RolePolicy") {
			var p policy
			if err := json.Unmarshal([]byte(text(n, "policy")), &p); err != nil {
				bad = append(bad, n.Name+": "+err.Error())
			}
			for _, s := range p.Statement {
				if slices.Contains(s.Resource, "*") || slices.ContainsFunc(s.Action, func(a string) bool { return strings.Contains(a, "*") }) {
					bad = append(bad, n.Name+" has a wildcard for an action or for all resources")
				}
			}
		}
		for _, n := range g.OfType("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
			if strings.Contains(text(n, "policyArn"), "FullAccess") || strings.Contains(text(n, "policyArn"), "Administrator") {
				bad = append(bad, n.Name+" attaches "+text(n, "policyArn"))
			}
		}
		return bad
	}
	for _, file := range files {
		assert.Empty(t, wide(record(t, file)), file)
	}
	for name, sabotage := range map[string]func(*graph.Graph){
		"every action":   set("identity-policy", "policy", `{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::x"}]}`),
		"every resource": set("identity-policy", "policy", `{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}`),
		"AWS' widest":    set("cluster-nodes-AmazonEKSWorkerNodePolicy", "policyArn", "arn:aws:iam::aws:policy/AmazonS3FullAccess"),
	} {
		broken := record(t, "Pulumi.prod.yaml").Clone()
		sabotage(broken)
		assert.NotEmpty(t, wide(broken), name)
	}
}

package settings_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// invalid is a configuration and everything the user is told about it.
type invalid struct {
	name    string
	base    func() config
	changes config
	drop    []string
	plain   []string
	want    []string
}

const (
	topLevel = "account, artifacts, auth, authPasswordHashes, budget, cluster, database, exposure, images, mlflow, " +
		"monitoring, namespace, network, platform, profile, protect, region, registryCredentials, s3AccessKeyId, s3AdminAccessKeyId, s3AdminSecretAccessKey, s3SecretAccessKey, tags, tlsPrivateKey"
	wantLabel = "lower-case letters, digits and -, at most 63, starting and ending with a letter or digit"
	wantCron  = "a cron schedule such as 17 2 * * *"
	wantSum   = "(2 replicas + 2 leaving) x (2 parent + 1 workers x 3 engines x (3 pool + 3 overflow)) + 10 jobs + 7 reserved = 97"
)

// structure are mistakes in the shape of the configuration.
var structure = []invalid{
	{name: "unknown key", changes: config{"clutser": `{}`}, want: []string{"clutser is not a setting; want one of " + topLevel}},
	{name: "unknown nested key", changes: config{"cluster": `{"context": "c", "kontext": "d"}`}, want: []string{
		"cluster.kontext is not a setting; want one of addons, admins, apiAccessCIDRs, apiServerCIDRs, apiServerPorts, azurePolicy, context, defender, dnsCIDRs, imageStreaming, kubeconfig, mode, nodes, privateAccessCIDRs, serviceCIDR, systemNodes, version, viewers"}},
	{name: "unknown key two levels down", changes: config{"mlflow": `{"resources": {"cpuLimit": "2"}}`}, want: []string{
		"mlflow.resources.cpuLimit is not a setting; want one of cpuRequest, memoryLimit, memoryRequest"}},
	{name: "key in the wrong case", changes: config{"auth": `{"Users": ["x"]}`}, want: []string{
		"auth.Users is not a setting; want one of mode, users"}},
	{name: "key given twice", changes: config{"auth": `{"mode": "basic", "mode": "basic"}`}, want: []string{
		"auth.mode is given twice; want every key once"}},
	{name: "key given twice, deeper", changes: config{"mlflow": `{"retention": {"days": 30, "days": 40}}`}, want: []string{
		"mlflow.retention.days is given twice; want every key once"}},
	{name: "text for a number", changes: config{"mlflow": `{"replicas": "two"}`}, want: []string{
		`mlflow.replicas is "two"; want a whole number`}},
	{name: "fraction for a number", changes: config{"mlflow": `{"replicas": 1.5}`}, want: []string{
		"mlflow.replicas is 1.5; want a whole number"}},
	{name: "number for text", changes: config{"mlflow": `{"version": 3.17}`}, want: []string{
		"mlflow.version is 3.17; want a string"}},
	{name: "text for a list", changes: config{"auth": `{"users": "admin"}`}, want: []string{
		`auth.users is "admin"; want a list`}},
	{name: "text for a switch", changes: config{"database": `{"installOperator": "yes"}`}, want: []string{
		`database.installOperator is "yes"; want true or false`}},
	{name: "switch that is no JSON", changes: config{"protect": "yes"}, want: []string{
		`protect is "yes"; want true or false`}},
	{name: "text for an object", changes: config{"tags": "team=ml"}, want: []string{`tags is "team=ml"; want an object`}},
	{name: "list for an object", changes: config{"tags": "[]"}, want: []string{"tags is []; want an object"}},
	{name: "number for an object", changes: config{"tags": "5"}, want: []string{"tags is 5; want an object"}},
	{name: "object for a list", changes: config{"auth": `{"users": {"admin": true}}`}, want: []string{`auth.users is {"admin":true}; want a list`}},
	{name: "number in a list", changes: config{"auth": `{"users": ["admin", 7]}`}, want: []string{"auth.users is 7; want a string"}},
	{name: "number for a tag", changes: config{"tags": `{"cost-centre": 4711}`}, want: []string{"tags.cost-centre is 4711; want a string"}},
	{name: "number that is too long", changes: config{"mlflow": `{"replicas": 20000000000000000000}`}, want: []string{
		"mlflow.replicas is 20000000000000000000; want a whole number"}},
	{name: "several in one object", changes: config{"mlflow": `{"replicsa": 2, "workers": "one", "retention": {"enabled": "no"}}`}, want: []string{
		"mlflow.replicsa is not a setting; want one of maxOverflow, poolSize, replicas, resources, retention, tmpGiB, version, workers",
		`mlflow.retention.enabled is "no"; want true or false`,
		`mlflow.workers is "one"; want a whole number`}},
	{name: "object cut short", changes: config{"budget": `{"enabled": false`}, want: []string{
		`budget is "{\"enabled\": false"; want an object`}},
}

// secrets are mistakes with encrypted values.
var secrets = []invalid{
	{name: "secret in plain text", base: production, plain: []string{"s3SecretAccessKey"}, want: []string{
		"s3SecretAccessKey is stored in plain text; set it again with: pulumi config set --secret s3SecretAccessKey",
		"s3SecretAccessKey is required with artifacts.store s3; set it with: pulumi config set --secret s3SecretAccessKey"}},
	{name: "TLS key in plain text", changes: config{"tlsPrivateKey": "k"}, plain: []string{"tlsPrivateKey"}, want: []string{
		"tlsPrivateKey is stored in plain text; set it again with: pulumi config set --secret tlsPrivateKey"}},
	{name: "missing S3 credentials", base: production, drop: []string{"s3AccessKeyId", "s3SecretAccessKey"}, want: []string{
		"s3AccessKeyId is required with artifacts.store s3; set it with: pulumi config set --secret s3AccessKeyId",
		"s3SecretAccessKey is required with artifacts.store s3; set it with: pulumi config set --secret s3SecretAccessKey"}},
	{name: "half of the admin credentials", base: production, changes: config{"s3AdminAccessKeyId": "another id"}, want: []string{
		"s3AdminSecretAccessKey is required with s3AdminAccessKeyId; set it with: pulumi config set --secret s3AdminSecretAccessKey"}},
	{name: "no login in the registry credentials", base: production, changes: config{"registryCredentials": `{"auths": {"registry.example.com": {}}, "credsStore": "pass"}`}, want: []string{
		"registryCredentials is [secret]; want a Docker client's config.json with a login in each of its auths; one with credsStore keeps them elsewhere"}},
	{name: "registry credentials that are no JSON", base: production, changes: config{"registryCredentials": "user:password"}, want: []string{
		"registryCredentials is [secret]; want a Docker client's config.json with a login in each of its auths; one with credsStore keeps them elsewhere"}},
	{name: "the other half", base: production, changes: config{"s3AdminSecretAccessKey": "a key"}, want: []string{
		"s3AdminAccessKeyId is required with s3AdminSecretAccessKey; set it with: pulumi config set --secret s3AdminAccessKeyId"}},
	{name: "the server's key for an admin's", base: production, changes: config{"s3AdminAccessKeyId": "an id", "s3AdminSecretAccessKey": "a key"}, want: []string{
		"s3AdminAccessKeyId is [secret]; want another key than s3AccessKeyId: with the server's everybody who may log in can read the dumps"}},
	{name: "admin credentials for a store with one user", changes: config{"s3AdminAccessKeyId": "an id", "s3AdminSecretAccessKey": "a key"}, want: []string{
		"s3AdminAccessKeyId is [secret]; want nothing with artifacts.store inCluster: the stack makes that store",
		"s3AdminSecretAccessKey is [secret]; want nothing with artifacts.store inCluster: the stack makes that store"}},
	{name: "credentials for a store that the stack makes", changes: config{"s3AccessKeyId": "an id", "s3SecretAccessKey": "a key"}, want: []string{
		"s3AccessKeyId is [secret]; want nothing with artifacts.store inCluster: the stack makes that store",
		"s3SecretAccessKey is [secret]; want nothing with artifacts.store inCluster: the stack makes that store"}},
	{name: "a key without its certificate", changes: config{"tlsPrivateKey": "a key"}, want: []string{
		"tlsPrivateKey is [secret]; want nothing with exposure.tls.source generated"}},
	{name: "password hashes without a login", changes: config{"auth": `{"mode": "none"}`, "authPasswordHashes": `{"bob": "hunter2"}`}, want: []string{
		"authPasswordHashes is [secret]; want nothing with auth.mode none"}},
	{name: "login in a URL", base: production, changes: config{"artifacts": `{"endpoint": "https://id:hunter2@s3.example.com", "cidrs": ["192.0.2.0/24"]}`}, want: []string{
		`artifacts.endpoint is "https://[secret]@s3.example.com"; want a URL without a login: set s3AccessKeyId and s3SecretAccessKey`}},
	{name: "login in a URL that is no list", changes: config{"cluster": `{"context": "c", "apiServerCIDRs": "https://id:hunter2@10.0.0.1"}`}, want: []string{
		`cluster.apiServerCIDRs is "https://[secret]@10.0.0.1"; want a list`}},
	{name: "key for a certificate that is not used", changes: config{"exposure": `{"host": "a.b", "tls": {"certificate": "-----BEGIN PRIVATE KEY-----\nMC4C\n"}}`}, want: []string{
		`exposure.tls.certificate is "[secret]"; want nothing with exposure.tls.source generated`}},
	{name: "password hashes that are no object", changes: config{"authPasswordHashes": "admin:$2y$10$abc"}, want: []string{
		`authPasswordHashes is [secret]; want a JSON object of hashes such as {"user": "$2y$10$..."}`}},
	{name: "password instead of a hash", changes: config{"authPasswordHashes": `{"admin": "hunter2"}`}, want: []string{
		"authPasswordHashes.admin is [secret]; want a bcrypt hash of cost 10 to 12"}},
}

// place are mistakes about where the stack runs.
var place = []invalid{
	{name: "no platform", drop: []string{"platform"}, want: []string{
		"platform is required (kubernetes, aws, azure, gcp); set it with: pulumi config set --path 'mlflow-platform:platform' VALUE"}},
	{name: "unknown platform", changes: config{"platform": "openshift"}, want: []string{`platform is "openshift"; want kubernetes, aws, azure or gcp`}},
	{name: "unknown profile", base: production, changes: config{"profile": "staging"}, want: []string{
		`profile is "staging"; want dev or production`}},
	{name: "namespace that is no label", changes: config{"namespace": "ML_flow"}, want: []string{
		`namespace is "ML_flow"; want ` + wantLabel}},
	{name: "namespace too long", changes: config{"namespace": strings.Repeat("a", 64)}, want: []string{
		`namespace is "` + strings.Repeat("a", 64) + `"; want ` + wantLabel}},
	{name: "somebody else's namespace", changes: config{"namespace": "kube-system"}, want: []string{
		`namespace is "kube-system"; want a namespace of its own`}},
	{name: "the operator's namespace", changes: config{"namespace": "cnpg-system"}, want: []string{
		`namespace is "cnpg-system"; want a namespace of its own`}},
	{name: "managed cluster", changes: config{"cluster": `{"mode": "managed", "context": "c"}`}, want: []string{
		`cluster.mode is "managed"; want existing on platform kubernetes`}},
	{name: "no context", drop: []string{"cluster"}, want: []string{
		"cluster.context is required on platform kubernetes, so that no other cluster is used by accident; " +
			"set it with: pulumi config set --path 'mlflow-platform:cluster.context' VALUE"}},
	{name: "nodes that are not ours", changes: config{"cluster": `{"context": "c", "nodes": {"max": 3}}`}, want: []string{
		"cluster.nodes.max is 3; want nothing on platform kubernetes: the cluster is not ours"}},
	{name: "address for a range", changes: config{"cluster": `{"context": "c", "apiServerCIDRs": ["10.0.0.1"]}`}, want: []string{
		`cluster.apiServerCIDRs is "10.0.0.1"; want an address range such as 10.0.0.0/16`}},
	{name: "resolver for a range", changes: config{"cluster": `{"context": "c", "dnsCIDRs": ["169.254.20.10"]}`}, want: []string{
		`cluster.dnsCIDRs is "169.254.20.10"; want an address range such as 10.0.0.0/16`}},
	{name: "everybody for a resolver", changes: config{"cluster": `{"context": "c", "dnsCIDRs": ["0.0.0.0/0"]}`}, want: []string{
		`cluster.dnsCIDRs is "0.0.0.0/0"; want the addresses of resolvers, not the whole internet`}},
	{name: "no port of the API server", changes: config{"cluster": `{"context": "c", "apiServerPorts": []}`}, want: []string{
		"cluster.apiServerPorts is []; want at least one"}},
	{name: "no such port", changes: config{"cluster": `{"context": "c", "apiServerPorts": [443, 65536]}`}, want: []string{
		"cluster.apiServerPorts is 65536; want 1 to 65535"}},
	{name: "monitoring in no namespace", changes: config{"monitoring": `{"namespace": "Prometheus"}`}, want: []string{
		`monitoring.namespace is "Prometheus"; want ` + wantLabel}},
	{name: "monitoring in the workload's namespace", changes: config{"monitoring": `{"namespace": "mlflow"}`}, want: []string{
		`monitoring.namespace is "mlflow"; want another namespace than the workload's`}},
	{name: "range with host bits", changes: config{"cluster": `{"context": "c", "apiServerCIDRs": ["10.0.0.1/16"]}`}, want: []string{
		`cluster.apiServerCIDRs is "10.0.0.1/16"; want an address range such as 10.0.0.0/16`}},
	{name: "region without a cloud", changes: config{"region": "eu-central-1"}, want: []string{
		`region is "eu-central-1"; want nothing on platform kubernetes: the cluster is not ours`}},
	{name: "budget without a bill", changes: config{"budget": `{"enabled": true, "monthlyUSD": 500, "emails": ["a@example.com"]}`}, want: []string{
		"budget.enabled is true; want false, the default, on platform kubernetes: there is no cloud bill to watch",
		"budget.monthlyUSD is 500; want nothing on platform kubernetes: there is no cloud bill to watch",
		`budget.emails is ["a@example.com"]; want nothing on platform kubernetes: there is no cloud bill to watch`}},
}

// database are mistakes about PostgreSQL.
var database = []invalid{
	{name: "managed database", changes: config{"database": `{"mode": "managed"}`}, want: []string{
		`database.mode is "managed"; want inCluster on platform kubernetes`}},
	{name: "two instances", changes: config{"database": `{"instances": 2}`}, want: []string{
		"database.instances is 2; want 1, or 3 for a primary and two replicas"}},
	{name: "operator elsewhere", changes: config{"database": `{"operatorNamespace": "operators"}`}, want: []string{
		`database.operatorNamespace is "operators"; want cnpg-system with database.installOperator true: the release manifest says so`}},
	{name: "operator in the workload's namespace", changes: config{"database": `{"installOperator": false, "operatorNamespace": "mlflow"}`}, want: []string{
		`database.operatorNamespace is "mlflow"; want the namespace of the operator's pods, not the workload's`}},
	{name: "one instance in production", base: production, changes: config{"database": `{"instances": 1}`}, want: []string{
		"database.instances is 1; want 3 in profile production"}},
	{name: "no storage", changes: config{"database": `{"storageGiB": 0}`}, want: []string{
		"database.storageGiB is 0; want at least 1"}},
	{name: "the 20 connections of tutorials", changes: config{"database": `{"maxConnections": 20}`}, want: []string{
		"database.maxConnections is 20; want at least " + wantSum}},
	{name: "memory limit below the request", changes: config{"database": `{"resources": {"memoryRequest": "4Gi", "memoryLimit": "2Gi"}}`}, want: []string{
		`database.resources.memoryLimit is "2Gi"; want at least the request, 4Gi`}},
	{name: "quantities that are none", changes: config{"database": `{"resources": {"cpuRequest": "lots", "memoryRequest": "", "memoryLimit": "-1Gi"}}`}, want: []string{
		`database.resources.cpuRequest is "lots"; want a quantity such as 500m`,
		`database.resources.memoryRequest is ""; want a quantity such as 2Gi`,
		`database.resources.memoryLimit is "-1Gi"; want a quantity such as 4Gi`}},
	{name: "backup schedule", changes: config{"database": `{"backup": {"schedule": "daily"}}`}, want: []string{
		`database.backup.schedule is "daily"; want ` + wantCron}},
	{name: "backup kept for no time", changes: config{"database": `{"backup": {"retentionDays": 0}}`}, want: []string{
		"database.backup.retentionDays is 0; want at least 1"}},
	{name: "production without backup", base: production, changes: config{"database": `{"backup": {"enabled": false}}`}, want: []string{
		"database.backup.enabled is false; want true in profile production"}},
}

// artifacts are mistakes about the bucket.
var artifacts = []invalid{
	{name: "unknown store", changes: config{"artifacts": `{"store": "gcs"}`}, want: []string{
		`artifacts.store is "gcs"; want inCluster or s3 on platform kubernetes`}},
	{name: "in-cluster store in production", base: production, changes: config{"artifacts": `{"store": "inCluster"}`}, want: []string{
		`artifacts.store is "inCluster"; want s3 in profile production: the in-cluster store has one copy of the data`}},
	{name: "in-cluster store with an endpoint", changes: config{"artifacts": `{"store": "inCluster", "endpoint": "https://s3", "region": "eu-central-1",
		"caCertificate": "c", "cidrs": ["192.0.2.0/24"]}`}, want: []string{
		`artifacts.endpoint is "https://s3"; want nothing with artifacts.store inCluster: the stack makes that store`,
		`artifacts.region is "eu-central-1"; want "us-east-1", the default, with artifacts.store inCluster: the stack makes that store`,
		`artifacts.caCertificate is "c"; want nothing with artifacts.store inCluster: the stack makes that store`,
		`artifacts.cidrs is ["192.0.2.0/24"]; want nothing with artifacts.store inCluster: the stack makes that store`}},
	{name: "in-cluster store with a transition", changes: config{"artifacts": `{"store": "inCluster", "transitionDays": 30}`}, want: []string{
		"artifacts.transitionDays is 30; want nothing with artifacts.store inCluster: it has one storage class"}},
	{name: "class without a transition", base: production, changes: config{"artifacts": `{"endpoint": "https://s3", "cidrs": ["192.0.2.0/24"], "transitionClass": "GLACIER_IR"}`}, want: []string{
		`artifacts.transitionClass is "GLACIER_IR"; want "STANDARD_IA", the default, with artifacts.transitionDays 0`}},
	{name: "storage of an endpoint", base: production, changes: config{"artifacts": `{"endpoint": "https://s3", "cidrs": ["192.0.2.0/24"], "storageGiB": 500}`}, want: []string{
		"artifacts.storageGiB is 500; want 20, the default, with artifacts.store s3"}},
	{name: "in-cluster store without storage", changes: config{"artifacts": `{"store": "inCluster", "storageGiB": 0}`}, want: []string{
		"artifacts.storageGiB is 0; want at least 1"}},
	{name: "endpoint without TLS", base: production, changes: config{"artifacts": `{"endpoint": "http://s3", "cidrs": ["192.0.2.0/24"]}`}, want: []string{
		`artifacts.endpoint is "http://s3"; want an https URL with store s3`}},
	{name: "endpoint without addresses", base: production, changes: config{"artifacts": `{"endpoint": "https://s3"}`}, want: []string{
		"artifacts.cidrs is []; want the addresses of the endpoint with store s3: egress goes nowhere else"}},
	{name: "endpoint with a name for an address", base: production, changes: config{"artifacts": `{"endpoint": "https://s3", "cidrs": ["s3"]}`}, want: []string{
		`artifacts.cidrs is "s3"; want an address range such as 10.0.0.0/16`}},
	{name: "authority that is no certificate", base: production, changes: config{"artifacts": `{"endpoint": "https://s3", "cidrs": ["192.0.2.0/24"], "caCertificate": "trust me"}`}, want: []string{
		`artifacts.caCertificate is "not PEM"; want a PEM certificate bundle`}},
	{name: "bucket name", changes: config{"artifacts": `{"store": "inCluster", "bucket": "My.Bucket"}`}, want: []string{
		`artifacts.bucket is "My.Bucket"; want 3 to 63 lower-case letters, digits and -, starting and ending with a letter or digit`}},
	{name: "object ages", base: production, changes: config{"artifacts": `{"endpoint": "https://s3", "cidrs": ["192.0.2.0/24"],
		"noncurrentDays": 0, "abortUploadDays": 0, "transitionDays": 7, "maxUploadMiB": 0}`}, want: []string{
		"artifacts.noncurrentDays is 0; want at least 1",
		"artifacts.abortUploadDays is 0; want at least 1",
		"artifacts.transitionDays is 7; want 0, or at least 30 (cheap classes bill 30 days)",
		"artifacts.maxUploadMiB is 0; want at least 1"}},
}

// server are mistakes about MLflow.
var server = []invalid{
	{name: "the version many guides pin", changes: config{"mlflow": `{"version": "3.3.2"}`}, want: []string{
		`mlflow.version is "3.3.2"; want a release, 3.11.0 or later`}},
	{name: "no version", changes: config{"mlflow": `{"version": "latest"}`}, want: []string{
		`mlflow.version is "latest"; want a release, 3.11.0 or later`}},
	{name: "a pre-release", changes: config{"mlflow": `{"version": "3.18.0-rc.1"}`}, want: []string{
		`mlflow.version is "3.18.0-rc.1"; want a release, 3.11.0 or later`}},
	{name: "a build", changes: config{"mlflow": `{"version": "3.18.0+cu121"}`}, want: []string{
		`mlflow.version is "3.18.0+cu121"; want a release, 3.11.0 or later`}},
	{name: "no replicas", changes: config{"mlflow": `{"replicas": 0}`}, want: []string{"mlflow.replicas is 0; want at least 1"}},
	{name: "one replica in production", base: production, changes: config{"mlflow": `{"replicas": 1}`}, want: []string{
		"mlflow.replicas is 1; want at least 2 in profile production"}},
	{name: "more pods than connections", changes: config{"mlflow": `{"replicas": 3}`}, want: []string{
		"database.maxConnections is 100; want at least " +
			"(3 replicas + 3 leaving) x (2 parent + 1 workers x 3 engines x (3 pool + 3 overflow)) + 10 jobs + 7 reserved = 137"}},
	{name: "no workers", changes: config{"mlflow": `{"workers": 0}`}, want: []string{"mlflow.workers is 0; want 1 to 16"}},
	{name: "overflow that MLflow ignores", changes: config{"mlflow": `{"maxOverflow": 0}`}, want: []string{
		"mlflow.maxOverflow is 0; want at least 1: MLflow ignores 0 and opens 10 more"}},
	{name: "no pool", changes: config{"mlflow": `{"poolSize": 0}`}, want: []string{"mlflow.poolSize is 0; want at least 1"}},
	{name: "no scratch space", changes: config{"mlflow": `{"tmpGiB": 0}`}, want: []string{"mlflow.tmpGiB is 0; want at least 1"}},
	{name: "memory", changes: config{"mlflow": `{"resources": {"memoryLimit": "1Gi"}}`}, want: []string{
		`mlflow.resources.memoryLimit is "1Gi"; want at least the request, 2Gi`}},
	{name: "retention", changes: config{"mlflow": `{"retention": {"schedule": "x", "days": 0, "trashDays": 0, "maxDeletions": 0}}`}, want: []string{
		`mlflow.retention.schedule is "x"; want ` + wantCron,
		"mlflow.retention.days is 0; want at least 1",
		"mlflow.retention.trashDays is 0; want at least 1",
		"mlflow.retention.maxDeletions is 0; want at least 1"}},
}

// entry are mistakes about the way in.
var entry = []invalid{
	{name: "unknown login", changes: config{"auth": `{"mode": "oidc"}`}, want: []string{
		`auth.mode is "oidc"; want basic, or none in profile dev`}},
	{name: "no login in production", base: production, changes: config{"auth": `{"mode": "none"}`}, want: []string{
		`auth.mode is "none"; want basic in profile production`}},
	{name: "nobody", changes: config{"auth": `{"users": []}`}, want: []string{
		"auth.users is []; want at least one user with auth.mode basic"}},
	{name: "user with a colon", changes: config{"auth": `{"users": ["a:b"]}`}, want: []string{
		`auth.users is "a:b"; want lower-case letters, digits and -._, at most 63`}},
	{name: "user twice", changes: config{"auth": `{"users": ["a", "a"]}`}, want: []string{`auth.users is "a"; want every user once`}},
	{name: "the job's user", changes: config{"auth": `{"users": ["mlflow-retention"]}`}, want: []string{
		`auth.users is "mlflow-retention"; want another name: the platform's own job uses it`}},
	{name: "no host", drop: []string{"exposure"}, want: []string{
		"exposure.host is required unless exposure.mode is none; set it with: pulumi config set --path 'mlflow-platform:exposure.host' VALUE"}},
	{name: "URL for a host", changes: config{"exposure": `{"host": "https://mlflow.example.com"}`}, want: []string{
		`exposure.host is "https://mlflow.example.com"; want a DNS name without scheme or port`}},
	{name: "port", changes: config{"exposure": `{"host": "a.b", "port": 70000}`}, want: []string{"exposure.port is 70000; want 1 to 65535"}},
	{name: "unknown exposure", changes: config{"exposure": `{"mode": "nodePort", "host": "a.b"}`}, want: []string{
		`exposure.mode is "nodePort"; want loadBalancer, ingress, gateway, none`}},
	{name: "ingress without its controller", changes: config{"exposure": `{"mode": "ingress", "host": "a.b"}`}, want: []string{
		"exposure.controllerNamespace is required with exposure.mode ingress; " +
			"set it with: pulumi config set --path 'mlflow-platform:exposure.controllerNamespace' VALUE"}},
	{name: "sources behind a controller", changes: config{"exposure": `{"mode": "ingress", "host": "a.b", "controllerNamespace": "i", "sourceCIDRs": ["192.0.2.0/24"]}`}, want: []string{
		`exposure.sourceCIDRs is ["192.0.2.0/24"]; want nothing with exposure.mode ingress: limit sources at the controller`}},
	{name: "sources behind a gateway", changes: config{"exposure": `{"mode": "gateway", "host": "a.b", "controllerNamespace": "i", "parentGateway": "i/public/https", "sourceCIDRs": ["192.0.2.0/24"]}`}, want: []string{
		`exposure.sourceCIDRs is ["192.0.2.0/24"]; want nothing with exposure.mode gateway: limit sources at the controller`}},
	{name: "controller of a load balancer", changes: config{"exposure": `{"host": "a.b", "parentGateway": "i/public/https", "controllerNamespace": "i"}`}, want: []string{
		`exposure.parentGateway is "i/public/https"; want nothing unless exposure.mode is gateway`,
		`exposure.controllerNamespace is "i"; want nothing unless exposure.mode is ingress or gateway`}},
	{name: "parent of an ingress", changes: config{"exposure": `{"mode": "ingress", "host": "a.b", "controllerNamespace": "i", "parentGateway": "i/public/https"}`}, want: []string{
		`exposure.parentGateway is "i/public/https"; want nothing unless exposure.mode is gateway`}},
	{name: "class of a gateway", changes: config{"exposure": `{"mode": "gateway", "host": "a.b", "controllerNamespace": "i", "parentGateway": "i/public/https", "ingressClass": "nginx"}`}, want: []string{
		`exposure.ingressClass is "nginx"; want nothing unless exposure.mode is ingress`}},
	{name: "details of no way in", changes: config{"exposure": `{"mode": "none", "port": 8443, "sourceCIDRs": ["192.0.2.0/24"], "annotations": {"a": "b"}, "ingressClass": "nginx", "controllerNamespace": "i"}`}, want: []string{
		"exposure.port is 8443; want 443, the default, without exposure.host",
		`exposure.sourceCIDRs is ["192.0.2.0/24"]; want nothing with exposure.mode none: no way leads in`,
		`exposure.annotations is {"a":"b"}; want nothing with exposure.mode none: no way leads in`,
		`exposure.ingressClass is "nginx"; want nothing unless exposure.mode is ingress`,
		`exposure.controllerNamespace is "i"; want nothing unless exposure.mode is ingress or gateway`}},
	{name: "class without ingress", changes: config{"exposure": `{"host": "a.b", "ingressClass": "nginx"}`}, want: []string{
		`exposure.ingressClass is "nginx"; want nothing unless exposure.mode is ingress`}},
	{name: "gateway without a parent", changes: config{"exposure": `{"mode": "gateway", "host": "a.b", "controllerNamespace": "i", "parentGateway": "public"}`}, want: []string{
		`exposure.parentGateway is "public"; want namespace/name/listener of a Gateway's HTTPS listener`}},
	{name: "unknown TLS", changes: config{"exposure": `{"host": "a.b", "tls": {"source": "acme"}}`}, want: []string{
		`exposure.tls.source is "acme"; want generated or config`}},
	{name: "certificate that is not used", changes: config{"exposure": `{"host": "a.b", "tls": {"certificate": "c"}}`}, want: []string{
		`exposure.tls.certificate is "c"; want nothing with exposure.tls.source generated`}},
	{name: "certificate and key missing", changes: config{"exposure": `{"host": "a.b", "tls": {"source": "config"}}`}, want: []string{
		"tlsPrivateKey is required with exposure.tls.source config; set it with: pulumi config set --secret tlsPrivateKey",
		`exposure.tls.certificate is "not PEM"; want a PEM certificate chain`}},
	{name: "local images in production", base: production, changes: config{"images": `{"source": "local"}`}, want: []string{
		`images.source is "local"; want upstream in profile production and on clouds: nobody loads images into their nodes`}},
	{name: "unknown images", changes: config{"images": `{"source": "mirror"}`}, want: []string{
		`images.source is "mirror"; want upstream or local`}},
	{name: "mirror of local images", changes: config{"images": `{"source": "local", "registry": "r.example.com"}`}, want: []string{
		`images.registry is "r.example.com"; want nothing with images.source local`}},
	{name: "another version of a local image", changes: config{"images": `{"source": "local"}`, "mlflow": `{"version": "3.12.0"}`}, want: []string{
		`mlflow.version is "3.12.0"; want ` + settings.DefaultMLflowVersion + ` with images.source local: it is the one that is built`}},
	{name: "image without a tag", changes: config{"images": `{"mlflow": "registry.example.com:5000/mlflow"}`}, want: []string{
		`images.mlflow is "registry.example.com:5000/mlflow"; want a reference with an exact tag or digest`}},
	{name: "latest image", changes: config{"images": `{"mlflow": "mlflow:latest"}`}, want: []string{
		`images.mlflow is "mlflow:latest"; want a reference with an exact tag or digest`}},
}

// onAWS are mistakes about the cloud.
var onAWS = []invalid{
	{name: "nothing but the platform", base: cloud, drop: []string{"region", "account", "tags", "cluster", "budget"}, want: []string{
		`region is ""; want an AWS region such as eu-central-1`,
		`account is ""; want the 12 digits of the AWS account`,
		"cluster.admins is []; want at least the role that runs pulumi up: nobody else has access",
		"cluster.apiAccessCIDRs is []; want the networks of whoever runs pulumi and kubectl, or cluster.privateAccessCIDRs with them if they are connected with the cluster's",
		"tags.owner is required on a cloud: whose bill is it?; set it with: pulumi config set --path 'mlflow-platform:tags.owner' VALUE",
		"tags.cost-centre is required on a cloud: whose bill is it?; set it with: pulumi config set --path 'mlflow-platform:tags.cost-centre' VALUE",
		"budget.emails is []; want at least one address: budget and alarms are of use to nobody without"}},
	{name: "another partition", base: cloud, changes: config{"region": "cn-north-1"}, want: []string{
		`region is "cn-north-1"; want an AWS region such as eu-central-1`}},
	{name: "API open to the internet", base: cloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "apiAccessCIDRs": ["0.0.0.0/0"]}`}, want: []string{
		`cluster.apiAccessCIDRs is "0.0.0.0/0"; want listed networks in profile production, not the whole internet`}},
	{name: "API for nobody's addresses", base: cloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "privateAccessCIDRs": ["0.0.0.0/0", "2001:db8::/32", "10.0.0.1/8"], "serviceCIDR": "10.0.0.0/8", "apiAccessCIDRs": ["10.0.0.0/8", "2001:db8::/32"]}`,
		"exposure": `{"host": "a.b", "sourceCIDRs": ["2001:db8::/32"], "annotations": {"service.beta.kubernetes.io/aws-load-balancer-subnets": "subnet-1"}}`}, want: []string{
		`cluster.apiAccessCIDRs is "2001:db8::/32"; want IPv4 addresses: the cluster's network has no others`,
		`cluster.privateAccessCIDRs is "10.0.0.1/8"; want an address range such as 10.0.0.0/16`,
		`cluster.privateAccessCIDRs is "2001:db8::/32"; want IPv4 addresses: the cluster's network has no others`,
		`cluster.privateAccessCIDRs is "0.0.0.0/0"; want listed networks, not every one`,
		`cluster.apiAccessCIDRs is "10.0.0.0/8"; want public addresses: private ones belong into cluster.privateAccessCIDRs`,
		`cluster.serviceCIDR is "10.0.0.0/8"; want a private range of 12 to 24 bits such as 172.20.0.0/16`,
		`exposure.annotations is "service.beta.kubernetes.io/aws-load-balancer-subnets"; want the subnets in network.loadBalancerSubnetIds, with network.vpcId`,
		`exposure.sourceCIDRs is "2001:db8::/32"; want IPv4 addresses: the cluster's network has no others`}},
	{name: "tags that IAM takes for one", base: cloud, changes: config{"tags": `{"owner": "a", "Owner": "b", "cost-centre": "1", "Project": "p"}`}, want: []string{
		`tags.Project is "p"; want another name: for IAM it is the tag project, which is there already`,
		`tags.owner is "a"; want another name: for IAM it is the tag Owner, which is there already`}},
	{name: "image of another version", base: cloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "apiAccessCIDRs": ["198.51.100.0/24"], "nodes": {"release": "1.35.2-20261101"}}`}, want: []string{
		`cluster.nodes.release is "1.35.2-20261101"; want nothing, or a release of the nodes' image for cluster.version 1.36, such as 1.36.1-20261101`}},
	{name: "nodes of another architecture", base: cloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "apiAccessCIDRs": ["198.51.100.0/24"], "nodes": {"type": "m7gd.xlarge"}}`,
		"budget": `{"emails": ["a@example.com"], "enforceEstimate": false}`}, want: []string{
		`cluster.nodes.type is "m7gd.xlarge"; want an EC2 instance type of x86 such as m7i.xlarge`}},
	{name: "cluster of others", base: cloud, changes: config{"cluster": `{"mode": "existing", "context": "c", "admins": ["bob"], "apiAccessCIDRs": ["198.51.100.0/24"], "version": "1.33", "nodes": {"type": "large", "diskGiB": 30, "min": 1, "desired": 3, "max": 2}}`}, want: []string{
		`cluster.mode is "existing"; want managed on platform aws`,
		`cluster.version is "1.33"; want 1.35, 1.36, 1.37`,
		`cluster.admins is "bob"; want the ARN of an IAM role or user`,
		`cluster.nodes.type is "large"; want an EC2 instance type of x86 such as m7i.xlarge`,
		"cluster.nodes.diskGiB is 30; want at least 40: the system, images, logs and what kubelet keeps free",
		"mlflow.tmpGiB is 20; want at most half of cluster.nodes.diskGiB, 30",
		`cluster.nodes is {"type":"large","release":"","diskGiB":30,"min":1,"desired":3,"max":2}; want 1 <= min <= desired <= max`,
		"cluster.nodes.min is 1; want at least 3 in profile production: one in every zone",
		`cluster.context is "c"; want nothing on platform aws: the stack makes the cluster`}},
	{name: "what only an existing cluster needs", base: cloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "apiAccessCIDRs": ["198.51.100.0/24"],
		"kubeconfig": "k", "apiServerCIDRs": ["10.0.0.1/32"], "apiServerPorts": [6443], "dnsCIDRs": ["10.0.0.2/32"]}`}, want: []string{
		`cluster.kubeconfig is "k"; want nothing on platform aws: the stack makes the cluster`,
		`cluster.apiServerCIDRs is ["10.0.0.1/32"]; want nothing on platform aws: the stack makes the cluster`,
		"cluster.apiServerPorts is [6443]; want [443], the default, on platform aws: the stack makes the cluster",
		`cluster.dnsCIDRs is ["10.0.0.2/32"]; want nothing on platform aws: the stack makes the cluster`}},
	{name: "what only a database in the cluster needs", base: cloud, changes: config{"database": `{"instances": 2, "storageClass": "fast",
		"resources": {"cpuRequest": "1"}, "installOperator": false, "operatorNamespace": "databases"}`}, want: []string{
		"database.instances is 2; want 3, the default, with database.mode managed: the database is not in the cluster",
		`database.storageClass is "fast"; want nothing with database.mode managed: the database is not in the cluster`,
		`database.resources.cpuRequest is "1"; want "500m", the default, with database.mode managed: the database is not in the cluster`,
		"database.installOperator is false; want true, the default, with database.mode managed: the database is not in the cluster",
		`database.operatorNamespace is "databases"; want "cnpg-system", the default, with database.mode managed: the database is not in the cluster`}},
	{name: "what only an S3 endpoint needs", base: cloud, changes: config{
		"artifacts":     `{"endpoint": "https://s3", "region": "eu-central-1", "caCertificate": "c", "cidrs": ["192.0.2.0/24"], "storageGiB": 500}`,
		"s3AccessKeyId": "an id", "s3SecretAccessKey": "a key", "s3AdminAccessKeyId": "an id", "s3AdminSecretAccessKey": "a key"}, want: []string{
		`artifacts.endpoint is "https://s3"; want nothing on platform aws: the stack makes the bucket`,
		`artifacts.region is "eu-central-1"; want nothing on platform aws: the stack makes the bucket`,
		`artifacts.caCertificate is "c"; want nothing on platform aws: the stack makes the bucket`,
		`artifacts.cidrs is ["192.0.2.0/24"]; want nothing on platform aws: the stack makes the bucket`,
		"artifacts.storageGiB is 500; want 20, the default, on platform aws: the stack makes the bucket",
		"s3AccessKeyId is [secret]; want nothing on platform aws: the stack makes the bucket",
		"s3SecretAccessKey is [secret]; want nothing on platform aws: the stack makes the bucket",
		"s3AdminAccessKeyId is [secret]; want nothing on platform aws: the stack makes the bucket",
		"s3AdminSecretAccessKey is [secret]; want nothing on platform aws: the stack makes the bucket"}},
	{name: "local images", base: cloud, changes: config{"profile": "dev", "images": `{"source": "local"}`}, want: []string{
		`images.source is "local"; want upstream in profile production and on clouds: nobody loads images into their nodes`}},
	{name: "misspelled add-on", base: cloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "apiAccessCIDRs": ["198.51.100.0/24"], "addons": {"core-dns": "v1.12.0"}}`}, want: []string{
		"cluster.addons.core-dns is not an add-on of the cluster; want one of aws-ebs-csi-driver, coredns, eks-node-monitoring-agent, eks-pod-identity-agent, kube-proxy, metrics-server, vpc-cni"}},
	{name: "network", base: cloud, changes: config{"network": `{"cidr": "203.0.113.0/24", "natGateways": 2, "readableBuckets": ["data-sets", "Data_Sets/*"]}`}, want: []string{
		`network.cidr is "203.0.113.0/24"; want a private range of 16 to 20 bits such as 10.20.0.0/16`,
		"network.natGateways is 2; want 1, or 3 for one in every zone",
		`network.readableBuckets is "Data_Sets/*"; want the name of a bucket`}},
	{name: "viewers and disks", base: cloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "viewers": ["arn:aws:iam::111122223333:role/a", "bob"], "apiAccessCIDRs": ["198.51.100.0/24"], "nodes": {"diskGiB": 70000}}`,
		"budget": `{"emails": ["a@example.com"], "enforceEstimate": false}`}, want: []string{
		`cluster.viewers is "arn:aws:iam::111122223333:role/a"; want somebody who is not in cluster.admins`,
		`cluster.viewers is "bob"; want the ARN of an IAM role or user`,
		"cluster.nodes.diskGiB is 70000; want at most 65536: gp3 has no larger volume"}},
	{name: "Services in the network", base: cloud, changes: config{"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "apiAccessCIDRs": ["198.51.100.0/24"], "serviceCIDR": "10.20.128.0/20"}`}, want: []string{
		`cluster.serviceCIDR is "10.20.128.0/20"; want a range outside of network.cidr, 10.20.0.0/16`}},
	{name: "existing network", base: cloud, changes: config{
		"network":  `{"vpcId": "vpc-1", "cidr": "10.30.0.0/16", "natGateways": 1, "flowLogs": false, "privateSubnetIds": ["subnet-0123abcd", "subnet-0123abcd"], "databaseSubnetIds": ["mine"]}`,
		"exposure": `{"host": "a.b"}`, "budget": `{"monthlyUSD": 2000, "emails": ["a@example.com"], "usage": {"natGiB": 1}}`}, want: []string{
		`network.vpcId is "vpc-1"; want the id of a VPC such as vpc-0123456789abcdef0`,
		`network.privateSubnetIds is ["subnet-0123abcd","subnet-0123abcd"]; want at least 3 with network.vpcId, in three zones`,
		`network.databaseSubnetIds is ["mine"]; want none, or at least 2 in two zones`,
		"network.loadBalancerSubnetIds is []; want one in every zone of the nodes with network.vpcId and exposure.mode loadBalancer",
		`network.privateSubnetIds is "subnet-0123abcd"; want every subnet once`,
		`network.databaseSubnetIds is "mine"; want ids of subnets such as subnet-0123456789abcdef0`,
		`network.cidr is "10.30.0.0/16"; want "10.20.0.0/16", the default, with network.vpcId: that network has its own`,
		"network.natGateways is 1; want 3, the default, with network.vpcId: that network has its own",
		"network.flowLogs is false; want true, the default, with network.vpcId: that network has its own",
		"budget.usage.natGiB is 1; want 100, the default, with network.vpcId: that network has its own"}},
	{name: "subnets of no network", base: cloud, changes: config{
		"network": `{"privateSubnetIds": ["subnet-0123abcd"], "databaseSubnetIds": ["subnet-0123abcd"], "loadBalancerSubnetIds": ["subnet-0123abcd"]}`}, want: []string{
		`network.privateSubnetIds is ["subnet-0123abcd"]; want nothing without network.vpcId: the stack makes the network`,
		`network.databaseSubnetIds is ["subnet-0123abcd"]; want nothing without network.vpcId: the stack makes the network`,
		`network.loadBalancerSubnetIds is ["subnet-0123abcd"]; want nothing without network.vpcId: the stack makes the network`}},
	{name: "subnets for nothing", base: cloud, changes: config{
		"network": `{"vpcId": "vpc-0123abcd", "privateSubnetIds": ["subnet-0123abca", "subnet-0123abcb", "subnet-0123abcc"],
			"databaseSubnetIds": ["subnet-0123abca", "subnet-0123abcb", "subnet-0123abcc"], "loadBalancerSubnetIds": ["subnet-0123abca"]}`,
		"database": `{"mode": "inCluster"}`, "exposure": `{"mode": "none"}`}, want: []string{
		`network.databaseSubnetIds is ["subnet-0123abca","subnet-0123abcb","subnet-0123abcc"]; want nothing with database.mode inCluster`,
		`network.loadBalancerSubnetIds is ["subnet-0123abca"]; want nothing unless exposure.mode is loadBalancer`}},
	{name: "database", base: cloud, changes: config{"database": `{"mode": "external", "instanceType": "large", "storageGiB": 10, "maxStorageGiB": 10, "passwordVersion": 0, "highAvailability": false, "backup": {"retentionDays": 60}}`}, want: []string{
		`database.mode is "external"; want managed or inCluster on platform aws`,
		`database.instanceType is "large"; want an RDS instance class such as db.m7g.large`,
		"database.storageGiB is 10; want at least 20: RDS has no smaller volume",
		"database.passwordVersion is 0; want at least 1",
		"database.maxStorageGiB is 10; want at least a tenth more than database.storageGiB",
		"database.highAvailability is false; want true in profile production",
		"database.backup.retentionDays is 60; want at most 35: RDS keeps backups no longer"}},
	{name: "database in the cluster", base: cloud, changes: config{"database": `{"mode": "inCluster", "instances": 1, "instanceType": "db.m7g.xlarge", "maxStorageGiB": 500, "highAvailability": false, "passwordVersion": 2,
		"storageClass": "fast", "operatorNamespace": "mlflow"}`}, want: []string{
		"database.instances is 1; want 3 in profile production",
		`database.operatorNamespace is "mlflow"; want cnpg-system with database.installOperator true: the release manifest says so`,
		"database.maxStorageGiB is 500; want 1000, the default, with database.mode inCluster",
		`database.instanceType is "db.m7g.xlarge"; want "db.m7g.large", the default, with database.mode inCluster`,
		"database.highAvailability is false; want true, the default, with database.mode inCluster",
		"database.passwordVersion is 2; want 1, the default, with database.mode inCluster",
		`database.storageClass is "fast"; want nothing on platform aws: the stack makes a class with a key of its own`}},
	{name: "bucket", base: cloud, changes: config{"artifacts": `{"store": "s3", "bucket": "mine"}`}, want: []string{
		`artifacts.store is "s3"; want managed on platform aws`,
		`artifacts.bucket is "mine"; want nothing on platform aws: the stack makes the bucket`}},
	{name: "more than the budget", base: cloud, changes: config{"budget": `{"emails": ["a@example.com"]}`}, want: []string{
		`budget.monthlyUSD is 500; want at least 1175, or budget.enforceEstimate false: estimate: 1174.72 USD a month (AWS list prices in eu-central-1 of September 2026)
    73.00  EKS control plane: 1 cluster
   528.88  nodes: 3 m7i.xlarge
    22.85  disks of the nodes: 240 GiB gp3
   292.00  database: 2 db.m7g.large
    54.80  database storage: 400 GiB gp3
   113.88  NAT gateways: 3 gateways
    19.71  load balancer: 1 network load balancer
    21.90  public IPv4 addresses: 6 addresses
     5.00  KMS keys: 5 keys
     1.20  secrets: 3 secrets
     0.50  alarms: 5 alarms
    12.25  usage: objects in the bucket: 500 GiB
     5.20  usage: traffic through NAT: 100 GiB
     9.00  usage: downloads over the internet: 100 GiB
    14.54  usage: logs: 20 GiB
not in it: tax, discounts, capacity units of the load balancer, snapshots beyond the size of the database, requests, traffic between zones, credits of t3 and t4g above their baseline, nodes that autoscaling adds, releases of Kubernetes and PostgreSQL in extended support`}},
	{name: "a region without prices", base: cloud, changes: config{"region": "ap-south-1"}, want: []string{
		`region is "ap-south-1"; want one of eu-central-1, eu-west-1, us-east-1, us-west-2, whose prices the release has, or budget.enforceEstimate false`}},
	{name: "types without prices", base: cloud, changes: config{"database": `{"instanceType": "db.x2g.large"}`,
		"cluster": `{"admins": ["arn:aws:iam::111122223333:role/a"], "apiAccessCIDRs": ["198.51.100.0/24"], "nodes": {"type": "c7i.2xlarge"}}`}, want: []string{
		`cluster.nodes.type is "c7i.2xlarge"; want a type whose price the release has, or its price in budget.hourlyUSD, or budget.enforceEstimate false`,
		`database.instanceType is "db.x2g.large"; want a type whose price the release has, or its price in budget.hourlyUSD, or budget.enforceEstimate false`}},
	{name: "prices and usage", base: cloud, changes: config{"budget": `{"monthlyUSD": 5000, "emails": ["a@example.com"],
		"hourlyUSD": {"m7i.xlarge": 0, "m6i.xlarge": "0.2"}, "usage": {"storedGiB": -1, "natGiB": -1, "downloadedGiB": -1, "loggedGiB": -1}}`}, want: []string{
		`budget.hourlyUSD.m6i.xlarge is "0.2"; want a number`,
		"budget.usage.storedGiB is -1; want at least 0",
		"budget.usage.natGiB is -1; want at least 0",
		"budget.usage.downloadedGiB is -1; want at least 0",
		"budget.usage.loggedGiB is -1; want at least 0",
		"budget.hourlyUSD.m7i.xlarge is 0; want more than 0"}},
	{name: "budget", base: cloud, changes: config{"budget": `{"monthlyUSD": 0, "emails": ["nobody", "Ana <ana@example.com>", "1@a.b", "2@a.b", "3@a.b", "4@a.b", "5@a.b", "6@a.b", "7@a.b", "8@a.b", "9@a.b"]}`}, want: []string{
		"budget.monthlyUSD is 0; want at least 1",
		`budget.emails is "nobody"; want an e-mail address, without a name`,
		`budget.emails is "Ana <ana@example.com>"; want an e-mail address, without a name`,
		`budget.emails is ["nobody","Ana <ana@example.com>","1@a.b","2@a.b","3@a.b","4@a.b","5@a.b","6@a.b","7@a.b","8@a.b","9@a.b"]; want at most 10: a list has room for more people`}},
	{name: "a cloud's settings without a cloud", changes: config{"account": "111122223333", "network": `{"natGateways": 1, "flowLogs": true}`,
		"cluster":   `{"context": "c", "version": "1.36", "apiAccessCIDRs": ["192.0.2.0/24"], "admins": ["a"], "addons": {"coredns": "v1"}}`,
		"artifacts": `{"store": "managed"}`, "database": `{"maxStorageGiB": 500, "instanceType": "db.m7g.large", "highAvailability": true}`}, want: []string{
		`artifacts.store is "managed"; want inCluster or s3 on platform kubernetes`,
		`account is "111122223333"; want nothing on platform kubernetes: the cluster is not ours`,
		"network.natGateways is 1; want nothing on platform kubernetes: the cluster is not ours",
		"network.flowLogs is true; want false, the default, on platform kubernetes: the cluster is not ours",
		`cluster.version is "1.36"; want nothing on platform kubernetes: the cluster is not ours`,
		`cluster.apiAccessCIDRs is ["192.0.2.0/24"]; want nothing on platform kubernetes: the cluster is not ours`,
		`cluster.admins is ["a"]; want nothing on platform kubernetes: the cluster is not ours`,
		`cluster.addons is {"coredns":"v1"}; want nothing on platform kubernetes: the cluster is not ours`,
		"database.maxStorageGiB is 500; want nothing with database.mode inCluster",
		`database.instanceType is "db.m7g.large"; want nothing with database.mode inCluster`,
		"database.highAvailability is true; want false, the default, with database.mode inCluster"}},
}

// several are configurations with mistakes in many places.
var several = []invalid{
	{name: "everything at once", changes: config{
		"clutser": "{}", "namespace": "UP", "mlflow": `{"replicas": "two", "version": "2.0.0"}`,
		"auth": `{"mode": "none", "users": ["A"]}`, "protect": "maybe", "database": `{"instances": 2}`,
	}, want: []string{
		"clutser is not a setting; want one of " + topLevel,
		`mlflow.replicas is "two"; want a whole number`,
		`protect is "maybe"; want true or false`,
		`namespace is "UP"; want ` + wantLabel,
		"database.instances is 2; want 1, or 3 for a primary and two replicas",
		`mlflow.version is "2.0.0"; want a release, 3.11.0 or later`,
		`auth.users is "A"; want lower-case letters, digits and -._, at most 63`,
	}},
	{name: "an empty stack", drop: []string{"platform", "profile", "cluster", "artifacts", "exposure"}, want: []string{
		"platform is required (kubernetes, aws, azure, gcp); set it with: pulumi config set --path 'mlflow-platform:platform' VALUE",
		`profile is ""; want dev or production`,
		`artifacts.endpoint is ""; want an https URL with store s3`,
		"artifacts.cidrs is []; want the addresses of the endpoint with store s3: egress goes nowhere else",
		"s3AccessKeyId is required with artifacts.store s3; set it with: pulumi config set --secret s3AccessKeyId",
		"s3SecretAccessKey is required with artifacts.store s3; set it with: pulumi config set --secret s3SecretAccessKey",
		"exposure.host is required unless exposure.mode is none; set it with: pulumi config set --path 'mlflow-platform:exposure.host' VALUE",
	}},
}

func TestInvalidConfigurations(t *testing.T) {
	tables := map[string][]invalid{
		"structure": structure, "secrets": secrets, "place": place, "database": database,
		"artifacts": artifacts, "server": server, "entry": entry, "aws": onAWS, "azure": onAzure, "gcp": onGCP, "several": several,
	}
	count := 0
	for table, cases := range tables {
		for _, c := range cases {
			count++
			t.Run(table+"/"+c.name, func(t *testing.T) {
				base := valid
				if c.base != nil {
					base = c.base
				}
				s, err := load(base().with(c.changes).without(c.drop...), c.plain...)
				assert.Nil(t, s)
				var problems settings.Problems
				require.ErrorAs(t, err, &problems)
				assert.Equal(t, c.want, []string(problems))
			})
		}
	}
	assert.GreaterOrEqual(t, count, 120)
}

func TestAllProblemsAreOneMessage(t *testing.T) {
	_, err := load(valid().with(config{"namespace": "UP", "protect": "maybe"}))
	assert.EqualError(t, err, "the configuration has 2 problem(s); nothing was changed:\n"+
		`  protect is "maybe"; want true or false`+"\n"+
		`  namespace is "UP"; want `+wantLabel)
}

func TestPasswordHashes(t *testing.T) {
	hashes := func(user string, cost int) config {
		return valid().with(config{"authPasswordHashes": object(t, map[string]any{user: hash(t, cost)})})
	}
	_, err := load(hashes("admin", 10))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		config config
		want   string
	}{
		"too cheap": {hashes("admin", 9), "authPasswordHashes.admin is [secret]; want a bcrypt hash of cost 10 to 12"},
		"too slow":  {hashes("admin", 13), "authPasswordHashes.admin is [secret]; want a bcrypt hash of cost 10 to 12"},
		"nobody":    {hashes("bob", 10), "authPasswordHashes.bob is [secret]; want a user of auth.users"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(c.config)
			assert.Equal(t, settings.Problems{c.want}, err)
		})
	}
}

func TestCertificates(t *testing.T) {
	past, year := time.Date(2025, 2, 3, 4, 5, 6, 0, time.UTC), time.Now().AddDate(1, 0, 0)
	cert, key := certificate(t, "mlflow.example.com", past, year)
	_, otherKey := certificate(t, "mlflow.example.com", past, year)
	ended, endedKey := certificate(t, "mlflow.example.com", past.AddDate(-1, 0, 0), past)
	early, earlyKey := certificate(t, "mlflow.example.com", year, year.AddDate(1, 0, 0))
	with := func(host, cert, key string) config {
		return valid().with(config{"tlsPrivateKey": key, "exposure": object(t, map[string]any{
			"host": host, "tls": map[string]any{"source": "config", "certificate": cert},
		})})
	}
	s, err := load(with("mlflow.example.com", cert, key))
	require.NoError(t, err)
	assert.NotContains(t, strings.Join(s.Warnings(), "\n"), "certificate")
	soon := time.Now().AddDate(0, 0, 20)
	ending, endingKey := certificate(t, "mlflow.example.com", past, soon)
	s, err = load(with("mlflow.example.com", ending, endingKey))
	require.NoError(t, err)
	assert.Contains(t, s.Warnings(), "exposure.tls.certificate ends on "+soon.UTC().Format(time.DateOnly)+": replace it before")
	for name, c := range map[string]struct {
		config config
		want   string
	}{
		"another host": {with("other.example.com", cert, key),
			`exposure.tls.certificate is "for mlflow.example.com"; want one for other.example.com`},
		"one that ended": {with("mlflow.example.com", ended, endedKey),
			`exposure.tls.certificate is "ended on 2025-02-03"; want one that is valid`},
		"one that has not started": {with("mlflow.example.com", early, earlyKey),
			`exposure.tls.certificate is "starting on ` + year.UTC().Format(time.DateOnly) + `"; want one that is valid`},
		"another key": {with("mlflow.example.com", cert, otherKey),
			"tlsPrivateKey is [secret]; want the key of exposure.tls.certificate"},
		"a key for a certificate": {with("mlflow.example.com", key, key),
			`exposure.tls.certificate is "not a certificate"; want a PEM certificate chain`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(c.config)
			assert.Equal(t, settings.Problems{c.want}, err)
		})
	}
}

package settings_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"sigs.k8s.io/yaml"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// config is a stack's configuration without the project prefix.
type config map[string]string

// valid is the least configuration of a small stack that loads.
func valid() config {
	return config{
		"platform":  "kubernetes",
		"profile":   "dev",
		"cluster":   `{"context": "some-cluster"}`,
		"artifacts": `{"store": "inCluster"}`,
		"exposure":  `{"host": "mlflow.example.com"}`,
	}
}

// production is the least configuration of a production stack that loads.
func production() config {
	return config{
		"platform":          "kubernetes",
		"profile":           "production",
		"cluster":           `{"context": "some-cluster"}`,
		"artifacts":         `{"endpoint": "https://s3.example.com", "cidrs": ["192.0.2.0/24"]}`,
		"exposure":          `{"host": "mlflow.example.com"}`,
		"s3AccessKeyId":     "an id",
		"s3SecretAccessKey": "a key",
	}
}

// cloud is the least configuration of a production stack on AWS that loads.
func cloud() config {
	return config{
		"platform": "aws",
		"profile":  "production",
		"region":   "eu-central-1",
		"account":  "111122223333",
		"tags":     `{"owner": "ml", "cost-centre": "4711"}`,
		"cluster":  `{"admins": ["arn:aws:iam::111122223333:role/platform/deploy"], "apiAccessCIDRs": ["198.51.100.0/24"]}`,
		"exposure": `{"host": "mlflow.example.com"}`,
		"budget":   `{"monthlyUSD": 1200, "emails": ["platform@example.com"]}`,
	}
}

// secretKeys are the keys that a stack file stores encrypted.
var secretKeys = []string{"authPasswordHashes", "registryCredentials", "s3AccessKeyId", "s3AdminAccessKeyId", "s3AdminSecretAccessKey", "s3SecretAccessKey", "tlsPrivateKey"}

// with returns a copy with some keys changed.
func (c config) with(changes config) config {
	out := maps.Clone(c)
	maps.Copy(out, changes)
	return out
}

// without returns a copy without some keys.
func (c config) without(keys ...string) config {
	out := maps.Clone(c)
	for _, k := range keys {
		delete(out, k)
	}
	return out
}

func load(c config, plain ...string) (*settings.Settings, error) {
	full := map[string]string{}
	var secret []string
	for k, v := range c {
		full[settings.Project+":"+k] = v
		if slices.Contains(secretKeys, k) && !slices.Contains(plain, k) {
			secret = append(secret, settings.Project+":"+k)
		}
	}
	return settings.Load("test", full, secret)
}

func TestValidConfigurationsLoad(t *testing.T) {
	cases := map[string]config{
		"dev":                valid(),
		"production":         production(),
		"production default": production().without("profile").with(config{"profile": "production"}),
		"aws":                cloud(),
		"aws dev":            cloud().with(config{"profile": "dev"}),
		"no exposure":        valid().with(config{"exposure": `{"mode": "none"}`}),
		"ingress": valid().with(config{
			"exposure": `{"mode": "ingress", "host": "a.b", "controllerNamespace": "ingress", "ingressClass": "nginx"}`,
		}),
		"gateway": valid().with(config{
			"exposure": `{"mode": "gateway", "host": "a.b", "controllerNamespace": "envoy", "parentGateway": "envoy/public/https"}`,
		}),
		"no login in dev": valid().with(config{"auth": `{"mode": "none", "users": []}`}),
		"own image":       valid().with(config{"images": `{"mlflow": "registry.example.com:5000/mlflow:1"}`}),
		"image by digest": valid().with(config{"images": `{"mlflow": "registry.example.com/mlflow@sha256:0123"}`}),
		"a null list":     valid().with(config{"exposure": `{"host": "a.b", "sourceCIDRs": null}`}),
		"an endpoint with all it can have": production().with(config{
			"artifacts": `{"endpoint": "https://s3.example.com:9000", "region": "eu-central-1", "cidrs": ["192.0.2.0/24"],
				"transitionDays": 60, "transitionClass": "GLACIER_IR"}`,
		}),
		"nothing but defaults": valid().with(config{
			"region": "", "account": "", "tags": "{}", "network": `{"cidr": "", "flowLogs": false}`,
			"cluster": `{"context": "some-cluster", "nodes": {"max": 0}, "admins": [], "addons": {}}`,
			"budget":  `{"enabled": false, "monthlyUSD": 0, "emails": []}`, "database": `{"highAvailability": false}`,
			"artifacts": `{"store": "inCluster", "region": "us-east-1", "cidrs": [], "transitionDays": 0}`,
		}),
		"nothing but defaults on aws": cloud().with(config{
			"database":  `{"instances": 3, "installOperator": true, "operatorNamespace": "cnpg-system"}`,
			"artifacts": `{"store": "managed", "bucket": "", "storageGiB": 20}`,
		}),
		"what is switched off stays": cloud().with(config{
			"budget": `{"enabled": false, "monthlyUSD": 900, "emails": ["platform@example.com"]}`,
			"mlflow": `{"retention": {"enabled": false, "days": 90}}`,
		}),
		"more than the budget, said out loud": cloud().with(config{
			"budget": `{"monthlyUSD": 500, "enforceEstimate": false, "emails": ["platform@example.com"]}`,
		}),
		"a region without prices": cloud().with(config{
			"region": "ap-south-1", "budget": `{"enforceEstimate": false, "emails": ["platform@example.com"]}`,
		}),
		"a type with a price of one's own": cloud().with(config{
			"cluster":  `{"admins": ["arn:aws:iam::111122223333:role/a"], "privateAccessCIDRs": ["10.0.0.0/8"], "nodes": {"type": "c7i.2xlarge"}}`,
			"database": `{"instanceType": "db.x2g.large"}`,
			"budget":   `{"monthlyUSD": 5000, "hourlyUSD": {"c7i.2xlarge": 0.4, "db.x2g.large": 1}, "emails": ["platform@example.com"]}`,
		}),
		"CloudNativePG on aws":              cloud().with(config{"database": `{"mode": "inCluster", "storageGiB": 10}`}),
		"a forwarded port without a way in": valid().with(config{"exposure": `{"mode": "none", "host": "localhost", "port": 8601}`}),
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := load(c)
			require.NoError(t, err)
			assert.Equal(t, "test", s.Stack)
		})
	}
}

func TestUnusedKeysAreSettings(t *testing.T) {
	assert.Empty(t, settings.Misnamed())
}

func TestProfilesDiffer(t *testing.T) {
	dev, err := load(valid())
	require.NoError(t, err)
	prod, err := load(production())
	require.NoError(t, err)

	assert.Equal(t, []any{1, 100, false}, []any{dev.Database.Instances, dev.Database.MaxConnections, dev.Protect})
	assert.Equal(t, []any{3, 200, true}, []any{prod.Database.Instances, prod.Database.MaxConnections, prod.Protect})
	for _, s := range []*settings.Settings{dev, prod} {
		assert.GreaterOrEqual(t, s.Database.MaxConnections, s.Connections().Total(), "the defaults fit their own arithmetic")
		assert.Equal(t, settings.DefaultMLflowVersion, s.MLflow.Version)
	}
}

func TestOtherProjectsKeysAreIgnored(t *testing.T) {
	c := map[string]string{"pulumi:disable-default-providers": `["*"]`, "kubernetes:context": "x"}
	for k, v := range valid() {
		c[settings.Project+":"+k] = v
	}
	_, err := settings.Load("test", c, nil)
	assert.NoError(t, err)
}

func TestSecretsNeverPrint(t *testing.T) {
	s, err := load(production())
	require.NoError(t, err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		text := fmt.Sprintf(format, s)
		assert.NotContains(t, text, "a key", format)
		assert.NotContains(t, text, fmt.Sprintf("%x", "a key"), format)
		assert.NotContains(t, fmt.Sprintf(format, s.S3SecretAccessKey), "a key", format)
	}
	assert.Equal(t, "[secret]", fmt.Sprint(s.S3SecretAccessKey))
	assert.Equal(t, "a key", string(s.S3SecretAccessKey), "the value itself is there for the program")
}

func TestWarnings(t *testing.T) {
	s, err := load(production())
	require.NoError(t, err)
	assert.Equal(t, []string{
		"cluster.apiServerCIDRs is empty: the database pods may open connections to any address on the ports of cluster.apiServerPorts",
		"s3AdminAccessKeyId is not set: everybody who may log in can read the database dumps in the bucket",
		"mlflow.retention.dryRun is true: old runs are reported, not deleted; read a report, then set it to false",
	}, s.Warnings())

	s, err = load(production().with(config{
		"protect": "false", "s3AdminAccessKeyId": "another id", "s3AdminSecretAccessKey": "another key",
		"cluster": `{"context": "c", "apiServerCIDRs": ["192.0.2.1/32"]}`,
		"mlflow":  `{"retention": {"dryRun": false}}`,
	}))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"protect is false in profile production: pulumi destroy deletes the database and the bucket",
	}, s.Warnings())

	s, err = load(valid().with(config{"auth": `{"mode": "none"}`, "cluster": `{"context": "c", "apiServerCIDRs": ["192.0.2.1/32"]}`,
		"mlflow": `{"retention": {"enabled": false}}`}))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"auth.mode is none: everybody who reaches the gateway can read and delete everything",
	}, s.Warnings())

	s, err = load(cloud())
	require.NoError(t, err)
	assert.Equal(t, []string{
		"platform aws has not been applied to an account yet: docs/verification.md says what was checked and how",
		"mlflow.retention.dryRun is true: old runs are reported, not deleted; read a report, then set it to false",
	}, s.Warnings(), "nothing about keys that AWS does not use")
}

func TestStorePort(t *testing.T) {
	for endpoint, want := range map[string]int{"https://s3.example.com": 443, "https://s3.example.com:9000": 9000} {
		port, err := settings.Artifacts{Endpoint: endpoint}.Port()
		require.NoError(t, err)
		assert.Equal(t, want, port)
	}
	_, err := settings.Artifacts{Endpoint: "https://s3.example.com:x"}.Port()
	assert.ErrorContains(t, err, "reading artifacts.endpoint")
}

// stackFile reads a Pulumi.<stack>.yaml of the repository the way the engine
// does: strings as they are, everything else as JSON text.
func stackFile(t *testing.T, name string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "Pulumi."+name+".yaml"))
	require.NoError(t, err)
	var file struct {
		Config map[string]any `json:"config"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	out := map[string]string{}
	for k, v := range file.Config {
		if s, ok := v.(string); ok {
			out[k] = s
			continue
		}
		text, err := json.Marshal(v)
		require.NoError(t, err)
		out[k] = string(text)
	}
	return out
}

func TestStackFiles(t *testing.T) {
	local, err := settings.Load("local", stackFile(t, "local"), nil)
	require.NoError(t, err)
	assert.Equal(t, settings.Kubernetes, local.Platform)
	assert.Equal(t, settings.Dev, local.Profile)

	for name, profile := range map[string]settings.Profile{"dev": settings.Dev, "prod": settings.Production} {
		s, err := settings.Load(name, stackFile(t, name), nil)
		require.NoError(t, err, "Pulumi.%s.yaml", name)
		assert.Equal(t, settings.AWS, s.Platform)
		assert.Equal(t, profile, s.Profile)
	}
}

func TestStackFilesUseExplicitProvidersOnly(t *testing.T) {
	for _, name := range []string{"local", "dev", "prod"} {
		assert.JSONEq(t, `["*"]`, stackFile(t, name)["pulumi:disable-default-providers"], "Pulumi.%s.yaml", name)
	}
}

// platforms are those that this release runs on.
var platforms = []settings.Platform{settings.Kubernetes, settings.AWS}

// TestProjectFile keeps Pulumi.yaml, which the CLI checks and fills in first,
// in step with the settings.
func TestProjectFile(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "Pulumi.yaml"))
	require.NoError(t, err)
	var file struct {
		Name   string `json:"name"`
		Config map[string]struct {
			Type        string `json:"type"`
			Description string `json:"description"`
			Default     any    `json:"default"`
			Secret      bool   `json:"secret"`
		} `json:"config"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &file))
	assert.Equal(t, settings.Project, file.Name)
	fields := settings.Keys()
	var undeclared []string
	for key := range fields {
		if _, ok := file.Config[key]; !ok {
			undeclared = append(undeclared, key)
		}
	}
	// The CLI wants a declared key in every stack, unless it has a default. One for
	// protect would overrule a profile, and one for a secret would be in clear.
	assert.ElementsMatch(t, append([]string{"protect"}, secretKeys...), undeclared, "what Pulumi.yaml does not declare")
	for key, declared := range file.Config {
		kind, ok := fields[key]
		if assert.True(t, ok, "%s is declared in Pulumi.yaml and is not a setting", key) {
			assert.Equal(t, kind, declared.Type, key)
		}
		assert.NotEmpty(t, declared.Description, key)
		assert.Equal(t, slices.Contains(secretKeys, key), declared.Secret, "%s: secret", key)
		required := key == "platform" || key == "profile"
		assert.Equal(t, required, declared.Default == nil, "%s: every stack without it fails, unless it has a default", key)
		if required {
			continue
		}
		// The engine puts a project's default into every stack's configuration, so
		// one that differs from a profile's would silently overrule the profile.
		text, ok := declared.Default.(string)
		if !ok {
			raw, err := json.Marshal(declared.Default)
			require.NoError(t, err)
			text = string(raw)
		}
		for _, platform := range platforms {
			for _, profile := range []settings.Profile{settings.Dev, settings.Production} {
				assert.False(t, settings.Overrules(platform, profile, key, text), "%s: the default of Pulumi.yaml overrules %s %s", key, platform, profile)
			}
		}
	}
	for _, platform := range platforms {
		assert.Contains(t, file.Config["platform"].Description, string(platform))
	}
	assert.True(t, settings.Overrules(settings.Kubernetes, settings.Dev, "protect", "true"), "a default that differs is found")
	assert.True(t, settings.Overrules(settings.AWS, settings.Production, "network", `{"natGateways": 1}`), "on AWS too")
	assert.False(t, settings.Overrules(settings.Kubernetes, settings.Dev, "mlflow", "{}"))
}

// hash is a bcrypt hash of a given cost.
func hash(t *testing.T, cost int) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte("password"), cost)
	require.NoError(t, err)
	return string(h)
}

// certificate makes a self-signed certificate for a name.
func certificate(t *testing.T, host string, start, end time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader,
		&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: start, NotAfter: end},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// object is an object of configuration as JSON text.
func object(t *testing.T, v map[string]any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// TestInternalLoadBalancerOnAWS is the rule of the cloud's controller: any value but
// "false" (github.com/kubernetes/cloud-provider-aws: EnsureLoadBalancer's internalELB).
func TestInternalLoadBalancerOnAWS(t *testing.T) {
	for value, want := range map[string]bool{"": false, "false": false, "true": true, "True": true, "0.0.0.0/0": true} {
		e := settings.Exposure{Annotations: map[string]string{settings.AWSInternalLoadBalancer: value}}
		assert.Equal(t, want, e.InternalOnAWS(), value)
	}
	assert.False(t, settings.Exposure{}.InternalOnAWS())
}

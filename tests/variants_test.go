package tests

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// The secrets of the variants' configuration.
const (
	canaryID   = graph.Canary + "access-key-id"
	canaryKey  = graph.Canary + "secret-access-key"
	canaryHash = "$2a$10$" + "c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4r"
)

// variant is one shape a stack can have.
type variant struct {
	name string
	// values are the configuration's keys without the project.
	values map[string]any
	// secrets are the keys among them that are stored encrypted.
	secrets []string
	// protected is true where the stack asks for protection.
	protected bool
}

// newProgram is the one of the repository's root.
func newProgram() *stacks.Program {
	return &stacks.Program{Platforms: stacks.Platforms{settings.Kubernetes: kubernetes.New}}
}

// variants are all shapes that the properties hold for.
func variants(t *testing.T) []variant {
	t.Helper()
	cert, key := certificate(t)
	onPremises := func(changes map[string]any) map[string]any {
		values := map[string]any{
			"platform": "kubernetes", "profile": "production", "protect": true,
			"cluster": map[string]any{"context": "production", "apiServerCIDRs": []string{"192.0.2.10/32", "10.96.0.1/32"}},
			"artifacts": map[string]any{
				"store": "s3", "endpoint": "https://s3.example.com:9000", "region": "eu-central-1", "cidrs": []string{"198.51.100.0/24"},
				"transitionDays": 60,
			},
			"s3AccessKeyId": canaryID, "s3SecretAccessKey": canaryKey,
			"exposure": map[string]any{"mode": "loadBalancer", "host": "mlflow.example.com"},
		}
		maps.Copy(values, changes)
		return values
	}
	store := []string{"s3AccessKeyId", "s3SecretAccessKey"}
	return []variant{
		{name: "local", values: stackFile(t, "local")},
		{name: "production", protected: true, secrets: append([]string{"tlsPrivateKey"}, store...), values: onPremises(map[string]any{
			"tags": map[string]any{"environment": "production", "team": "ml"},
			"exposure": map[string]any{
				"mode": "ingress", "host": "mlflow.example.com", "ingressClass": "nginx", "controllerNamespace": "ingress-nginx",
				"annotations": map[string]any{"nginx.ingress.kubernetes.io/proxy-body-size": "0"},
				"tls":         map[string]any{"source": "config", "certificate": cert},
			},
			"tlsPrivateKey": key,
			"auth":          map[string]any{"users": []string{"alice", "training"}},
			"mlflow":        map[string]any{"replicas": 3},
			"database":      map[string]any{"maxConnections": 300, "storageClass": "fast"},
			"monitoring":    map[string]any{"namespace": "monitoring"},
			"cluster": map[string]any{
				"context": "production", "apiServerCIDRs": []string{"192.0.2.10/32", "10.96.0.1/32"},
				"apiServerPorts": []int{443, 16443}, "dnsCIDRs": []string{"169.254.20.10/32"},
			},
		})},
		{name: "gateway-api", protected: true, secrets: append([]string{"registryCredentials"}, store...), values: onPremises(map[string]any{
			"exposure": map[string]any{
				"mode": "gateway", "host": "mlflow.example.com", "parentGateway": "envoy/public/https", "controllerNamespace": "envoy",
			},
			"images":              map[string]any{"registry": "registry.example.com/mirror"},
			"registryCredentials": `{"auths": {"registry.example.com": {"auth": "` + graph.Canary + `login"}}}`,
		})},
		{name: "no-login", values: map[string]any{
			"platform": "kubernetes", "profile": "dev", "protect": false, "cluster": map[string]any{"context": "sandbox"},
			"artifacts": map[string]any{"store": "inCluster"}, "exposure": map[string]any{"mode": "none"},
			"auth": map[string]any{"mode": "none", "users": []string{}}, "mlflow": map[string]any{"replicas": 1},
		}},
		{name: "own-passwords", protected: true, secrets: append([]string{"authPasswordHashes", "s3AdminAccessKeyId", "s3AdminSecretAccessKey"}, store...), values: onPremises(map[string]any{
			"auth":               map[string]any{"users": []string{"alice", "bob"}},
			"authPasswordHashes": `{"alice": "` + canaryHash + `"}`,
			"s3AdminAccessKeyId": graph.Canary + "admin-id", "s3AdminSecretAccessKey": graph.Canary + "admin-key",
			"exposure": map[string]any{"mode": "loadBalancer", "host": "mlflow.example.com", "sourceCIDRs": []string{"203.0.113.0/24"}},
		})},
		{name: "own-operator", protected: true, secrets: store, values: onPremises(map[string]any{
			"database":  map[string]any{"installOperator": false, "operatorNamespace": "databases"},
			"namespace": "ml-platform",
			"images":    map[string]any{"mlflow": "registry.example.com/our-mlflow:3.17.2-1"},
		})},
	}
}

// secretValues are what must show nowhere.
func (v variant) secretValues() []string {
	all := []string{graph.Canary, canaryHash}
	if key, ok := v.values["tlsPrivateKey"].(string); ok {
		all = append(all, strings.Split(key, "\n")[1])
	}
	return all
}

// config is the configuration the way the engine hands it over.
func (v variant) config(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for k, value := range v.values {
		text, ok := value.(string)
		if !ok {
			raw, err := json.Marshal(value)
			require.NoError(t, err)
			text = string(raw)
		}
		out[settings.Project+":"+k] = text
	}
	return out
}

// run is a run of the program with the variant's configuration.
func (v variant) run(t *testing.T) graph.Run {
	t.Helper()
	r := graph.Run{Project: settings.Project, Stack: v.name, Config: v.config(t)}
	for _, k := range v.secrets {
		r.SecretKeys = append(r.SecretKeys, settings.Project+":"+k)
	}
	return r
}

// recorded are the graphs of updates, each made once and only read by tests.
var recorded sync.Map

// update records an update of the variant, with the stack's outputs.
func (v variant) update(t *testing.T) *graph.Graph {
	t.Helper()
	r := v.run(t)
	once, _ := recorded.LoadOrStore(v.name, sync.OnceValues(func() (*graph.Graph, error) { return graph.Record(r, newProgram()) }))
	g, err := once.(func() (*graph.Graph, error))()
	require.NoError(t, err)
	return g
}

// eachVariant runs a test for every variant.
func eachVariant(t *testing.T, test func(*testing.T, variant)) {
	t.Helper()
	for _, v := range variants(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

// find is the variant of a name.
func find(t *testing.T, name string) variant {
	t.Helper()
	all := variants(t)
	i := slices.IndexFunc(all, func(v variant) bool { return v.name == name })
	require.GreaterOrEqual(t, i, 0, "no variant %s", name)
	return all[i]
}

// stackFile reads the configuration of a Pulumi.<stack>.yaml of the repository.
func stackFile(t *testing.T, name string) map[string]any {
	t.Helper()
	r, err := graph.StackFile(filepath.Join("..", "Pulumi.yaml"), filepath.Join("..", "Pulumi."+name+".yaml"))
	require.NoError(t, err)
	values := map[string]any{}
	for k, v := range r.Config {
		if key, ok := strings.CutPrefix(k, settings.Project+":"); ok {
			values[key] = v
		}
	}
	return values
}

// certificate is the same in every run: a fixed seed, and Ed25519 signs without
// chance.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private := ed25519.NewKeyFromSeed([]byte("a seed of exactly thirty-two b.."))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mlflow.example.com"}, DNSNames: []string{"mlflow.example.com"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(nil, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

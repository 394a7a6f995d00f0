package tests

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/np-guard/netpol-analyzer/pkg/netpol/connlist"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// connections are all allowed connections, "from -> to: ports", computed by an
// analyser that knows nothing of how the policies came about. Besides the
// stack's pods there are the cluster's DNS and pods that have no business here:
// one in every namespace of the stack, one in another namespace.
func connections(t *testing.T, g *graph.Graph) []string {
	t.Helper()
	pods, problems := g.Pods()
	require.Empty(t, problems)
	var manifests []map[string]any
	add := func(apiVersion, kind, namespace, name string, labels map[string]string, spec any) {
		meta := map[string]any{"name": name, "labels": labels}
		if namespace != "" {
			meta["namespace"] = namespace
		}
		manifests = append(manifests, map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": meta, "spec": spec})
	}
	namespaces := map[string]bool{"kube-system": true, "elsewhere": true}
	seen := map[string]bool{}
	pod := func(namespace, name string, labels map[string]string) {
		namespaces[namespace] = true
		if !seen[namespace+"/"+name] {
			seen[namespace+"/"+name] = true
			add("v1", "Pod", namespace, name, labels, map[string]any{"containers": []any{map[string]any{"name": "x", "image": "x"}}})
		}
	}
	for _, p := range pods {
		pod(p.Namespace, workload(p), p.Labels)
		pod(p.Namespace, "stranger", map[string]string{"app": "stranger"})
	}
	pod("elsewhere", "stranger", map[string]string{"app": "stranger"})
	pod("kube-system", "dns", map[string]string{"k8s-app": "kube-dns"})
	for _, o := range g.Objects() {
		if o.GetKind() == "NetworkPolicy" {
			manifests = append(manifests, o.Normalized().Object)
			for _, ns := range peerNamespaces(o) {
				if !namespaces[ns] {
					pod(ns, "controller", map[string]string{"app": "controller"})
				}
			}
		}
	}
	for ns := range namespaces {
		add("v1", "Namespace", "", ns, map[string]string{"kubernetes.io/metadata.name": ns}, map[string]any{})
	}
	return analyse(t, manifests)
}

func analyse(t *testing.T, manifests []map[string]any) []string {
	t.Helper()
	var infos []*resource.Info
	for _, m := range manifests {
		raw, err := json.Marshal(m)
		require.NoError(t, err)
		object := &unstructured.Unstructured{}
		require.NoError(t, object.UnmarshalJSON(raw))
		infos = append(infos, &resource.Info{Source: object.GetKind() + " " + object.GetName(), Object: object})
	}
	analyser := connlist.NewConnlistAnalyzer(connlist.WithStopOnError(), connlist.WithMuteErrsAndWarns(), connlist.WithOutputFormat("json"))
	found, _, err := analyser.ConnlistFromResourceInfos(infos)
	require.NoError(t, err)
	for _, problem := range analyser.Errors() {
		require.NoError(t, problem.Error(), problem.Location())
	}
	// The text is the library's interface: its Go values also hold the ports that
	// are not allowed.
	text, err := analyser.ConnectionsListToString(found)
	require.NoError(t, err)
	var list []struct{ Src, Dst, Conn string }
	require.NoError(t, json.Unmarshal([]byte(text), &list))
	var all []string
	for _, c := range list {
		from, _, _ := strings.Cut(c.Src, "[")
		to, _, _ := strings.Cut(c.Dst, "[")
		all = append(all, fmt.Sprintf("%s -> %s: %s", from, to, strings.ReplaceAll(c.Conn, ",", ", ")))
	}
	slices.Sort(all)
	return all
}

// workload is the name by which policies know a pod.
func workload(p graph.Pod) string {
	for _, key := range []string{"app.kubernetes.io/name", "cnpg.io/cluster"} {
		if name := p.Labels[key]; name != "" {
			return name
		}
	}
	return p.Owner.Name
}

// peerNamespaces are the other namespaces that a policy names.
func peerNamespaces(o graph.Object) []string {
	var found []string
	raw, err := json.Marshal(o.Unstructured.Object)
	if err != nil {
		return nil
	}
	for _, m := range regexp.MustCompile(`"kubernetes.io/metadata.name":"([^"]+)"`).FindAllStringSubmatch(string(raw), -1) {
		found = append(found, m[1])
	}
	return found
}

// dns is what every pod of the stack may use and nothing else may be of it.
// nodeDNS is the same for a resolver of cluster.dnsCIDRs.
const (
	dns     = " -> kube-system/dns: TCP 53, UDP 53"
	nodeDNS = " -> 169.254.20.10-169.254.20.10: TCP 53, UDP 53"
)

// own are the connections from or to the namespaces of the stack, without DNS.
func own(all []string, namespaces ...string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(c string) bool {
		from, to, _ := strings.Cut(c, " -> ")
		ours := slices.ContainsFunc(namespaces, func(ns string) bool {
			return strings.HasPrefix(from, ns+"/") || strings.HasPrefix(to, ns+"/")
		})
		return !ours || strings.HasSuffix(c, dns) || strings.HasSuffix(c, nodeDNS)
	})
}

// onPremises are the connections of every production variant.
var onPremises = []string{
	"elsewhere/stranger -> mlflow/gateway: TCP 8443",
	"kube-system/dns -> mlflow/gateway: TCP 8443",
	"cnpg-system/cloudnative-pg -> 10.96.0.1-10.96.0.1: TCP 443, 6443",
	"cnpg-system/cloudnative-pg -> 192.0.2.10-192.0.2.10: TCP 443, 6443",
	"cnpg-system/cloudnative-pg -> mlflow/postgresql: TCP 8000",
	"0.0.0.0-255.255.255.255 -> cnpg-system/cloudnative-pg: TCP 9443",
	"mlflow/bucket-setup -> 198.51.100.0-198.51.100.255: TCP 9000",
	"mlflow/database-backup -> 198.51.100.0-198.51.100.255: TCP 9000",
	"mlflow/database-backup -> mlflow/postgresql: TCP 5432",
	"mlflow/gateway -> mlflow/mlflow: TCP 5000",
	"mlflow/mlflow -> 198.51.100.0-198.51.100.255: TCP 9000",
	"mlflow/mlflow -> mlflow/postgresql: TCP 5432",
	"mlflow/mlflow-migration -> 198.51.100.0-198.51.100.255: TCP 9000",
	"mlflow/mlflow-migration -> mlflow/postgresql: TCP 5432",
	"mlflow/mlflow-retention -> mlflow/gateway: TCP 8443",
	"mlflow/mlflow-retention -> mlflow/postgresql: TCP 5432",
	"mlflow/postgresql -> 10.96.0.1-10.96.0.1: TCP 443, 6443",
	"mlflow/postgresql -> 192.0.2.10-192.0.2.10: TCP 443, 6443",
}

// anotherAPIPort is for an API server on 16443.
func anotherAPIPort(all []string) []string {
	var out []string
	for _, c := range all {
		out = append(out, strings.Replace(c, "443, 6443", "443, 16443", 1))
	}
	return out
}

// TestConnectivity compares everything that is allowed with a table, so that
// what is not in the table is denied.
func TestConnectivity(t *testing.T) {
	for name, want := range map[string][]string{
		"local": {
			"0.0.0.0-255.255.255.255 -> cnpg-system/cloudnative-pg: TCP 9443",
			"0.0.0.0-255.255.255.255 -> mlflow/gateway: TCP 8443",
			"elsewhere/stranger -> mlflow/gateway: TCP 8443",
			"kube-system/dns -> mlflow/gateway: TCP 8443",
			"cnpg-system/cloudnative-pg -> 10.231.0.2-10.231.0.2: TCP 443, 6443",
			"cnpg-system/cloudnative-pg -> 10.96.0.1-10.96.0.1: TCP 443, 6443",
			"cnpg-system/cloudnative-pg -> mlflow/postgresql: TCP 8000",
			"mlflow/bucket-setup -> mlflow/minio: TCP 9000",
			"mlflow/database-backup -> mlflow/minio: TCP 9000",
			"mlflow/database-backup -> mlflow/postgresql: TCP 5432",
			"mlflow/gateway -> mlflow/mlflow: TCP 5000",
			"mlflow/mlflow -> mlflow/minio: TCP 9000",
			"mlflow/mlflow -> mlflow/postgresql: TCP 5432",
			"mlflow/mlflow-migration -> mlflow/minio: TCP 9000",
			"mlflow/mlflow-migration -> mlflow/postgresql: TCP 5432",
			"mlflow/mlflow-retention -> mlflow/gateway: TCP 8443",
			"mlflow/mlflow-retention -> mlflow/postgresql: TCP 5432",
			"mlflow/postgresql -> 10.231.0.2-10.231.0.2: TCP 443, 6443",
			"mlflow/postgresql -> 10.96.0.1-10.96.0.1: TCP 443, 6443",
		},
		"production": append(anotherAPIPort(onPremises),
			"ingress-nginx/controller -> mlflow/gateway: TCP 8080, 8443",
			"monitoring/controller -> cnpg-system/cloudnative-pg: TCP 8080",
			"monitoring/controller -> mlflow/gateway: TCP 8443, 9180",
			"monitoring/controller -> mlflow/postgresql: TCP 9187"),
		"gateway-api": append(slices.Clone(onPremises), "envoy/controller -> mlflow/gateway: TCP 8080, 8443"),
		// The analyser splits all addresses where a policy tells some apart.
		"own-passwords": append(slices.DeleteFunc(slices.Clone(onPremises), func(c string) bool { return strings.HasPrefix(c, "0.0.0.0-255") }),
			"203.0.113.0-203.0.113.255 -> mlflow/gateway: TCP 8443",
			"0.0.0.0-203.0.112.255 -> cnpg-system/cloudnative-pg: TCP 9443",
			"203.0.113.0-203.0.113.255 -> cnpg-system/cloudnative-pg: TCP 9443",
			"203.0.114.0-255.255.255.255 -> cnpg-system/cloudnative-pg: TCP 9443"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := find(t, name).update(t)
			assert.ElementsMatch(t, want, own(connections(t, g), "mlflow", "cnpg-system"))
		})
	}
}

func TestEveryPodResolvesNames(t *testing.T) {
	g := find(t, "local").update(t)
	resolves := func(g *graph.Graph, dns string) []string {
		var bad []string
		all := connections(t, g)
		pods, _ := g.Pods()
		for _, p := range pods {
			if from := p.Namespace + "/" + workload(p); !slices.Contains(all, from+dns) {
				bad = append(bad, from)
			}
		}
		return bad
	}
	assert.Empty(t, resolves(g, dns))
	assert.NotEmpty(t, resolves(g, nodeDNS), "no resolver on the node unless the settings name it")
	assert.Empty(t, resolves(find(t, "production").update(t), nodeDNS))
	broken := g.Clone()
	broken.Remove("workspace-netpol-dns")
	assert.NotEmpty(t, resolves(broken, dns))
}

// TestConnectivityTwins breaks one policy at a time.
func TestConnectivityTwins(t *testing.T) {
	g := find(t, "local").update(t)
	clean := own(connections(t, g), "mlflow", "cnpg-system")
	for name, sabotage := range map[string]func(*graph.Graph){
		"no default deny": func(g *graph.Graph) {
			g.Remove("workspace-netpol-default-deny")
			g.Remove("workspace-netpol-mlflow")
		},
		"policy gone":      remove("workspace-netpol-gateway"),
		"another label":    set("mlflow-server", `spec.template.metadata.labels["app.kubernetes.io/name"]`, "server"),
		"another pod":      set("workspace-netpol-mlflow", "spec.ingress[0].from[0].podSelector.matchLabels", map[string]any{"app": "stranger"}),
		"another port":     set("workspace-netpol-gateway", "spec.ingress[1].ports[0].port", 9180),
		"out to the world": set("workspace-netpol-mlflow", "spec.egress[0].to", []any{map[string]any{"ipBlock": map[string]any{"cidr": "0.0.0.0/0"}}}),
	} {
		broken := g.Clone()
		sabotage(broken)
		assert.NotEqual(t, clean, own(connections(t, broken), "mlflow", "cnpg-system"), name)
	}
}

// service is a Service's name in a URL or on its own, as pods are told it.
var service = regexp.MustCompile(`(?:(https?|postgresql\+psycopg2)://(?:[^@/]*@)?)?([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?(?::(\d+))?`)

// unreachable lists Services that a pod's environment names and the policies do
// not let it reach.
func unreachable(t *testing.T, g *graph.Graph) []string {
	t.Helper()
	all := connections(t, g)
	pods, problems := g.Pods()
	require.Empty(t, problems)
	secrets := map[string]map[string]any{}
	targets := map[string][]string{}
	for _, o := range g.Objects() {
		switch o.GetKind() {
		case "Secret":
			secrets[o.GetName()], _, _ = unstructured.NestedMap(o.Normalized().Object, "stringData")
		case "Service":
			targets[o.GetName()+"."+o.GetNamespace()] = behind(o, pods)
		case "Cluster":
			// CloudNativePG makes <cluster>-rw for the primary.
			targets[o.GetName()+"-rw."+o.GetNamespace()] = []string{o.GetNamespace() + "/" + o.GetName() + ":5432"}
		}
	}
	var bad []string
	for _, p := range pods {
		from := p.Namespace + "/" + workload(p)
		for _, c := range p.Containers() {
			for _, e := range c.Env {
				value := e.Value
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					value, _ = secrets[e.ValueFrom.SecretKeyRef.Name][e.ValueFrom.SecretKeyRef.Key].(string)
				}
				for _, m := range service.FindAllStringSubmatch(value, -1) {
					found := targets[m[2]+"."+m[3]]
					if len(found) == 0 {
						bad = append(bad, fmt.Sprintf("%s: %s names the Service %s.%s, which is not there", from, e.Name, m[2], m[3]))
					}
					for _, target := range found {
						to, port, _ := strings.Cut(target, ":")
						if to != from && !slices.Contains(all, from+" -> "+to+": TCP "+port) {
							bad = append(bad, fmt.Sprintf("%s: %s names %s, which the policies keep it from", from, e.Name, target))
						}
					}
				}
			}
		}
	}
	slices.Sort(bad)
	return slices.Compact(bad)
}

// behind are the pods behind a Service with the container port of its first
// port, namespace/workload:port.
func behind(o graph.Object, pods []graph.Pod) []string {
	raw, err := json.Marshal(o.Unstructured.Object)
	if err != nil {
		return nil
	}
	var s corev1.Service
	if json.Unmarshal(raw, &s) != nil || len(s.Spec.Ports) == 0 {
		return nil
	}
	var found []string
	for _, p := range pods {
		if p.Namespace != s.Namespace || !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(p.Labels)) {
			continue
		}
		for _, c := range p.Spec.Containers {
			for _, port := range c.Ports {
				if port.ContainerPort == s.Spec.Ports[0].TargetPort.IntVal {
					found = append(found, fmt.Sprintf("%s/%s:%d", p.Namespace, workload(p), port.ContainerPort))
				}
			}
		}
	}
	return found
}

// TestPodsReachWhatTheyAreTold follows every Service name in a pod's
// environment through the policies.
func TestPodsReachWhatTheyAreTold(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		assert.Empty(t, unreachable(t, v.update(t)))
	})
	g := find(t, "local").update(t)
	for name, sabotage := range map[string]func(*graph.Graph){
		"database":     set("workspace-netpol-mlflow-migration", "spec.egress", []any{}),
		"store":        set("workspace-netpol-minio", "spec.ingress[0].ports[0].port", 9001),
		"gateway":      set("workspace-netpol-mlflow-retention", "spec.egress", []any{}),
		"service gone": remove("bucket-store-service"),
	} {
		broken := g.Clone()
		sabotage(broken)
		assert.NotEmpty(t, unreachable(t, broken), name)
	}
}

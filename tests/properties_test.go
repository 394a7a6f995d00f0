package tests

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

const container = "spec.template.spec.containers[0]."

// Ways to break a graph.
var set, edit, remove = graph.Setting, graph.Editing, graph.Removing

// properties are the rules of DESIGN that a single graph shows.
func properties() []property {
	return slices.Concat(structural(), references(), network(), pods())
}

func structural() []property {
	return []property{
		{name: "everything descends from the stack's two groups", holds: graph.Orphans, twins: map[string]func(*graph.Graph){
			"no parent":    edit("mlflow-server", func(n *graph.Node) { n.Parent = "" }),
			"the stack":    func(g *graph.Graph) { g.Edit("mlflow-server", func(n *graph.Node) { n.Parent = g.Stack }) },
			"lost parent":  remove("gateway"),
			"another root": edit("data", func(n *graph.Node) { n.Type = "mlflow:stacks:Other" }),
		}},
		{name: "children are named after their component", holds: graph.Misnamed, twins: map[string]func(*graph.Graph){
			"another name": edit("mlflow-server", func(n *graph.Node) { n.Name = "server" }),
		}},
		{name: "every custom resource has an explicit provider", holds: graph.WithoutProvider, twins: map[string]func(*graph.Graph){
			"default provider": edit("mlflow-server", func(n *graph.Node) { n.Provider = "" }),
			"another's provider": func(g *graph.Graph) {
				g.Edit("mlflow-server", func(n *graph.Node) { n.Provider = g.OfType("pulumi:providers:random")[0].URN })
			},
		}},
		{name: "what others may have is never taken over", holds: graph.Adopting, twins: map[string]func(*graph.Graph){
			"the usual provider": edit("database-operator-clusterrole-cnpg-manager", func(n *graph.Node) {
				n.Provider = strings.Replace(n.Provider, "cluster-creator", "cluster-provider", 1)
			}),
			"applies on the server": set("cluster-creator", "enableServerSideApply", true),
			"the default":           set("cluster-creator", "enableServerSideApply", nil),
		}},
		{name: "names are unique", holds: graph.Duplicates, twins: map[string]func(*graph.Graph){
			"a node twice":    func(g *graph.Graph) { g.Nodes = append(g.Nodes, g.Nodes[3]) },
			"an object twice": set("gateway-passwords", "metadata.name", "gateway-users"),
		}},
		{name: "names are what the API server accepts", holds: graph.BadNames, twins: map[string]func(*graph.Graph){
			"underscore":       set("mlflow-server", "metadata.name", "ml_flow"),
			"too long":         set("backup-schedule", "metadata.name", "a-name-of-more-than-fifty-two-characters-is-too-much-x"),
			"no namespace":     set("mlflow-server", "metadata.namespace", nil),
			"label value":      set("mlflow-server", "metadata.labels.team", "a b"),
			"pod label":        set("mlflow-server", "spec.template.metadata.labels.team", "a b"),
			"annotation":       set("mlflow-server", `metadata.annotations["a b"]`, "x"),
			"Secret key":       set("gateway-passwords", `stringData["alice@example.com"]`, "x"),
			"ServiceAccount":   set("mlflow-server", "spec.template.spec.serviceAccountName", "A"),
			"undecodable pods": set("mlflow-server", "spec.template.spec.containers", "x"),
		}},
	}
}

func references() []property {
	return []property{
		{name: "what pods refer to exists", holds: graph.Dangling, twins: map[string]func(*graph.Graph){
			"Secret gone":     remove("gateway-users"),
			"Secret key gone": set("mlflow-database", "stringData.uri", nil),
			"ConfigMap gone":  remove("workspace-scripts"),
			"account gone":    remove("mlflow-account"),
			"volume gone":     set("gateway-server", "spec.template.spec.volumes", []any{}),
			"two volumes":     set("gateway-server", "spec.template.spec.volumes[1].name", "config"),
			"initdb Secret":   set("database-postgresql-cluster", "spec.bootstrap.initdb.secret.name", "other"),
		}},
		{name: "image pull Secrets exist where pods pull", on: "gateway-api", holds: graph.Dangling, twins: map[string]func(*graph.Graph){
			"the workload's":  remove("workspace-registry"),
			"the operator's":  remove("database-operator-registry"),
			"of another type": set("workspace-registry", "stringData", map[string]any{"config.json": "x"}),
			"the database's":  set("database-postgresql-cluster", "spec.imagePullSecrets[0].name", "other"),
		}},
		{name: "Services, routes and budgets find their pods", holds: graph.Unserved, twins: map[string]func(*graph.Graph){
			"selector":     set("mlflow-service", "spec.selector", map[string]any{"app": "x"}),
			"no selector":  set("mlflow-service", "spec.selector", map[string]any{}),
			"named port":   set("mlflow-service", "spec.ports[0].targetPort", "grpc"),
			"port":         set("mlflow-service", "spec.ports[0].targetPort", 1),
			"disruption":   set("mlflow-disruption", "spec.selector.matchLabels", map[string]any{"app": "x"}),
			"pod's labels": set("mlflow-server", "spec.template.metadata.labels", map[string]any{"app": "x"}),
		}},
		{name: "an Ingress leads to a port that exists", on: "production", holds: graph.Unserved, twins: map[string]func(*graph.Graph){
			"port":    set("exposure-ingress", "spec.rules[0].http.paths[0].backend.service.port.name", "grpc"),
			"service": set("exposure-ingress", "spec.rules[0].http.paths[0].backend.service.name", "x"),
		}},
		{name: "a route leads to a port that exists", on: "gateway-api", holds: graph.Unserved, twins: map[string]func(*graph.Graph){
			"port":    set("exposure-route", "spec.rules[0].backendRefs[0].port", 81),
			"service": set("exposure-route", "spec.rules[0].backendRefs[0].name", "x"),
		}},
	}
}

func network() []property {
	return []property{
		{name: "every namespace denies by default, both ways", holds: graph.OpenNamespaces, twins: map[string]func(*graph.Graph){
			"no policy":        remove("workspace-netpol-default-deny"),
			"one way":          set("workspace-netpol-default-deny", "spec.policyTypes[1]", "Ingress"),
			"some pods":        set("workspace-netpol-default-deny", "spec.podSelector.matchLabels", map[string]any{"app": "x"}),
			"everything open":  set("workspace-netpol-default-deny", "spec.ingress", []any{map[string]any{}}),
			"operator's":       remove("database-operator-netpol-default-deny"),
			"another's":        set("workspace-netpol-default-deny", "metadata.namespace", "other"),
			"in another's pod": set("backup-schedule", "metadata.namespace", "other"),
		}},
		{name: "every listening port is opened by exactly one policy", holds: graph.WrongPorts, twins: map[string]func(*graph.Graph){
			"closed":          remove("workspace-netpol-gateway"),
			"not served":      set("workspace-netpol-gateway", "spec.ingress[0].ports[0].port", 1),
			"opened twice":    set("workspace-netpol-dns", "spec.ingress", []any{map[string]any{"ports": []any{map[string]any{"port": 5000}}}}),
			"metrics opened":  set("workspace-netpol-gateway", "spec.ingress[0].ports[0].port", 9180),
			"every port":      set("workspace-netpol-gateway", "spec.ingress[0].ports", []any{}),
			"out to anywhere": set("workspace-netpol-gateway", "spec.egress[0].to", []any{}),
			"a new port":      set("mlflow-server", container+"ports[1]", map[string]any{"name": "debug", "containerPort": 6060}),
		}},
		{name: "metrics are open to the one namespace that scrapes", on: "production", holds: graph.WrongPorts, twins: map[string]func(*graph.Graph){
			"everybody besides": set("workspace-netpol-gateway", "spec.ingress[9]", map[string]any{
				"from": []any{map[string]any{"ipBlock": map[string]any{"cidr": "0.0.0.0/0"}}}, "ports": []any{map[string]any{"port": 9180}}}),
			"every namespace": set("workspace-netpol-postgresql", "spec.ingress[9]", map[string]any{
				"from": []any{map[string]any{"namespaceSelector": map[string]any{}}}, "ports": []any{map[string]any{"port": 9187}}}),
		}},
		{name: "nothing bypasses the gateway", holds: graph.Bypasses, twins: map[string]func(*graph.Graph){
			"load balancer":     set("mlflow-service", "spec.type", "LoadBalancer"),
			"node port":         set("mlflow-service", "spec.type", "NodePort"),
			"external address":  set("mlflow-service", "spec.externalIPs", []any{"192.0.2.1"}),
			"host port":         set("mlflow-server", container+"ports[0].hostPort", 5000),
			"host network":      set("mlflow-server", "spec.template.spec.hostNetwork", true),
			"another pod":       set("workspace-netpol-mlflow", "spec.ingress[0].from[0].podSelector.matchLabels", map[string]any{"app.kubernetes.io/name": "mlflow-retention"}),
			"another namespace": set("workspace-netpol-mlflow", "spec.ingress[0].from[0].namespaceSelector", map[string]any{}),
			"addresses":         set("workspace-netpol-mlflow", "spec.ingress[0].from[1]", map[string]any{"ipBlock": map[string]any{"cidr": "0.0.0.0/0"}}),
			"everybody":         set("workspace-netpol-mlflow", "spec.ingress[0].from", []any{}),
			"no server":         remove("mlflow-server"),
		}},
		{name: "an Ingress leads to the gateway only", on: "production", holds: graph.Bypasses, twins: map[string]func(*graph.Graph){
			"to MLflow": set("exposure-ingress", "spec.rules[0].http.paths[0].backend.service.name", "mlflow"),
			"default":   set("exposure-ingress", "spec.defaultBackend.service.name", "mlflow"),
		}},
		{name: "a route leads to the gateway only", on: "gateway-api", holds: graph.Bypasses, twins: map[string]func(*graph.Graph){
			"to MLflow": set("exposure-route", "spec.rules[0].backendRefs[0].name", "mlflow"),
		}},
	}
}

func pods() []property {
	s := func(path string, value any) func(*graph.Graph) {
		return set("mlflow-server", "spec.template.spec."+path, value)
	}
	c := func(path string, value any) func(*graph.Graph) { return set("mlflow-server", container+path, value) }
	return []property{{name: "pods are restricted, bounded, probed and pinned", holds: graph.UnsafePods, twins: map[string]func(*graph.Graph){
		"root":              s("securityContext.runAsNonRoot", false),
		"no seccomp":        s("securityContext.seccompProfile", nil),
		"host network":      s("hostNetwork", true),
		"host path":         s("volumes[0].hostPath", map[string]any{"path": "/"}),
		"API token":         s("automountServiceAccountToken", true),
		"service links":     s("enableServiceLinks", true),
		"unlimited scratch": s("volumes[0].emptyDir.sizeLimit", nil),
		"privileged":        c("securityContext.privileged", true),
		"escalation":        c("securityContext.allowPrivilegeEscalation", true),
		"writable root":     c("securityContext.readOnlyRootFilesystem", false),
		"capabilities":      c("securityContext.capabilities.drop[0]", "NET_RAW"),
		"added capability":  c("securityContext.capabilities.add", []any{"SYS_ADMIN"}),
		"user 0":            c("securityContext.runAsUser", 0),
		"no requests":       c("resources.requests", nil),
		"no memory limit":   c("resources.limits", nil),
		"CPU limit":         c("resources.limits.cpu", "1"),
		"latest":            c("image", "mlflow:latest"),
		"no tag":            c("image", "registry.example.com:5000/mlflow"),
		"pulled always":     c("imagePullPolicy", "Always"),
		"no liveness":       c("livenessProbe", nil),
		"no readiness":      c("readinessProbe", nil),
		"no start-up probe": c("startupProbe", nil),
		"probe's port":      c("livenessProbe.httpGet.port", "metrics"),
		"password in clear": c("env[0]", map[string]any{"name": "DB_PASSWORD", "value": "x"}),
		"init container":    s("initContainers[0].image", "mlflow"),
		"a job's container": set("backup-schedule", "spec.jobTemplate.spec.template.spec.containers[0].securityContext", nil),
		"open namespace":    set("workspace-namespace", `metadata.labels["pod-security.kubernetes.io/enforce"]`, "baseline"),
		"database's limit":  set("database-postgresql-cluster", "spec.resources.limits", nil),
		"database's image":  set("database-postgresql-cluster", "spec.imageName", "postgresql:latest"),
	}}}
}

// reversed is the same configuration value with the keys of its objects in
// reverse order.
func reversed(t *testing.T, text string) string {
	t.Helper()
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	var write func(v any) string
	write = func(v any) string {
		switch v := v.(type) {
		case map[string]any:
			keys := make([]string, 0, len(v))
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			slices.Reverse(keys)
			out := "{"
			for i, k := range keys {
				if i > 0 {
					out += ", "
				}
				out += write(k) + ": " + write(v[k])
			}
			return out + "}"
		case []any:
			out := "["
			for i, e := range v {
				if i > 0 {
					out += ", "
				}
				out += write(e)
			}
			return out + "]"
		default:
			raw, err := json.Marshal(v)
			require.NoError(t, err)
			return string(raw)
		}
	}
	return write(v)
}

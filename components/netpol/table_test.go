package netpol_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mlflow-platform/mlflow-platform/components/netpol"
)

// tables are the shapes a stack's table can have.
var tables = withPorts(map[string]netpol.Args{
	"in-cluster store": {OperatorNamespace: "cnpg-system", BucketSetup: true, SourceCIDRs: netpol.Anywhere()},
	"inside":           {OperatorNamespace: "cnpg-system", BucketSetup: true},
	"managed": {OperatorNamespace: "cnpg-system",
		Store:    []netpol.Endpoint{{CIDRs: []string{"203.0.113.0/24"}, Port: 443, Why: "the bucket"}, {CIDRs: []string{"169.254.170.23/32"}, Port: 80, Why: "credentials"}},
		Database: []netpol.Endpoint{{CIDRs: []string{"10.20.0.192/26"}, Port: 5432}}},
	"s3": {OperatorNamespace: "cnpg-system", BucketSetup: true, Store: []netpol.Endpoint{{CIDRs: []string{"192.0.2.0/24"}, Port: 9000, Why: "the bucket"}},
		APIServerCIDRs: []string{"10.96.0.1/32"}, SourceCIDRs: []string{"198.51.100.0/24"}},
	"controller": {OperatorNamespace: "cnpg-system", BucketSetup: true, ControllerNamespace: "ingress"},
	"monitoring": {OperatorNamespace: "cnpg-system", BucketSetup: true, MonitoringNamespace: "monitoring"},
})

func withPorts(tables map[string]netpol.Args) map[string]netpol.Args {
	for name, a := range tables {
		a.APIServerPorts = []int{443, 6443}
		tables[name] = a
	}
	return tables
}

// unserved are edges to a port that the workload they end at does not listen
// on, and edges that name no port or no reason.
func unserved(edges []netpol.Edge) []string {
	var bad []string
	for _, e := range edges {
		if len(e.Ports) == 0 {
			bad = append(bad, show(e)+": no port: an empty list allows every port")
		}
		if e.Why == "" {
			bad = append(bad, show(e)+": no reason")
		}
		if e.From.EveryNamespace && (e.To.Workload == nil || e.To.Workload.Name != netpol.Gateway.Name) {
			bad = append(bad, show(e)+": every pod of the cluster reaches the gateway only")
		}
		if e.To.EveryNamespace && (e.From.Workload == nil || e.From.Workload.Name != netpol.Operator.Name) {
			bad = append(bad, show(e)+": only the operator reaches every pod of the cluster")
		}
		for _, end := range []netpol.Peer{e.From, e.To} {
			if end.Workload == nil && end.Namespace == "" && len(end.CIDRs) == 0 && !end.EveryNamespace {
				bad = append(bad, show(e)+": an empty end allows everybody")
			}
			for _, c := range end.CIDRs {
				if _, err := netip.ParsePrefix(c); err != nil {
					bad = append(bad, show(e)+": "+c+" is not an address range")
				}
			}
		}
		for _, p := range e.Ports {
			if p.Number < 1 || p.Number > 65535 {
				bad = append(bad, fmt.Sprintf("%s: port %d", show(e), p.Number))
			}
			if e.To.Workload != nil && !slices.Contains(e.To.Workload.Ports, p) {
				bad = append(bad, fmt.Sprintf("%s: %s does not listen on %d", show(e), e.To.Workload.Name, p.Number))
			}
		}
	}
	return bad
}

func show(e netpol.Edge) string { return end(e.From) + " -> " + end(e.To) }

func end(p netpol.Peer) string {
	name := p.Namespace
	if p.Workload != nil {
		name += "/" + p.Workload.Name
	}
	if p.EveryNamespace {
		name += "*"
	}
	return name + fmt.Sprint(p.CIDRs)
}

// sources are who reaches a port of a workload.
func sources(edges []netpol.Edge, w netpol.Workload, port netpol.Port) []string {
	var from []string
	for _, e := range edges {
		if e.To.Workload != nil && e.To.Namespace == "" && e.To.Workload.Name == w.Name && slices.Contains(e.Ports, port) {
			from = append(from, end(e.From))
		}
	}
	slices.Sort(from)
	return from
}

func TestEveryEdgeEndsAtAServedPort(t *testing.T) {
	for name, args := range tables {
		assert.Empty(t, unserved(netpol.Edges(args)), name)
		assert.Empty(t, unserved(netpol.OperatorEdges(args)), name)
	}
}

func TestUnservedEdgesAreFound(t *testing.T) {
	closed := netpol.Port{Name: "debug", Number: 6060}
	from, to := netpol.Peer{Workload: &netpol.Gateway}, netpol.Peer{Workload: &netpol.MLflow}
	for name, e := range map[string]netpol.Edge{
		"closed port":  {From: from, To: to, Ports: []netpol.Port{closed}, Why: "x"},
		"no port":      {From: from, To: to, Why: "x"},
		"no reason":    {From: from, To: to, Ports: []netpol.Port{netpol.MLflowHTTP}},
		"everybody":    {To: to, Ports: []netpol.Port{netpol.MLflowHTTP}, Why: "x"},
		"every pod":    {From: netpol.Peer{EveryNamespace: true}, To: to, Ports: []netpol.Port{netpol.MLflowHTTP}, Why: "x"},
		"to every pod": {From: from, To: netpol.Peer{EveryNamespace: true}, Ports: []netpol.Port{netpol.MLflowHTTP}, Why: "x"},
		"bad range":    {From: netpol.Peer{CIDRs: []string{"everywhere"}}, To: to, Ports: []netpol.Port{netpol.MLflowHTTP}, Why: "x"},
		"no number":    {From: from, To: netpol.Peer{CIDRs: []string{"192.0.2.0/24"}}, Ports: []netpol.Port{{Name: "s3"}}, Why: "x"},
	} {
		assert.Len(t, unserved([]netpol.Edge{e}), 1, name)
	}
}

// TestWhoReachesWhat is the table once more, from the side of the ports: a new
// edge must be written here too.
func TestWhoReachesWhat(t *testing.T) {
	want := map[string]map[string][]string{
		"in-cluster store": {
			"gateway:8443": {"*[]", "/mlflow-retention[]", "[0.0.0.0/0 ::/0]"},
			"gateway:8080": nil, "gateway:9180": nil,
			"mlflow:5000":     {"/gateway[]"},
			"postgresql:5432": {"/database-backup[]", "/mlflow-migration[]", "/mlflow-retention[]", "/mlflow[]", "/postgresql[]"},
			"postgresql:8000": {"/postgresql[]", "cnpg-system/cloudnative-pg[]"},
			"postgresql:9187": nil,
			"minio:9000":      {"/bucket-setup[]", "/database-backup[]", "/mlflow-migration[]", "/mlflow[]"},
		},
		"inside":     {"gateway:8443": {"*[]", "/mlflow-retention[]"}, "gateway:8080": nil, "mlflow:5000": {"/gateway[]"}},
		"s3":         {"gateway:8443": {"*[]", "/mlflow-retention[]", "[198.51.100.0/24]"}, "mlflow:5000": {"/gateway[]"}, "minio:9000": nil},
		"managed":    {"postgresql:5432": nil, "postgresql:8000": nil, "minio:9000": nil, "mlflow:5000": {"/gateway[]"}},
		"controller": {"gateway:8080": {"ingress[]"}, "mlflow:5000": {"/gateway[]"}},
		"monitoring": {"gateway:9180": {"monitoring[]"}, "postgresql:9187": {"monitoring[]"}, "mlflow:5000": {"/gateway[]"}},
	}
	for name, ports := range want {
		edges := netpol.Edges(tables[name])
		for _, w := range []netpol.Workload{netpol.Gateway, netpol.MLflow, netpol.Database, netpol.ObjectStore} {
			for _, p := range w.Ports {
				key := fmt.Sprintf("%s:%d", w.Name, p.Number)
				if from, listed := ports[key]; listed {
					assert.Equal(t, from, sources(edges, w, p), "%s: who reaches %s", name, key)
				}
			}
		}
	}
}

// others are who reaches MLflow besides the gateway.
func others(edges []netpol.Edge) []string {
	return slices.DeleteFunc(sources(edges, netpol.MLflow, netpol.MLflowHTTP), func(s string) bool { return s == "/gateway[]" })
}

func TestNothingBypassesTheGateway(t *testing.T) {
	for name, args := range tables {
		edges := netpol.Edges(args)
		assert.Empty(t, others(edges), name)
		bypass := netpol.Edge{From: netpol.Peer{Workload: &netpol.Retention}, To: netpol.Peer{Workload: &netpol.MLflow}, Ports: []netpol.Port{netpol.MLflowHTTP}, Why: "x"}
		assert.NotEmpty(t, others(append(edges, bypass)), "%s: a bypass is found", name)
	}
}

func TestDefaultsWithoutAddresses(t *testing.T) {
	apiServer := func(a netpol.Args) netpol.Edge {
		edges := netpol.OperatorEdges(a)
		i := slices.IndexFunc(edges, func(e netpol.Edge) bool { return e.From.Workload != nil && len(e.To.CIDRs) > 0 })
		return edges[i]
	}
	e := apiServer(netpol.Args{APIServerPorts: []int{443, 16443}})
	assert.Equal(t, netpol.Anywhere(), e.To.CIDRs, "without addresses of the API server every address is open, on its ports only")
	assert.Equal(t, []netpol.Port{{Name: "api-server", Number: 443}, {Name: "api-server", Number: 16443}}, e.Ports)
	e = apiServer(netpol.Args{APIServerCIDRs: []string{"10.96.0.1/32"}, APIServerPorts: []int{443}})
	assert.Equal(t, []string{"10.96.0.1/32"}, e.To.CIDRs)
}

// TestTheOperatorServesTheWholeCluster: one that reached our namespace only
// would stop managing the databases of other teams.
func TestTheOperatorServesTheWholeCluster(t *testing.T) {
	edges := netpol.OperatorEdges(tables["monitoring"])
	var reached []string
	for _, e := range edges {
		if slices.Contains(e.Ports, netpol.PostgreSQLStatus) {
			reached = append(reached, end(e.To))
		}
	}
	assert.Equal(t, []string{"/postgresql*[]"}, reached)
	assert.Equal(t, []string{"monitoring[]"}, sources(edges, netpol.Operator, netpol.OperatorMetrics))
	assert.Empty(t, sources(netpol.OperatorEdges(tables["s3"]), netpol.Operator, netpol.OperatorMetrics))
}

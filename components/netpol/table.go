// Package netpol holds the one table of who talks to whom on which port, and
// derives the NetworkPolicies from it. Services, containers and probes take
// their labels and ports from the same table, so a port that is served and a
// port that is allowed cannot drift apart.
package netpol

// Workload is a set of pods.
type Workload struct {
	// Name is the value of the label that selects the pods.
	Name string
	// Label is the key of that label.
	Label string
	// Ports are what the pods listen on.
	Ports []Port
}

// Port is a named TCP port.
type Port struct {
	// Name is the container port's name.
	Name string
	// Number is the container port.
	Number int
}

// nameLabel is the recommended Kubernetes label for an application's name.
const nameLabel = "app.kubernetes.io/name"

// The ports.
var (
	// GatewayHTTPS is where clients reach the gateway.
	GatewayHTTPS = Port{"https", 8443}
	// GatewayHTTP is where an ingress or Gateway API controller that ended TLS
	// reaches the gateway. It asks for the login all the same.
	GatewayHTTP = Port{"http", 8080}
	// GatewayMetrics serves Prometheus metrics and the gateway's own health.
	GatewayMetrics = Port{"metrics", 9180}
	// MLflowHTTP is the tracking server.
	MLflowHTTP = Port{"http", 5000}
	// PostgreSQL is the database.
	PostgreSQL = Port{"postgresql", 5432}
	// PostgreSQLStatus is where the operator asks an instance for its state.
	PostgreSQLStatus = Port{"status", 8000}
	// PostgreSQLMetrics serves the instance's Prometheus metrics.
	PostgreSQLMetrics = Port{"metrics", 9187}
	// S3 is the in-cluster object store.
	S3 = Port{"s3", 9000}
	// Webhook is where the Kubernetes API server calls the database operator.
	Webhook = Port{"webhook-server", 9443}
	// OperatorMetrics serves the operator's Prometheus metrics.
	OperatorMetrics = Port{"metrics", 8080}
)

// The workloads.
var (
	// Gateway is the only way in.
	Gateway = Workload{"gateway", nameLabel, []Port{GatewayHTTPS, GatewayHTTP, GatewayMetrics}}
	// MLflow is the tracking server.
	MLflow = Workload{"mlflow", nameLabel, []Port{MLflowHTTP}}
	// Migration brings the schema up to date before a server starts.
	Migration = Workload{"mlflow-migration", nameLabel, nil}
	// ImageCheck looks at the image that is to run; it needs no network.
	ImageCheck = Workload{"mlflow-image", nameLabel, nil}
	// Retention cleans up old runs.
	Retention = Workload{"mlflow-retention", nameLabel, nil}
	// Backup dumps the database into the bucket, and restores it.
	Backup = Workload{"database-backup", nameLabel, nil}
	// DatabaseSetup makes the server's own role in a managed database.
	DatabaseSetup = Workload{"database-setup", nameLabel, nil}
	// BucketSetup creates and configures the bucket.
	BucketSetup = Workload{"bucket-setup", nameLabel, nil}
	// Database is PostgreSQL; CloudNativePG sets the label.
	Database = Workload{"postgresql", "cnpg.io/cluster", []Port{PostgreSQL, PostgreSQLStatus, PostgreSQLMetrics}}
	// ObjectStore is the in-cluster S3 store.
	ObjectStore = Workload{"minio", nameLabel, []Port{S3}}
	// Operator is CloudNativePG, in a namespace of its own.
	Operator = Workload{"cloudnative-pg", nameLabel, []Port{Webhook, OperatorMetrics}}
	// Tunnel are the pods in kube-system through which an API server outside of the
	// cluster's network calls webhooks (kubernetes.io/docs/tasks/extend-kubernetes/setup-konnectivity).
	Tunnel = Workload{"konnectivity-agent", "k8s-app", nil}
)

// Labels select the pods of the workload.
func (w Workload) Labels() map[string]string { return map[string]string{w.Label: w.Name} }

// Peer is one end of an edge: a workload, or addresses outside the namespace.
type Peer struct {
	// Workload in the same namespace, or in Namespace if that is set.
	Workload *Workload
	// Namespace is another namespace: all its pods, or those of Workload.
	Namespace string
	// EveryNamespace is all pods of the cluster, or with Workload those that have
	// its label, whatever the value. A range of addresses does not stand for pods
	// with every network plugin.
	EveryNamespace bool
	// CIDRs are addresses.
	CIDRs []string
}

// Edge allows connections from one peer to another on ports.
type Edge struct {
	From, To Peer
	Ports    []Port
	// Why is written into the policy's annotation.
	Why string
}

// Args say which parts of the table a stack has.
type Args struct {
	// OperatorNamespace of CloudNativePG.
	OperatorNamespace string
	// APIServerCIDRs and APIServerPorts are where the Kubernetes API server
	// answers; without addresses the ports are open to any.
	APIServerCIDRs []string
	APIServerPorts []int
	// Store is where the bucket answers outside the cluster, and what hands out
	// the credentials for it; empty with the in-cluster store.
	Store []Endpoint
	// BucketSetup is true where a Job creates the bucket.
	BucketSetup bool
	// Database is where a managed database answers; empty for one in the cluster.
	Database []Endpoint
	// SourceCIDRs outside the cluster may reach the gateway; empty is nobody.
	SourceCIDRs []string
	// ControllerNamespace is where an ingress controller runs; empty without one.
	ControllerNamespace string
	// ControllerCIDRs are where a load balancer of the cloud's is that routes to pods
	// instead of one.
	ControllerCIDRs []string
	// MonitoringNamespace may scrape metrics; empty is nobody.
	MonitoringNamespace string
}

// Endpoint is a service outside the cluster.
type Endpoint struct {
	// CIDRs are its addresses, Port its TCP port.
	CIDRs []string
	Port  int
	// Why is written into the policy's annotation.
	Why string
}

func (e Endpoint) edge(from Workload) Edge {
	return Edge{in(from), Peer{CIDRs: e.CIDRs}, []Port{{"outside", e.Port}}, e.Why}
}

// Anywhere is every address.
func Anywhere() []string { return []string{"0.0.0.0/0", "::/0"} }

func in(w Workload) Peer { return Peer{Workload: &w} }

// Edges is the table for a stack.
func Edges(a Args) []Edge {
	edges := []Edge{
		{in(Gateway), in(MLflow), []Port{MLflowHTTP}, "only the gateway reaches the tracking server"},
		{in(Retention), in(Gateway), []Port{GatewayHTTPS}, "the job logs in like everybody"},
		{Peer{EveryNamespace: true}, in(Gateway), []Port{GatewayHTTPS}, "clients in the cluster; the gateway asks for the login"},
	}
	if len(a.SourceCIDRs) > 0 {
		edges = append(edges, Edge{Peer{CIDRs: a.SourceCIDRs}, in(Gateway), []Port{GatewayHTTPS}, "the way in; the gateway asks for the login"})
	}
	if a.ControllerNamespace != "" {
		edges = append(edges, Edge{Peer{Namespace: a.ControllerNamespace}, in(Gateway), []Port{GatewayHTTP}, "the ingress controller; the gateway asks for the login"})
	}
	if len(a.ControllerCIDRs) > 0 {
		edges = append(edges, Edge{Peer{CIDRs: a.ControllerCIDRs}, in(Gateway), []Port{GatewayHTTP}, "the cloud's load balancer; the gateway asks for the login"})
	}
	edges = append(edges, a.databaseEdges()...)
	edges = append(edges, a.storeEdges()...)
	if a.MonitoringNamespace != "" {
		edges = append(edges, Edge{Peer{Namespace: a.MonitoringNamespace}, in(Gateway), []Port{GatewayMetrics}, "metrics"})
	}
	return edges
}

// databaseEdges lead to the database, in the cluster or outside.
func (a Args) databaseEdges() []Edge {
	var edges []Edge
	for _, user := range []struct {
		Workload
		why string
	}{
		{MLflow, "runs, metrics and the registry"}, {Migration, "schema migrations"},
		{Retention, "mlflow gc deletes rows"}, {Backup, "dump and restore"},
	} {
		for _, e := range a.Database {
			e.Why = user.why
			edges = append(edges, e.edge(user.Workload))
		}
		if len(a.Database) == 0 {
			edges = append(edges, Edge{in(user.Workload), in(Database), []Port{PostgreSQL}, user.why})
		}
	}
	for _, e := range a.Database {
		e.Why = "the server's role is made by a Job"
		edges = append(edges, e.edge(DatabaseSetup))
	}
	if len(a.Database) > 0 {
		return edges
	}
	edges = append(edges,
		Edge{in(Database), in(Database), []Port{PostgreSQL, PostgreSQLStatus}, "replication between instances"},
		Edge{in(Database), a.apiServer(), a.apiServerPorts(), "the instance manager watches its Cluster object"},
		Edge{Peer{Namespace: a.OperatorNamespace, Workload: &Operator}, in(Database), []Port{PostgreSQLStatus}, "the operator reads the state of instances"})
	if a.MonitoringNamespace != "" {
		edges = append(edges, Edge{Peer{Namespace: a.MonitoringNamespace}, in(Database), []Port{PostgreSQLMetrics}, "metrics"})
	}
	return edges
}

// storeEdges lead to the bucket. Retention deletes artifacts through MLflow;
// Migration uploads its dump.
func (a Args) storeEdges() []Edge {
	var edges []Edge
	users := []Workload{MLflow, Migration, Backup}
	if a.BucketSetup {
		users = append(users, BucketSetup)
	}
	for _, w := range users {
		if len(a.Store) == 0 {
			edges = append(edges, Edge{in(w), in(ObjectStore), []Port{S3}, "the bucket"})
		}
		for _, e := range a.Store {
			edges = append(edges, e.edge(w))
		}
	}
	return edges
}

func (a Args) apiServer() Peer {
	if len(a.APIServerCIDRs) == 0 {
		return Peer{CIDRs: Anywhere()}
	}
	return Peer{CIDRs: a.APIServerCIDRs}
}

func (a Args) apiServerPorts() []Port {
	var all []Port
	for _, n := range a.APIServerPorts {
		all = append(all, Port{"api-server", n})
	}
	return all
}

// OperatorEdges is the table for the operator's namespace. The operator serves
// the whole cluster, so it reaches the instances of every namespace: a narrower
// edge would stop other teams' databases from being managed.
func OperatorEdges(a Args) []Edge {
	edges := []Edge{
		{Peer{CIDRs: Anywhere()}, in(Operator), []Port{Webhook}, "the API server calls the webhooks from an address Kubernetes does not name"},
		// Addresses do not stand for pods: with Cilium a tunnel would be shut out.
		{Peer{Namespace: "kube-system", Workload: &Tunnel}, in(Operator), []Port{Webhook}, "on some clouds the API server calls them through a tunnel"},
		{in(Operator), a.apiServer(), a.apiServerPorts(), "the operator watches its objects"},
		{in(Operator), Peer{EveryNamespace: true, Workload: &Database}, []Port{PostgreSQLStatus}, "the state of instances"},
	}
	if a.MonitoringNamespace != "" {
		edges = append(edges, Edge{Peer{Namespace: a.MonitoringNamespace}, in(Operator), []Port{OperatorMetrics}, "metrics"})
	}
	return edges
}

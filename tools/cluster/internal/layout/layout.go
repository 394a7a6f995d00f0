// Package layout says where everything of a local cluster is: its addresses,
// the files of its state directory on the host, and the same files as the
// processes inside see them.
package layout

import "path/filepath"

// Addresses and names inside the cluster. They exist only in the cluster's own
// network namespace, so every cluster uses the same ones.
const (
	// NodeName is the name of the only node.
	NodeName = "localcluster"
	// NodeIP is the node's address and that of every LoadBalancer Service.
	NodeIP = "10.231.0.2"
	// NodeCIDR is NodeIP with the prefix length of the node's network.
	NodeCIDR = NodeIP + "/24"
	// GatewayIP is the next hop of the default route. Nothing answers there:
	// components need a default route, and the cluster has no way out.
	GatewayIP = "10.231.0.1"
	// PodCIDR holds the addresses of all Pods.
	PodCIDR = "10.244.0.0/16"
	// NodePodCIDR holds the addresses of this node's Pods.
	NodePodCIDR = "10.244.0.0/24"
	// ServiceCIDR holds the addresses of all Services.
	ServiceCIDR = "10.96.0.0/16"
	// APIServiceIP is the address of the Service kubernetes.default, the first
	// of ServiceCIDR.
	APIServiceIP = "10.96.0.1"
	// DNSServiceIP is the address of the Service kube-dns.
	DNSServiceIP = "10.96.0.10"
	// Domain is the cluster's DNS domain.
	Domain = "cluster.local"
	// APIPort is the API server's port inside; outside it is published.
	APIPort = 6443
)

// Directories inside.
const (
	// Base is where the state and the programs are mounted.
	Base = "/run/localcluster"
	// Bin holds one symbolic link per program.
	Bin = Base + "/bin"
	// Tools holds the mounted directories of programs, by tool.
	Tools = Base + "/tools"
	// InsideState is the state directory as seen inside.
	InsideState = Base + "/state"
	// ContainerdSocket is containerd's gRPC address.
	ContainerdSocket = "/run/containerd/containerd.sock"
)

// State is a cluster's state directory, on the host or inside.
type State string

// Inside is the state directory as seen inside.
const Inside = State(InsideState)

func (s State) path(elem ...string) string {
	return filepath.Join(append([]string{string(s)}, elem...)...)
}

// Config holds the node's configuration files.
func (s State) Config(elem ...string) string { return s.path(append([]string{"config"}, elem...)...) }

// PKI holds keys and certificates.
func (s State) PKI(elem ...string) string { return s.path(append([]string{"pki"}, elem...)...) }

// Data holds what outlives a restart: addresses, etcd, containerd,
// kubelet, volumes, pod-logs.
func (s State) Data(name string) string { return s.path("data", name) }

// Log is the log file of a component.
func (s State) Log(component string) string { return s.path("logs", component+".log") }

// Logs holds the log files.
func (s State) Logs() string { return s.path("logs") }

// Kubeconfig is the administrator's kubeconfig for use on the host.
func (s State) Kubeconfig() string { return s.path("kubeconfig") }

// Settings records what the cluster was started with.
func (s State) Settings() string { return s.path("settings.json") }

// Images records which images were loaded.
func (s State) Images() string { return s.path("images.json") }

// Status is where the supervisor reports.
func (s State) Status() string { return s.path("status.json") }

// PID holds the supervisor's process id on the host.
func (s State) PID() string { return s.path("supervisor.pid") }

// CommandLock is held by a command that changes the cluster.
func (s State) CommandLock() string { return s.path("command.lock") }

// SupervisorLock is held by the supervisor as long as it lives.
func (s State) SupervisorLock() string { return s.path("supervisor.lock") }

//go:build linux

package box

import (
	"fmt"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/nodeconfig"
)

const (
	etcdURL = "https://127.0.0.1:2379"
	in      = layout.Inside
)

// foundation are the components that need no API server.
func foundation() []component {
	pki := func(name string) string { return in.PKI(name) }
	return []component{
		{"containerd", []string{"containerd", "--config", in.Config("containerd.toml")}},
		{"etcd", []string{
			"etcd", "--name", layout.NodeName, "--data-dir", in.Data("etcd"),
			// Faster, and safe when processes are killed: written pages
			// survive that. They do not survive a power failure.
			"--unsafe-no-fsync",
			"--listen-client-urls", etcdURL, "--advertise-client-urls", etcdURL,
			"--cert-file", pki("etcd.crt"), "--key-file", pki("etcd.key"),
			"--trusted-ca-file", pki("ca.crt"), "--client-cert-auth",
			// There is no peer; the port is closed to everything but the node.
			"--listen-peer-urls", "http://127.0.0.1:2380",
			// The gateway is for clients without gRPC.
			"--enable-grpc-gateway=false",
			"--log-level", "warn",
		}},
		{"kube-apiserver", []string{
			"kube-apiserver",
			"--etcd-servers", etcdURL, "--etcd-cafile", pki("ca.crt"),
			"--etcd-certfile", pki("apiserver-etcd.crt"), "--etcd-keyfile", pki("apiserver-etcd.key"),
			"--bind-address", "0.0.0.0", "--secure-port", fmt.Sprint(layout.APIPort), "--advertise-address", layout.NodeIP,
			"--tls-cert-file", pki("apiserver.crt"), "--tls-private-key-file", pki("apiserver.key"), "--client-ca-file", pki("ca.crt"),
			"--kubelet-client-certificate", pki("apiserver-kubelet.crt"), "--kubelet-client-key", pki("apiserver-kubelet.key"),
			"--kubelet-certificate-authority", pki("ca.crt"), "--kubelet-preferred-address-types", "InternalIP",
			"--service-account-issuer", "https://kubernetes.default.svc." + layout.Domain,
			"--service-account-key-file", pki("sa.pub"), "--service-account-signing-key-file", pki("sa.key"),
			"--service-cluster-ip-range", layout.ServiceCIDR,
			// The aggregation layer. The authority is that of all clients,
			// which is why the name of the one proxy must be given.
			"--requestheader-client-ca-file", pki("ca.crt"), "--requestheader-allowed-names", nodeconfig.FrontProxy,
			"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
			"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
			"--proxy-client-cert-file", pki("front-proxy.crt"), "--proxy-client-key-file", pki("front-proxy.key"),
			"--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction",
			"--allow-privileged=true", "--profiling=false",
		}},
	}
}

// clients are the components that talk to the API server.
func clients() []component {
	kubeconfig := func(name string) string { return in.Config(name + ".kubeconfig") }
	return []component{
		{"kubelet", []string{
			"kubelet", "--config", in.Config("kubelet.yaml"), "--kubeconfig", kubeconfig("kubelet"),
			"--hostname-override", layout.NodeName, "--node-ip", layout.NodeIP,
		}},
		{"kube-controller-manager", []string{
			"kube-controller-manager",
			"--kubeconfig", kubeconfig("controller-manager"),
			"--authentication-kubeconfig", kubeconfig("controller-manager"), "--authorization-kubeconfig", kubeconfig("controller-manager"),
			"--service-account-private-key-file", in.PKI("sa.key"), "--root-ca-file", in.PKI("ca.crt"),
			"--cluster-signing-cert-file", in.PKI("ca.crt"), "--cluster-signing-key-file", in.PKI("ca.key"),
			"--use-service-account-credentials",
			// The default of 20 requests a second spreads the start of the
			// controllers over five seconds.
			"--kube-api-qps", "200", "--kube-api-burst", "400",
			"--cluster-cidr", layout.PodCIDR, "--allocate-node-cidrs", "--node-cidr-mask-size", "24",
			"--flex-volume-plugin-dir", "/var/lib/kubelet/volume-plugins",
			// There is one instance: electing it only costs writes.
			"--leader-elect=false", "--bind-address", "127.0.0.1", "--profiling=false",
		}},
		{"kube-scheduler", []string{
			"kube-scheduler",
			"--kubeconfig", kubeconfig("scheduler"),
			"--authentication-kubeconfig", kubeconfig("scheduler"), "--authorization-kubeconfig", kubeconfig("scheduler"),
			"--leader-elect=false", "--bind-address", "127.0.0.1", "--profiling=false",
		}},
		{"kube-proxy", []string{"kube-proxy", "--config", in.Config("kube-proxy.yaml")}},
		{"netpol", []string{
			"netpol", "--kubeconfig", kubeconfig("netpol"), "--node", layout.NodeName, "--service-cidr", layout.ServiceCIDR,
		}},
		{"storage", []string{"storage", "--kubeconfig", kubeconfig("storage"), "--root", data["volumes"]}},
		{"loadbalancer", []string{"loadbalancer", "--kubeconfig", kubeconfig("loadbalancer"), "--address", layout.NodeIP}},
	}
}

// Package nodeconfig writes the configuration of a node's components:
// certificates, kubeconfigs and configuration files.
package nodeconfig

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"text/template"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/kubeapi"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/pki"
)

//go:embed templates
var templates embed.FS

// masters is the group whose members may do everything. Our own controllers
// belong to it: they run beside the authority's key.
const masters = "system:masters"

// FrontProxy is the user as whom the API server calls extension servers.
const FrontProxy = "front-proxy"

// clients are the users of the API server and their certificates; each gets a
// kubeconfig of its name for use inside.
var clients = []pki.Certificate{
	{Name: "admin", CommonName: "admin", Organization: masters},
	{Name: "controller-manager", CommonName: "system:kube-controller-manager"},
	{Name: "scheduler", CommonName: "system:kube-scheduler"},
	{Name: "kubelet", CommonName: "system:node:" + layout.NodeName, Organization: "system:nodes"},
	{Name: "kube-proxy", CommonName: "system:kube-proxy"},
	{Name: "netpol", CommonName: "netpol", Organization: masters},
	{Name: "storage", CommonName: "storage", Organization: masters},
	{Name: "loadbalancer", CommonName: "loadbalancer", Organization: masters},
}

// servers are the serving certificates and the API server's own client
// certificates, which need no kubeconfig.
var servers = []pki.Certificate{
	{
		Name: "apiserver", CommonName: "kube-apiserver",
		DNS: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + layout.Domain},
		IPs: []string{"127.0.0.1", layout.NodeIP, layout.APIServiceIP},
	},
	{Name: "etcd", CommonName: "etcd", DNS: []string{"localhost"}, IPs: []string{"127.0.0.1"}},
	{Name: "kubelet-server", CommonName: layout.NodeName, DNS: []string{layout.NodeName}, IPs: []string{"127.0.0.1", layout.NodeIP}},
	{Name: "apiserver-etcd", CommonName: "kube-apiserver"},
	{Name: "front-proxy", CommonName: FrontProxy},
	{Name: "apiserver-kubelet", CommonName: "kube-apiserver-kubelet-client", Organization: masters},
}

// Values vary between clusters.
type Values struct {
	// Context is the name of the context in the kubeconfig for the host.
	Context string
	// APIPort is the API server's port on the host.
	APIPort int
	// PauseImage is the image of every Pod's sandbox.
	PauseImage string
}

// Write writes everything into the state directory. Keys of the authority and
// of ServiceAccounts are kept if they exist.
func Write(state layout.State, v Values) error {
	if err := pki.Ensure(state.PKI(), append(clients, servers...)); err != nil {
		return err
	}
	if err := os.MkdirAll(state.Config("cni"), 0o700); err != nil {
		return fmt.Errorf("writing the node's configuration: %w", err)
	}
	for _, c := range clients {
		server := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(layout.APIPort))
		if err := writeKubeconfig(state, c.Name, layout.NodeName, server, state.Config(c.Name+".kubeconfig")); err != nil {
			return err
		}
	}
	server := "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(v.APIPort))
	if err := writeKubeconfig(state, "admin", v.Context, server, state.Kubeconfig()); err != nil {
		return err
	}
	files := map[string]string{
		"containerd.toml":    state.Config("containerd.toml"),
		"kubelet.yaml":       state.Config("kubelet.yaml"),
		"kube-proxy.yaml":    state.Config("kube-proxy.yaml"),
		"10-bridge.conflist": state.Config("cni", "10-bridge.conflist"),
	}
	for name, path := range files {
		text, err := Render(name, v)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return fmt.Errorf("writing the node's configuration: %w", err)
		}
	}
	// Pods with the node's DNS settings have none: there is no way out.
	if err := os.WriteFile(state.Config("resolv.conf"), nil, 0o644); err != nil {
		return fmt.Errorf("writing the node's configuration: %w", err)
	}
	return nil
}

// Render returns a configuration file by the name of its template.
func Render(name string, v Values) ([]byte, error) {
	if v.PauseImage == "" {
		return nil, errors.New("rendering the node's configuration: no pause image given")
	}
	t, err := template.New(name).Option("missingkey=error").ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", name, err)
	}
	var text bytes.Buffer
	err = t.Execute(&text, map[string]string{
		"Addresses":        layout.Inside.Data("addresses"),
		"Bin":              layout.Bin,
		"Config":           layout.Inside.Config(),
		"ContainerdSocket": layout.ContainerdSocket,
		"DNSServiceIP":     layout.DNSServiceIP,
		"Domain":           layout.Domain,
		"NodeName":         layout.NodeName,
		"NodePodCIDR":      layout.NodePodCIDR,
		"PauseImage":       v.PauseImage,
		"PKI":              layout.Inside.PKI(),
		"PodCIDR":          layout.PodCIDR,
	})
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", name, err)
	}
	return text.Bytes(), nil
}

func writeKubeconfig(state layout.State, user, context, server, path string) error {
	var parts [3][]byte
	for i, file := range []string{"ca.crt", user + ".crt", user + ".key"} {
		data, err := os.ReadFile(filepath.Join(state.PKI(), file))
		if err != nil {
			return fmt.Errorf("writing kubeconfig of %s: %w", user, err)
		}
		parts[i] = data
	}
	return kubeapi.NewKubeconfig(context, server, parts[0], parts[1], parts[2]).Write(path)
}

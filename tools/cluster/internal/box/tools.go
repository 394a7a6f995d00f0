//go:build linux

package box

import (
	"os"
	"path/filepath"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

// kubeNames are the names the combined Kubernetes binary answers to.
var kubeNames = []string{
	"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
	"kubectl", "kubelet", "loadbalancer", "netpol", "storage",
}

// linkTools makes one directory with a link to every program.
func linkTools(tools map[string]string) error {
	if err := os.MkdirAll(layout.Bin, 0o755); err != nil {
		return err
	}
	for name := range tools {
		dir := filepath.Join(layout.Tools, name)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if err := os.Symlink(filepath.Join(dir, entry.Name()), filepath.Join(layout.Bin, entry.Name())); err != nil {
				return err
			}
		}
	}
	for _, name := range kubeNames {
		if err := os.Symlink("kube", filepath.Join(layout.Bin, name)); err != nil {
			return err
		}
	}
	return nil
}

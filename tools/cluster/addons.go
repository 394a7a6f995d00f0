package cluster

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"text/template"

	"sigs.k8s.io/yaml"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/kubeapi"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

//go:embed addons
var addonFiles embed.FS

// collections are the API paths of the kinds that addons use.
var collections = map[string]string{
	"v1/ConfigMap":      "/api/v1/namespaces/kube-system/configmaps",
	"v1/Service":        "/api/v1/namespaces/kube-system/services",
	"v1/ServiceAccount": "/api/v1/namespaces/kube-system/serviceaccounts",

	"apps/v1/Deployment": "/apis/apps/v1/namespaces/kube-system/deployments",

	"rbac.authorization.k8s.io/v1/ClusterRole":        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
	"rbac.authorization.k8s.io/v1/ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",

	"storage.k8s.io/v1/StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
}

// addon is one object to apply.
type addon struct {
	path   string
	object []byte
}

// addons renders what the cluster itself runs: cluster DNS and the default
// StorageClass.
func addons(coreDNSImage string) ([]addon, error) {
	values := map[string]string{"CoreDNSImage": coreDNSImage, "Domain": layout.Domain, "DNSServiceIP": layout.DNSServiceIP}
	t, err := template.New("").Option("missingkey=error").ParseFS(addonFiles, "addons/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("reading addons: %w", err)
	}
	var all []addon
	for _, file := range t.Templates() {
		var text bytes.Buffer
		if err := file.Execute(&text, values); err != nil {
			return nil, fmt.Errorf("rendering addon %s: %w", file.Name(), err)
		}
		for document := range bytes.SplitSeq(text.Bytes(), []byte("\n---\n")) {
			var head struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
				Metadata   struct {
					Name string `json:"name"`
				} `json:"metadata"`
			}
			if err := yaml.Unmarshal(document, &head); err != nil {
				return nil, fmt.Errorf("reading addon %s: %w", file.Name(), err)
			}
			collection, ok := collections[head.APIVersion+"/"+head.Kind]
			if !ok {
				return nil, fmt.Errorf("addon %s has an object of unknown kind %s/%s", file.Name(), head.APIVersion, head.Kind)
			}
			all = append(all, addon{collection + "/" + head.Metadata.Name, document})
		}
	}
	return all, nil
}

// applyAddons applies the addons; unchanged ones stay untouched.
func applyAddons(ctx context.Context, client *kubeapi.Client, coreDNSImage string) error {
	all, err := addons(coreDNSImage)
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := client.Apply(ctx, a.path, a.object); err != nil {
			return fmt.Errorf("applying addons: %w", err)
		}
	}
	return nil
}

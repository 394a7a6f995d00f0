// Package kubeapi is a client of the Kubernetes API that is just large enough
// for a cluster's set-up: it reads and applies objects as JSON. The official
// client would double the size of this module for a handful of requests.
package kubeapi

import (
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// Kubeconfig is the part of a kubeconfig file that is used here. Field names
// and meanings are those of the client configuration API, version v1.
type Kubeconfig struct {
	APIVersion     string    `json:"apiVersion"`
	Kind           string    `json:"kind"`
	Clusters       []Cluster `json:"clusters"`
	Users          []User    `json:"users"`
	Contexts       []Context `json:"contexts"`
	CurrentContext string    `json:"current-context"`
}

// Cluster is a named API server.
type Cluster struct {
	Name    string `json:"name"`
	Cluster struct {
		Server        string `json:"server"`
		TLSServerName string `json:"tls-server-name,omitempty"`
		Insecure      bool   `json:"insecure-skip-tls-verify,omitempty"`
		CA            string `json:"certificate-authority,omitempty"`
		CAData        []byte `json:"certificate-authority-data,omitempty"`
	} `json:"cluster"`
}

// User is a named set of credentials.
type User struct {
	Name string `json:"name"`
	User struct {
		ClientCertificate     string `json:"client-certificate,omitempty"`
		ClientCertificateData []byte `json:"client-certificate-data,omitempty"`
		ClientKey             string `json:"client-key,omitempty"`
		ClientKeyData         []byte `json:"client-key-data,omitempty"`
		Token                 string `json:"token,omitempty"`
		TokenFile             string `json:"tokenFile,omitempty"`
		Exec                  *Exec  `json:"exec,omitempty"`
	} `json:"user"`
}

// Exec is a credential plugin.
type Exec struct {
	APIVersion string   `json:"apiVersion"`
	Command    string   `json:"command"`
	Args       []string `json:"args,omitempty"`
	Env        []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"env,omitempty"`
}

// Context joins a cluster and a user.
type Context struct {
	Name    string `json:"name"`
	Context struct {
		Cluster   string `json:"cluster"`
		User      string `json:"user"`
		Namespace string `json:"namespace,omitempty"`
	} `json:"context"`
}

// NewKubeconfig returns a kubeconfig with one context, in which cluster and
// user have the context's name as well.
func NewKubeconfig(context, server string, ca, certificate, key []byte) *Kubeconfig {
	cluster := Cluster{Name: context}
	cluster.Cluster.Server, cluster.Cluster.CAData = server, ca
	user := User{Name: context}
	user.User.ClientCertificateData, user.User.ClientKeyData = certificate, key
	join := Context{Name: context}
	join.Context.Cluster, join.Context.User = context, context
	return &Kubeconfig{
		APIVersion: "v1", Kind: "Config", CurrentContext: context,
		Clusters: []Cluster{cluster}, Users: []User{user}, Contexts: []Context{join},
	}
}

// Write replaces the file in one step; it holds a key, so its mode is 0600.
func (k *Kubeconfig) Write(path string) error {
	data, err := yaml.Marshal(k)
	if err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("writing kubeconfig %s: %w", path, err)
	}
	return nil
}

// ReadKubeconfig reads a file; relative paths in it are relative to it.
func ReadKubeconfig(path string) (*Kubeconfig, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig: %w", err)
	}
	var k Kubeconfig
	if err := yaml.Unmarshal(data, &k); err != nil {
		return nil, fmt.Errorf("reading kubeconfig %s: %w", path, err)
	}
	dir := filepath.Dir(path)
	for i := range k.Clusters {
		resolve(dir, &k.Clusters[i].Cluster.CA)
	}
	for i := range k.Users {
		u := &k.Users[i].User
		resolve(dir, &u.ClientCertificate)
		resolve(dir, &u.ClientKey)
		resolve(dir, &u.TokenFile)
	}
	return &k, nil
}

func resolve(dir string, path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(dir, *path)
	}
}

// find returns the cluster and the user of a context; an empty name means the
// current context.
func (k *Kubeconfig) find(name string) (*Cluster, *User, error) {
	if name == "" {
		name = k.CurrentContext
	}
	var known []string
	for _, c := range k.Contexts {
		known = append(known, c.Name)
		if c.Name != name {
			continue
		}
		var cluster *Cluster
		for i := range k.Clusters {
			if k.Clusters[i].Name == c.Context.Cluster {
				cluster = &k.Clusters[i]
			}
		}
		if cluster == nil {
			return nil, nil, fmt.Errorf("context %q names cluster %q, which the kubeconfig does not have", name, c.Context.Cluster)
		}
		user := &User{}
		for i := range k.Users {
			if k.Users[i].Name == c.Context.User {
				user = &k.Users[i]
			}
		}
		return cluster, user, nil
	}
	if name == "" {
		return nil, nil, fmt.Errorf("the kubeconfig has no current context: name one of %q", known)
	}
	return nil, nil, fmt.Errorf("the kubeconfig has no context %q: it has %q", name, known)
}

package kubeapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// credentials are what a user proves its identity with.
type credentials struct {
	certificate *tls.Certificate
	token       string
}

// credentials reads the user's credentials, asking the plugin if there is one.
func (u *User) credentials(ctx context.Context) (credentials, error) {
	if u.User.Exec != nil {
		return u.User.Exec.credentials(ctx)
	}
	var c credentials
	certificate, err := dataOrFile(u.User.ClientCertificateData, u.User.ClientCertificate)
	if err != nil {
		return c, err
	}
	key, err := dataOrFile(u.User.ClientKeyData, u.User.ClientKey)
	if err != nil {
		return c, err
	}
	if len(certificate) > 0 {
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return c, fmt.Errorf("reading the client certificate of user %q: %w", u.Name, err)
		}
		c.certificate = &pair
	}
	token, err := dataOrFile([]byte(u.User.Token), u.User.TokenFile)
	c.token = strings.TrimSpace(string(token))
	return c, err
}

// credentials runs the plugin and reads the ExecCredential it prints.
func (e *Exec) credentials(ctx context.Context) (credentials, error) {
	info, err := json.Marshal(map[string]any{"apiVersion": e.APIVersion, "kind": "ExecCredential", "spec": map[string]any{"interactive": false}})
	if err != nil {
		return credentials{}, err
	}
	cmd := exec.CommandContext(ctx, e.Command, e.Args...)
	cmd.Env = append(os.Environ(), "KUBERNETES_EXEC_INFO="+string(info))
	for _, v := range e.Env {
		cmd.Env = append(cmd.Env, v.Name+"="+v.Value)
	}
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return credentials{}, fmt.Errorf("running credential plugin %s: %w: %s", e.Command, err, exit.Stderr)
		}
		return credentials{}, fmt.Errorf("running credential plugin %s: %w", e.Command, err)
	}
	var answer struct {
		Status struct {
			Token       string `json:"token"`
			Certificate string `json:"clientCertificateData"`
			Key         string `json:"clientKeyData"`
		} `json:"status"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return credentials{}, fmt.Errorf("reading the answer of credential plugin %s: %w", e.Command, err)
	}
	c := credentials{token: answer.Status.Token}
	if answer.Status.Certificate != "" {
		pair, err := tls.X509KeyPair([]byte(answer.Status.Certificate), []byte(answer.Status.Key))
		if err != nil {
			return c, fmt.Errorf("reading the certificate of credential plugin %s: %w", e.Command, err)
		}
		c.certificate = &pair
	}
	return c, nil
}

// tlsConfig trusts the cluster's authority, or the system's if none is given.
func (c *Cluster) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{ServerName: c.Cluster.TLSServerName, InsecureSkipVerify: c.Cluster.Insecure} //nolint:gosec // as the user's kubeconfig demands
	ca, err := dataOrFile(c.Cluster.CAData, c.Cluster.CA)
	if err != nil {
		return nil, err
	}
	if len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("the certificate authority of cluster %q is not PEM", c.Name)
		}
	}
	return config, nil
}

func dataOrFile(data []byte, path string) ([]byte, error) {
	if len(data) > 0 || path == "" {
		return data, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a file the kubeconfig names: %w", err)
	}
	return content, nil
}

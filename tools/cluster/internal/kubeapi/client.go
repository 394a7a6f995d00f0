package kubeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// requestTimeout bounds one request; nothing here watches.
const requestTimeout = 10 * time.Second

// fieldManager owns the fields that Apply sets.
const fieldManager = "localcluster"

// Client talks to one API server.
type Client struct {
	server string
	token  string
	http   *http.Client
}

// NewClient returns a client for a context of a kubeconfig file; an empty
// context means the file's current one.
func NewClient(ctx context.Context, kubeconfig, contextName string) (*Client, error) {
	k, err := ReadKubeconfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	cluster, user, err := k.find(contextName)
	if err != nil {
		return nil, err
	}
	config, err := cluster.tlsConfig()
	if err != nil {
		return nil, err
	}
	creds, err := user.credentials(ctx)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if creds.certificate != nil {
		config.Certificates = append(config.Certificates, *creds.certificate)
	}
	return &Client{
		server: strings.TrimRight(cluster.Cluster.Server, "/"),
		token:  creds.token,
		http:   &http.Client{Transport: transport, Timeout: requestTimeout},
	}, nil
}

// Server is the API server's URL.
func (c *Client) Server() string { return c.server }

// StatusError is an answer other than success.
type StatusError struct {
	// Code is the HTTP status.
	Code int
	// Message is what the server says about it.
	Message string
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %s", e.Code, e.Message) }

// Ready asks the API server whether it is ready.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/readyz", "", nil, nil)
}

// Get reads the object at a path such as /api/v1/nodes/a into a value.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, "", nil, into)
}

// Apply creates or updates the object at a path by server-side apply. The
// object is YAML or JSON.
func (c *Client) Apply(ctx context.Context, path string, object []byte) error {
	query := url.Values{"fieldManager": {fieldManager}, "force": {"true"}}
	return c.do(ctx, http.MethodPatch, path+"?"+query.Encode(), "application/apply-patch+yaml", object, nil)
}

func (c *Client) do(ctx context.Context, method, path, contentType string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %w", method, path, &StatusError{response.StatusCode, message(answer)})
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// message is the text of a Status object, the checks that fail in the answer of
// a readiness endpoint, or else the body.
func message(body []byte) string {
	var status struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &status) == nil && status.Message != "" {
		return status.Message
	}
	var failing []string
	for line := range strings.Lines(string(body)) {
		// A readiness endpoint has a line for every check, [+] or [-].
		if check, bad := strings.CutPrefix(line, "[-]"); bad {
			name, _, _ := strings.Cut(check, " ")
			failing = append(failing, name)
		}
	}
	if len(failing) > 0 {
		return "not ready yet are " + strings.Join(failing, ", ")
	}
	return strings.TrimSpace(string(body))
}

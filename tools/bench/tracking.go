package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// requestTimeout is MLflow's own client's default.
const requestTimeout = 120 * time.Second

// statusError is an answer other than 200.
type statusError struct {
	code int
	body string
}

// Error implements error.
func (e statusError) Error() string {
	return fmt.Sprintf("HTTP %d: %.300s", e.code, e.body)
}

// tracking speaks to an MLflow server by HTTP/1.1 with keep-alive. It never
// retries a request: what the server answers is what is counted.
type tracking struct {
	url, user, password string
	http                http.Client
}

// newTracking returns a client; without a certificate the system's are trusted,
// without a user nobody logs in.
func newTracking(url, user, password, certificate string) (*tracking, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 1000}
	if certificate != "" {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(certificate)) {
			return nil, errors.New("the certificate is not PEM")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &tracking{url: url, user: user, password: password, http: http.Client{Transport: transport, Timeout: requestTimeout}}, nil
}

// createRun creates a run in MLflow's default experiment and returns its id.
func (t *tracking) createRun(ctx context.Context) (string, error) {
	var out struct {
		Run struct {
			Info struct {
				RunID string `json:"run_id"`
			}
		}
	}
	err := t.post(ctx, "runs/create", map[string]any{"experiment_id": "0", "start_time": time.Now().UnixMilli()}, &out)
	if err == nil && out.Run.Info.RunID == "" {
		err = errors.New("the answer names no run")
	}
	return out.Run.Info.RunID, err
}

// logMetric logs one value.
func (t *tracking) logMetric(ctx context.Context, run string, step int) error {
	return t.post(ctx, "runs/log-metric", map[string]any{
		"run_id": run, "key": "loss", "value": 1 / float64(step+1), "timestamp": time.Now().UnixMilli(), "step": step,
	}, nil)
}

// finishRun ends a run.
func (t *tracking) finishRun(ctx context.Context, run string) error {
	return t.post(ctx, "runs/update", map[string]any{"run_id": run, "status": "FINISHED", "end_time": time.Now().UnixMilli()}, nil)
}

// post sends one request of MLflow's REST API.
func (t *tracking) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/api/2.0/mlflow/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	// Go would repeat a request on a connection that the server closed.
	request.GetBody = nil
	request.Header.Set("Content-Type", "application/json")
	if t.user != "" {
		request.SetBasicAuth(t.user, t.password)
	}
	response, err := t.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return statusError{response.StatusCode, string(text)}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

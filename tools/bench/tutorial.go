package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"text/template"

	"github.com/mlflow-platform/mlflow-platform/tools/images"
)

// tutorialPort is the port of the tutorial's Service.
const tutorialPort = 5000

//go:embed tutorial.yaml
var tutorialManifests string

// manifests fills in what differs.
func manifests(maxConnections int) (string, error) {
	postgresql, err := images.LocalRef("postgresql")
	if err != nil {
		return "", err
	}
	mlflow, err := images.LocalRef("mlflow")
	if err != nil {
		return "", err
	}
	parsed, err := template.New("tutorial.yaml").Parse(tutorialManifests)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = parsed.Execute(&text, map[string]any{"PostgreSQL": postgresql, "MLflow": mlflow, "MaxConnections": maxConnections, "Port": tutorialPort})
	return text.String(), err
}

// deployTutorial replaces the tutorial's namespace by a new one and returns the
// manifests when the server is ready.
func deployTutorial(ctx context.Context, p *platform, maxConnections int) (string, error) {
	text, err := manifests(maxConnections)
	if err != nil {
		return "", err
	}
	apply := p.kubectl(ctx, "apply", "--filename", "-")
	apply.Stdin = bytes.NewBufferString(text)
	for _, cmd := range []interface{ CombinedOutput() ([]byte, error) }{
		p.kubectl(ctx, "delete", "namespace", "tutorial", "--ignore-not-found", "--wait", "--timeout", "3m"),
		apply,
		p.kubectl(ctx, "--namespace", "tutorial", "rollout", "status", "deployment/postgres", "--timeout", "3m"),
		p.kubectl(ctx, "--namespace", "tutorial", "rollout", "status", "deployment/tracking", "--timeout", "5m"),
	} {
		if output, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("deploying the tutorial: %w: %s", err, output)
		}
	}
	return text, nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlflow-platform/mlflow-platform/tools/images"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// workload are the images that the stack runs.
var workload = []string{"mlflow", "postgresql", "cloudnative-pg", "caddy", "minio"}

func up(ctx context.Context, e *environment) error {
	start := time.Now()
	if err := e.announce(ctx); err != nil {
		return err
	}
	if err := e.prepare(ctx); err != nil {
		return err
	}
	var archives []string
	if !e.cluster.Existing() {
		built, err := images.Ensure(ctx, e.out, workload...)
		if err != nil {
			return err
		}
		for _, name := range workload {
			archives = append(archives, built[name])
		}
	}
	if err := e.cluster.Up(ctx); err != nil {
		return err
	}
	if len(archives) > 0 {
		if err := e.cluster.Load(ctx, archives...); err != nil {
			return err
		}
	}
	// The stack comes first: pulumi config works on an existing one only.
	if err := e.run(ctx, "stack", "select", "--create", e.options.stack); err != nil {
		return err
	}
	config, err := e.configFile(ctx)
	if err != nil {
		return err
	}
	if err := e.run(ctx, "up", "--stack", e.options.stack, "--config-file", config, "--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress", "--color", "never"); err != nil {
		return fmt.Errorf("%w\nwhat was created stays; mend the cause and run make up again", err)
	}
	return e.report(ctx, time.Since(start))
}

// announce says what will happen and how long it takes before it starts.
func (e *environment) announce(ctx context.Context) error {
	builds, err := toolchain.Lookup(ctx)
	if err != nil {
		return err
	}
	missing := 0
	for _, b := range builds {
		if !b.Ready() {
			missing++
		}
	}
	if missing == 0 {
		_, err = fmt.Fprintln(e.out, "everything is built; make up takes a few minutes")
		return err
	}
	cache, err := toolchain.CacheDir()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, `make up will
  1. build up to %d pinned programs that are missing, from their Go modules, into %s
     (first time only: about half an hour on two cores, 20 GB of disk)
  2. build five container images, start a Kubernetes cluster in its own namespaces
  3. run pulumi up -s %s
`, missing, cache, e.options.stack)
	return err
}

// report ends with what a person needs next.
func (e *environment) report(ctx context.Context, took time.Duration) error {
	client, err := e.client(ctx)
	if err != nil {
		return err
	}
	url := client[0][len("MLFLOW_TRACKING_URI="):]
	forward := ""
	if e.cluster.Existing() {
		forward = fmt.Sprintf("  reach it by    kubectl --context %s -n mlflow port-forward service/gateway %d:443\n", e.options.context, e.options.httpsPort)
	}
	_, err = fmt.Fprintf(os.Stdout, `
MLflow is ready after %s: %s
  user          admin
  password      eval "$(make -s env)" && pulumi stack output passwords --show-secrets --stack %s
  certificate   %s
%s
Log a run:
  pip install mlflow        # 3.17 or later
  eval "$(make -s env)"     # address, login and certificate for the MLflow client
  python3 - <<'PY'
import mlflow
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.93)
PY

Next: make demo, make doctor, make down
`, took.Round(time.Second), url, e.options.stack, e.caFile(), forward)
	return err
}

func down(ctx context.Context, e *environment) error {
	if err := e.prepare(ctx); err != nil {
		return err
	}
	if e.cluster.Existing() {
		config, err := e.configFile(ctx)
		if err != nil {
			return err
		}
		// The preview is what refuses to delete a protected stack; without it the
		// workload would be gone before the first protected resource stops it.
		if err := e.run(ctx, "destroy", "--stack", e.options.stack, "--config-file", config, "--yes"); err != nil {
			return err
		}
	} else if err := e.cluster.Down(ctx, true); err != nil {
		return err
	}
	// The cluster is gone with everything in it, and so is what the state names.
	// Other stacks may be in the same backend: only this one goes.
	out, err := e.command(ctx, "stack", "rm", e.options.stack, "--yes", "--force", "--preserve-config").CombinedOutput()
	if err != nil && !strings.Contains(string(out), "no stack named") {
		return fmt.Errorf("removing stack %s: %w: %s", e.options.stack, err, strings.TrimSpace(string(out)))
	}
	others, err := filepath.Glob(filepath.Join(e.home, "state", ".pulumi", "stacks", "*", "*.json"))
	if err != nil {
		return fmt.Errorf("looking for other stacks: %w", err)
	}
	if len(others) > 0 {
		_, err = fmt.Fprintf(e.out, "stack %s is gone; other stacks keep their state in %s\n", e.options.stack, filepath.Join(e.home, "state"))
		return err
	}
	if err := os.RemoveAll(e.home); err != nil {
		return fmt.Errorf("removing the stack's state: %w", err)
	}
	_, err = fmt.Fprintln(e.out, "everything that make up created is gone; make clean-cache removes what it built")
	return err
}

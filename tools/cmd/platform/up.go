package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster"
	"github.com/mlflow-platform/mlflow-platform/tools/images"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

func up(ctx context.Context, e *environment) error {
	start := time.Now()
	programs, absent, err := e.missing(ctx)
	if err != nil {
		return err
	}
	need, free, err := toolchain.DiskNeed(ctx, programs)
	if err != nil {
		return err
	}
	if err := e.announce(programs, absent, need, free); err != nil {
		return err
	}
	if err := e.preflight(ctx, programs); err != nil {
		return err
	}
	if err := e.build(ctx, programs); err != nil {
		return err
	}
	if err := e.prepare(ctx); err != nil {
		return err
	}
	var archives []string
	if !e.cluster.Existing() {
		if archives, err = images.Workload(ctx, e.out); err != nil {
			return err
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
	if err := toolchain.CompileProgram(ctx, e.out); err != nil {
		return err
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
		return fmt.Errorf("%w\nwhat was created stays; mend the cause and run make up again; if something \"already exists\": docs/decisions/0010-what-exists-is-never-taken-over.md", err)
	}
	return e.report(ctx, time.Since(start))
}

// missing are the programs and images that are still to be built.
func (e *environment) missing(ctx context.Context) (programs []toolchain.Build, absent []string, err error) {
	names, err := toolchain.PulumiPrograms(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !e.cluster.Existing() {
		var more []string
		if absent, more, err = images.Absent(ctx, images.Names()...); err != nil {
			return nil, nil, err
		}
		names = slices.Concat(names, more, cluster.Programs())
	}
	if len(names) == 0 {
		return nil, absent, nil
	}
	if programs, err = toolchain.Lookup(ctx, names...); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(programs, toolchain.Build.Ready), absent, nil
}

// preflight finds out what keeps any of the steps from working before the first
// one takes its quarter of an hour.
func (e *environment) preflight(ctx context.Context, programs []toolchain.Build) error {
	err := errors.Join(e.cluster.Preflight(), toolchain.Preflight(ctx, buildNames(programs)...))
	if !e.cluster.Existing() {
		err = errors.Join(err, images.Preflight(ctx, images.Names()...))
	}
	return err
}

// build builds the programs, and beside them the images that need none: those
// wait for a network where the others wait for a processor.
func (e *environment) build(ctx context.Context, programs []toolchain.Build) error {
	both, ctx := errgroup.WithContext(ctx)
	if len(programs) > 0 {
		both.Go(func() error {
			_, err := toolchain.Ensure(ctx, e.out, buildNames(programs)...)
			return err
		})
	}
	if !e.cluster.Existing() {
		both.Go(func() error {
			_, err := images.Ensure(ctx, e.out, images.Installed...)
			return err
		})
	}
	return both.Wait()
}

func buildNames(builds []toolchain.Build) []string {
	names := make([]string, len(builds))
	for i, b := range builds {
		names[i] = b.Name
	}
	return names
}

// imageMinutes is the time to install and pack an image of Debian packages; the
// others are packed in a second.
const imageMinutes = 1

// announce says what will happen and how long it takes before it starts.
func (e *environment) announce(programs []toolchain.Build, absent []string, need, free float64) error {
	text := &strings.Builder{}
	fmt.Fprintln(text, "make up will")
	step := 0
	say := func(format string, args ...any) {
		step++
		fmt.Fprintf(text, "  %d. %s\n", step, fmt.Sprintf(format, args...))
	}
	minutes := 5.0
	if len(programs) > 0 {
		build := 0.0
		for _, b := range programs {
			build += b.Minutes()
		}
		minutes += build
		say("build %d pinned programs from their Go modules, once: up to %.0f minutes on two idle cores and %.0f GB of Go's caches; %.0f GB are free",
			len(programs), math.Ceil(build), need/1e9, free/1e9)
	}
	if len(absent) > 0 {
		minutes += imageMinutes * float64(len(absent))
		say("build the container images %s, once", strings.Join(absent, ", "))
	}
	if e.cluster.Existing() {
		say("use the cluster of context %s in %s", e.options.context, e.options.kubeconfig)
	} else {
		say("start a Kubernetes cluster in namespaces of its own")
	}
	say("run pulumi up --stack %s", e.options.stack)
	fmt.Fprintf(text, "which takes up to %.0f minutes; what is built is kept\n", minutes)
	if free < need {
		fmt.Fprintln(text, "warning: with cold caches that is not enough disk: free some, or move GOCACHE and GOMODCACHE")
	}
	_, err := fmt.Fprint(e.out, text)
	return err
}

// report ends with what a person needs next.
func (e *environment) report(ctx context.Context, took time.Duration) error {
	client, err := e.client(ctx)
	if err != nil {
		return err
	}
	url, user := value(client, "MLFLOW_TRACKING_URI"), value(client, "MLFLOW_TRACKING_USERNAME")
	forward := ""
	if e.cluster.Existing() {
		forward = fmt.Sprintf("  reach it by    kubectl --context %s -n mlflow port-forward service/gateway %d:443\n", e.options.context, e.options.httpsPort)
	}
	_, err = fmt.Fprintf(os.Stdout, `
MLflow is ready after %s: %s
  user          %s
  password      eval "$(%s)" && pulumi stack output passwords --show-secrets --stack %s
  certificate   %s
%s
Log a run:
  python3 -m venv mlflow && mlflow/bin/pip install mlflow   # 3.17 or later
  eval "$(%s)"     # address, login and certificate for the MLflow client
  mlflow/bin/python3 - <<'PY'
import mlflow
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.93)
PY

Next: %s
`, took.Round(time.Second), url, user, e.again("-s env"), e.options.stack, e.caFile(), forward, e.again("-s env"),
		strings.Join([]string{e.again("demo"), e.again("doctor"), e.again("down")}, ", "))
	return err
}

// again is the command line of another command for the same cluster.
func (e *environment) again(command string) string {
	if len(e.options.args) == 0 {
		return "make " + command
	}
	args := make([]string, len(e.options.args))
	for i, a := range e.options.args {
		if args[i] = a; strings.ContainsFunc(a, unicode.IsSpace) {
			args[i] = `"` + a + `"`
		}
	}
	return fmt.Sprintf("make %s ARGS=%s", command, quote(strings.Join(args, " ")))
}

func down(ctx context.Context, e *environment) error {
	if !e.cluster.Existing() {
		// First, and without Pulumi, which may not even be built any more.
		if err := e.cluster.Down(ctx, true); err != nil {
			return err
		}
		others, err := e.otherStacks()
		if err != nil {
			return err
		}
		if e.ownBackend() && len(others) == 0 {
			return e.forget()
		}
	}
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
	}
	// The stack's resources are gone, and so is what the state names. Other stacks
	// may be in the same backend: only this one goes.
	out, err := e.command(ctx, "stack", "rm", e.options.stack, "--yes", "--force", "--preserve-config").CombinedOutput()
	if err != nil && !strings.Contains(string(out), "no stack named") {
		return fmt.Errorf("removing stack %s: %w: %s", e.options.stack, err, strings.TrimSpace(string(out)))
	}
	others, err := e.otherStacks()
	if err != nil {
		return err
	}
	if len(others) > 0 {
		_, err = fmt.Fprintf(e.out, "stack %s is gone; other stacks keep their state in %s\n", e.options.stack, filepath.Join(e.home, "state"))
		return err
	}
	return e.forget()
}

// otherStacks are the files of stacks that the user made beside ours.
func (e *environment) otherStacks() ([]string, error) {
	all, err := filepath.Glob(filepath.Join(e.home, "state", ".pulumi", "stacks", "*", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("looking for other stacks: %w", err)
	}
	return slices.DeleteFunc(all, func(path string) bool { return filepath.Base(path) == e.options.stack+".json" }), nil
}

// forget removes what up keeps about the stack.
func (e *environment) forget() error {
	if err := os.RemoveAll(e.home); err != nil {
		return fmt.Errorf("removing the stack's state: %w", err)
	}
	gone := "everything that make up created is gone; make clean-cache removes what it built"
	if e.cluster.Existing() {
		gone = "everything that make up created is gone but the definitions of CloudNativePG: deleting those would delete every database of the cluster"
	}
	_, err := fmt.Fprintln(e.out, gone)
	return err
}

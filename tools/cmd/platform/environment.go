package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// environment is where the commands work.
type environment struct {
	options options
	// root is the checkout, home the directory of what up makes.
	root, home string
	cluster    *cluster.Cluster
	out        io.Writer
	pulumi     toolchain.PulumiCommand
}

func newEnvironment(o options) (*environment, error) {
	root, err := toolchain.Root()
	if err != nil {
		return nil, err
	}
	cache, err := toolchain.CacheDir()
	if err != nil {
		return nil, err
	}
	settings := cluster.Defaults()
	settings.Name, settings.APIPort, settings.Out = o.name, o.apiPort, os.Stderr
	settings.Kubeconfig, settings.Context = o.kubeconfig, o.context
	settings.Publish = []cluster.Publication{{HostPort: o.httpsPort, ServicePort: 443}}
	c, err := cluster.New(settings)
	if err != nil {
		return nil, err
	}
	// A stack on another cluster is another stack: its state lies elsewhere.
	place := o.name
	if o.context != "" {
		sum := sha256.Sum256([]byte(o.kubeconfig + "\x00" + o.context))
		place = "existing-" + hex.EncodeToString(sum[:4])
	}
	home := filepath.Join(cache, "stacks", o.stack+"-"+place)
	return &environment{options: o, root: root, home: home, cluster: c, out: os.Stderr}, os.MkdirAll(filepath.Join(home, "state"), 0o700)
}

// prepare makes a Pulumi CLI available.
func (e *environment) prepare(ctx context.Context) error {
	var err error
	e.pulumi, err = toolchain.Pulumi(ctx, e.out)
	return err
}

// ownBackend says whether the stack's state is ours to keep. A backend of the
// user's own wins; one beside ours is what make env exported, perhaps for the
// stack of another cluster, and does not.
func (e *environment) ownBackend() bool {
	theirs := os.Getenv("PULUMI_BACKEND_URL")
	return theirs == "" || strings.HasPrefix(theirs, "file://"+filepath.Dir(e.home)+string(filepath.Separator))
}

// variables are the environment of pulumi, without secrets.
func (e *environment) variables() []string {
	vars := append([]string{}, e.pulumi.Env...)
	if e.ownBackend() {
		// The salt in the stack's file is for the empty passphrase: a local stack has
		// none worth the name, its state lies beside it.
		vars = append(vars, "PULUMI_BACKEND_URL=file://"+filepath.Join(e.home, "state"), "PULUMI_CONFIG_PASSPHRASE=")
	}
	return append(vars, "KUBECONFIG="+e.cluster.Kubeconfig(), "PATH="+strings.Join([]string{e.pulumi.Bin, e.binDir(), os.Getenv("PATH")}, string(os.PathListSeparator)))
}

// command is a pulumi command in the checkout.
func (e *environment) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(e.pulumi.Bin, "pulumi"), append([]string{"--non-interactive"}, args...)...)
	cmd.Dir = e.root
	cmd.Env = append(os.Environ(), e.variables()...)
	// The terminal sends Ctrl-C to the whole group and we pass it on: Pulumi would
	// take the second one for an order to stop at once, which orphans resources. The
	// user's own second one means that.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		go func() {
			<-again
			_ = cmd.Process.Signal(os.Interrupt) // it may have ended meanwhile
		}()
		return cmd.Process.Signal(os.Interrupt)
	}
	return cmd
}

// run runs pulumi with its output shown.
func (e *environment) run(ctx context.Context, args ...string) error {
	cmd := e.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = e.out, e.out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pulumi %s: %w", args[0], err)
	}
	return nil
}

// outputs are the stack's outputs, secrets included.
func (e *environment) outputs(ctx context.Context) (map[string]any, error) {
	cmd := e.command(ctx, "stack", "output", "--json", "--show-secrets", "--stack", e.options.stack)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("reading the outputs of stack %s: %w: %s; run make up first", e.options.stack, err, strings.TrimSpace(stderr.String()))
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("reading the outputs of stack %s: %w", e.options.stack, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("stack %s has no outputs; run make up first", e.options.stack)
	}
	return out, nil
}

// configFile is the stack's configuration: the checkout's file as it is, or a
// copy with the cluster and the port that the flags name.
func (e *environment) configFile(ctx context.Context) (string, error) {
	original := filepath.Join(e.root, "Pulumi."+e.options.stack+".yaml")
	d := cluster.Defaults()
	if !e.cluster.Existing() && e.options.name == d.Name && e.options.httpsPort == d.Publish[0].HostPort {
		return original, nil
	}
	text, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("reading the stack's configuration: %w", err)
	}
	copied := filepath.Join(e.home, filepath.Base(original))
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		return "", fmt.Errorf("writing the stack's configuration: %w", err)
	}
	set := [][2]string{{"cluster.context", e.cluster.Context()}, {"exposure.port", fmt.Sprint(e.options.httpsPort)}}
	if e.cluster.Existing() {
		// Its nodes pull images themselves, its API server has other addresses, and
		// it may have no load balancer: MLflow is reached by a port-forward.
		set = [][2]string{
			{"cluster.context", e.cluster.Context()}, {"images.source", "upstream"}, {"exposure.mode", "none"},
			{"exposure.port", fmt.Sprint(e.options.httpsPort)},
			{"cluster.apiServerCIDRs[0]", "0.0.0.0/0"}, {"cluster.apiServerCIDRs[1]", "::/0"},
		}
		theirs, err := e.theirOperator(ctx)
		if err != nil {
			return "", err
		}
		if theirs != "" {
			set = append(set, [2]string{"database.installOperator", "false"}, [2]string{"database.operatorNamespace", theirs})
		}
	}
	for _, s := range set {
		if err := e.run(ctx, "config", "set", "--stack", e.options.stack, "--config-file", copied, "--path", "mlflow-platform:"+s[0], s[1]); err != nil {
			return "", err
		}
	}
	return copied, nil
}

// theirOperator is the namespace of a CloudNativePG that the cluster has and this
// stack has not made; empty without one.
func (e *environment) theirOperator(ctx context.Context) (string, error) {
	found, err := e.cluster.FindDeployment(ctx, "app.kubernetes.io/name=cloudnative-pg")
	if err != nil || found == "" {
		return "", err
	}
	state, err := e.command(ctx, "stack", "export", "--stack", e.options.stack).Output()
	if err != nil {
		return "", fmt.Errorf("reading the state of stack %s: %w", e.options.stack, err)
	}
	if bytes.Contains(state, []byte(`"mlflow:postgres:Operator"`)) {
		return "", nil
	}
	fmt.Fprintf(e.out, "using the CloudNativePG of namespace %s\n", found)
	return found, nil
}

// client are the MLflow client's variables; the certificate is written to a
// file first.
func (e *environment) client(ctx context.Context) ([]string, error) {
	out, err := e.outputs(ctx)
	if err != nil {
		return nil, err
	}
	text := func(key string) string { s, _ := out[key].(string); return s }
	passwords, _ := out["passwords"].(map[string]any)
	// The first user of the stack; there is none without a login, or where all
	// passwords are the users' own.
	var user, password string
	delete(passwords, "mlflow-retention") // the platform's own job
	if users := slices.Sorted(maps.Keys(passwords)); len(users) > 0 {
		user = users[0]
		password, _ = passwords[user].(string)
	}
	vars := []string{
		"MLFLOW_TRACKING_URI=" + text("trackingUrl"), "MLFLOW_TRACKING_USERNAME=" + user, "MLFLOW_TRACKING_PASSWORD=" + password,
	}
	if text("caCertificate") != "" {
		if err := os.WriteFile(e.caFile(), []byte(text("caCertificate")), 0o644); err != nil {
			return nil, fmt.Errorf("writing the certificate: %w", err)
		}
		vars = append(vars, "MLFLOW_TRACKING_SERVER_CERT_PATH="+e.caFile())
	}
	return vars, nil
}

// binDir holds the kubectl of the local cluster.
func (e *environment) binDir() string { return filepath.Join(e.home, "bin") }

func (e *environment) caFile() string { return filepath.Join(e.home, "ca.crt") }

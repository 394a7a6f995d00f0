package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster"
	"github.com/mlflow-platform/mlflow-platform/tools/images"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// stack is the one whose configuration is measured, with other ports.
const stack = "local"

// platform is the cluster and the stack on it.
type platform struct {
	root, tmp, kube string
	pulumi          toolchain.PulumiCommand
	cluster         *cluster.Cluster
	httpsPort       int
}

// newPlatform builds what is missing; it starts nothing.
func newPlatform(ctx context.Context, o options) (*platform, error) {
	root, err := toolchain.Root()
	if err != nil {
		return nil, err
	}
	settings := cluster.Defaults()
	settings.Name, settings.APIPort, settings.Out = o.name, o.apiPort, os.Stderr
	settings.Publish = []cluster.Publication{
		{HostPort: o.httpsPort, ServicePort: 443}, {HostPort: o.tutorialPort, ServicePort: tutorialPort},
	}
	c, err := cluster.New(settings)
	if err != nil {
		return nil, err
	}
	pulumi, err := toolchain.Pulumi(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	dirs, err := toolchain.Ensure(ctx, os.Stderr, "kubernetes")
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "mlflow-platform-bench-")
	if err != nil {
		return nil, err
	}
	return &platform{
		root: root, tmp: tmp, kube: filepath.Join(dirs["kubernetes"], "kube"),
		pulumi: pulumi, cluster: c, httpsPort: o.httpsPort,
	}, nil
}

// ready leads to the point where the clock starts: a new cluster with images
// loaded, a program that was compiled once, an initialised stack with nothing in
// it.
func (p *platform) ready(ctx context.Context, r *report) error {
	archives, err := images.Workload(ctx, os.Stderr)
	if err != nil {
		return err
	}
	// The first up may build what is missing; only the second and the third count.
	if err := steps(
		func() error { return p.cluster.Down(ctx, true) },
		func() error { return p.cluster.Up(ctx) },
		func() error { return p.cluster.Down(ctx, true) },
		timed(&r.ClusterStart, func() error { return p.cluster.Up(ctx) }),
		func() error { return p.cluster.Down(ctx, false) },
		timed(&r.ClusterRestart, func() error { return p.cluster.Up(ctx) }),
		func() error { return p.cluster.Load(ctx, archives...) },
	); err != nil {
		return err
	}
	compile := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(p.tmp, "program"), ".")
	compile.Dir = p.root
	if output, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the program: %w: %s", err, output)
	}
	if err := p.configure(); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(p.tmp, "state"), 0o700); err != nil {
		return err
	}
	_, err = p.run(ctx, "stack", "init", stack)
	return err
}

// steps ends with the first one that fails.
func steps(all ...func() error) error {
	for _, step := range all {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// timed is a step whose time is kept.
func timed(took *time.Duration, step func() error) func() error {
	return func() error {
		begin := time.Now()
		err := step()
		*took = time.Since(begin)
		return err
	}
}

func (p *platform) config() string { return filepath.Join(p.tmp, "Pulumi."+stack+".yaml") }

// configure copies the stack's configuration and sets this cluster and its port.
func (p *platform) configure() error {
	text, err := os.ReadFile(filepath.Join(p.root, "Pulumi."+stack+".yaml"))
	if err != nil {
		return fmt.Errorf("reading the stack's configuration: %w", err)
	}
	var file struct {
		Config         map[string]any `json:"config"`
		EncryptionSalt string         `json:"encryptionsalt"`
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return fmt.Errorf("reading the stack's configuration: %w", err)
	}
	for key, set := range map[string][2]any{"cluster": {"context", p.cluster.Context()}, "exposure": {"port", p.httpsPort}} {
		section, ok := file.Config["mlflow-platform:"+key].(map[string]any)
		if !ok {
			return fmt.Errorf("the stack's configuration has no %s", key)
		}
		section[set[0].(string)] = set[1]
	}
	if text, err = yaml.Marshal(file); err != nil {
		return err
	}
	return os.WriteFile(p.config(), text, 0o600)
}

// pulumiCommand is a command on the stack; its state is the bench's own.
func (p *platform) pulumiCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.pulumi.Bin, "pulumi"), append([]string{"--non-interactive"}, args...)...)
	cmd.Dir = p.root
	cmd.Env = append(append(os.Environ(), p.pulumi.Env...),
		"PULUMI_BACKEND_URL=file://"+filepath.Join(p.tmp, "state"), "PULUMI_CONFIG_PASSPHRASE=",
		"KUBECONFIG="+p.cluster.Kubeconfig(), "PATH="+p.pulumi.Bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

// run runs pulumi and returns what it says.
func (p *platform) run(ctx context.Context, args ...string) (string, error) {
	output, err := p.pulumiCommand(ctx, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pulumi %s: %w\n%s", args[0], err, output)
	}
	return string(output), nil
}

// client logs in at the gateway, as a user outside the cluster does.
func (p *platform) client(ctx context.Context) (*tracking, error) {
	cmd := p.pulumiCommand(ctx, "stack", "output", "--json", "--show-secrets", "--stack", stack)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("reading the stack's outputs: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var out struct {
		TrackingURL   string            `json:"trackingUrl"`
		CACertificate string            `json:"caCertificate"`
		Passwords     map[string]string `json:"passwords"`
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("reading the stack's outputs: %w", err)
	}
	return newTracking(out.TrackingURL, "admin", out.Passwords["admin"], out.CACertificate)
}

// kubectl is a command on the cluster.
func (p *platform) kubectl(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, p.kube, append([]string{"kubectl", "--kubeconfig", p.cluster.Kubeconfig()}, args...)...)
}

// close removes everything.
func (p *platform) close(ctx context.Context, keep bool) error {
	if keep {
		say("the cluster stays; its kubeconfig is %s, the stack's state is in %s", p.cluster.Kubeconfig(), p.tmp)
		return nil
	}
	return errors.Join(p.cluster.Down(ctx, true), os.RemoveAll(p.tmp))
}

package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/kubeapi"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// ErrExisting is wrapped by the errors of everything that would change an
// existing cluster.
var ErrExisting = errors.New("the cluster of a given kubeconfig is never changed")

// ErrNotRunning is wrapped by the errors of what needs a running cluster.
var ErrNotRunning = errors.New("the cluster is not running")

// What a cluster of our own is made of: programs that run in the node, and
// images with the program of the same name.
var (
	nodeTools  = []string{"kubernetes", "containerd", "runc", "cni"}
	nodeImages = []string{"coredns", "pause"}
)

// Programs are the names of all programs of a cluster of our own.
func Programs() []string { return slices.Concat(nodeTools, nodeImages) }

// Cluster is an existing cluster or one of our own.
type Cluster struct {
	options Options
	state   layout.State
}

// New returns the cluster that the options choose. It starts nothing.
func New(o Options) (*Cluster, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	cache, err := toolchain.CacheDir()
	if err != nil {
		return nil, err
	}
	return &Cluster{options: o, state: layout.State(filepath.Join(cache, "cluster", o.Name))}, nil
}

// Existing says whether the cluster is one of a given kubeconfig.
func (c *Cluster) Existing() bool { return c.options.Kubeconfig != "" }

// Kubeconfig returns the path of the kubeconfig file.
func (c *Cluster) Kubeconfig() string {
	if c.Existing() {
		return c.options.Kubeconfig
	}
	return c.state.Kubeconfig()
}

// Context returns the name of the context in [Cluster.Kubeconfig]; empty means
// the file's current one.
func (c *Cluster) Context() string {
	if c.Existing() {
		return c.options.Context
	}
	return "localcluster-" + c.options.Name
}

// StateDir returns the directory with everything the cluster keeps, its logs
// included. An existing cluster has none.
func (c *Cluster) StateDir() string {
	if c.Existing() {
		return ""
	}
	return string(c.state)
}

// Up makes the cluster ready and returns then. A cluster that is up already is
// left as it is; one that was killed starts again with its data.
func (c *Cluster) Up(ctx context.Context) error {
	if c.Existing() {
		return c.checkExisting(ctx)
	}
	return c.up(ctx)
}

// Down stops the cluster; with wipe it also removes its state, after which
// nothing of it is left on this machine. It is no error if the cluster is down.
func (c *Cluster) Down(ctx context.Context, wipe bool) error {
	if c.Existing() {
		return fmt.Errorf("stopping the cluster of %s: %w", c.options.Kubeconfig, ErrExisting)
	}
	return c.down(ctx, wipe)
}

// Load makes images from archives available to Pods, in the format of `docker
// save` or as OCI layout in a tar file. Archives that were loaded before are
// skipped.
func (c *Cluster) Load(ctx context.Context, archives ...string) error {
	if c.Existing() {
		return fmt.Errorf("loading images into the cluster of %s: %w: push them to a registry it can pull from", c.options.Kubeconfig, ErrExisting)
	}
	return c.load(ctx, archives)
}

// Exec runs a command inside the node, in all its namespaces, with the node's
// programs (kubectl, ctr, etcd …) on the PATH. Nil files are /dev/null.
func (c *Cluster) Exec(ctx context.Context, args []string, stdin, stdout, stderr *os.File) error {
	if c.Existing() {
		return fmt.Errorf("running %s inside the cluster of %s: %w", args[0], c.options.Kubeconfig, ErrExisting)
	}
	return c.exec(ctx, args, stdin, stdout, stderr)
}

// checkExisting makes sure that an existing cluster answers.
func (c *Cluster) checkExisting(ctx context.Context) error {
	client, err := kubeapi.NewClient(ctx, c.options.Kubeconfig, c.options.Context)
	if err != nil {
		return err
	}
	if err := client.Ready(ctx); err != nil {
		return fmt.Errorf("asking the existing cluster %s whether it is ready: %w; check kubeconfig and context, or leave them out to start a cluster on this machine", client.Server(), err)
	}
	fmt.Fprintf(c.options.Out, "using the existing cluster at %s\n", client.Server())
	return nil
}

// FindDeployment returns the namespace of a Deployment with these labels, in the
// form of kubectl's selectors; empty if there is none.
func (c *Cluster) FindDeployment(ctx context.Context, selector string) (string, error) {
	client, err := kubeapi.NewClient(ctx, c.Kubeconfig(), c.Context())
	if err != nil {
		return "", err
	}
	var list struct {
		Items []struct{ Metadata struct{ Namespace string } }
	}
	if err := client.Get(ctx, "/apis/apps/v1/deployments?labelSelector="+url.QueryEscape(selector), &list); err != nil {
		return "", fmt.Errorf("looking for Deployments with %s: %w", selector, err)
	}
	if len(list.Items) == 0 {
		return "", nil
	}
	return list.Items[0].Metadata.Namespace, nil
}

// existingStatus is the status of an existing cluster.
func (c *Cluster) existingStatus(ctx context.Context) (Status, error) {
	client, err := kubeapi.NewClient(ctx, c.options.Kubeconfig, c.options.Context)
	if err != nil {
		return Status{}, err
	}
	s := Status{Running: true, Server: client.Server()}
	if err := client.Ready(ctx); err != nil {
		s.Reason = err.Error()
	}
	s.Ready = s.Reason == ""
	return s, nil
}

// group is the name of the cluster's control groups. Clusters of the same name
// in different caches are different clusters.
func (c *Cluster) group() string {
	sum := sha256.Sum256([]byte(c.state))
	return "localcluster-" + c.options.Name + "-" + hex.EncodeToString(sum[:4])
}

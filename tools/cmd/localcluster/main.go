// Command localcluster starts, stops and looks at the Kubernetes cluster that
// the platform is tried out on; see package cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster"
)

const usage = `usage: localcluster COMMAND [flags] [arguments]

commands:
  up                make the cluster ready; flags --api-port, --publish
  down [--wipe]     stop it; --wipe removes its data as well
  status            say how it is; exit status 1 if it is not ready
  kubeconfig        print the path of its kubeconfig
  load ARCHIVE...   make the images in the archives available to Pods
  exec CMD...       run a command inside the node, such as kubectl or ctr

Every command takes --name, --kubeconfig and --context. With --kubeconfig the
cluster is an existing one: it is used and never created, changed or deleted.
`

func main() {
	cluster.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err == nil {
		return
	}
	if status, ok := errors.AsType[exitStatus](err); ok {
		os.Exit(int(status))
	}
	fmt.Fprintln(os.Stderr, "localcluster:", err)
	os.Exit(1)
}

// exitStatus is the exit status of the command that exec ran, which has said
// itself what went wrong.
type exitStatus int

// Error implements error.
func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// run executes one command line.
func run(ctx context.Context, args []string, stdout, stderr *os.File) error {
	if len(args) == 0 || args[0] == "help" || strings.HasPrefix(args[0], "-") {
		fmt.Fprint(stdout, usage)
		if len(args) > 0 {
			return nil
		}
		return fmt.Errorf("no command given")
	}
	command := args[0]
	options := cluster.Defaults()
	options.Out = stderr
	flags := flag.NewFlagSet("localcluster "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&options.Name, "name", options.Name, "`name` of the cluster")
	flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "kubeconfig `file` of an existing cluster to use")
	flags.StringVar(&options.Context, "context", "", "`context` in --kubeconfig; the current one if empty")
	var wipe bool
	switch command {
	case "up":
		flags.IntVar(&options.APIPort, "api-port", options.APIPort, "`port` of 127.0.0.1 for the API; 0 picks a free one")
		publish := publications{list: &options.Publish}
		flags.Var(&publish, "publish", "`HOSTPORT:SERVICEPORT` of a LoadBalancer Service to publish on 127.0.0.1; may be repeated; none publishes nothing")
	case "down":
		flags.BoolVar(&wipe, "wipe", false, "remove the cluster's data as well")
	case "status", "kubeconfig", "load", "exec":
	default:
		return fmt.Errorf("unknown command %q: see localcluster help", command)
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	c, err := cluster.New(options)
	if err != nil {
		return err
	}
	switch rest := flags.Args(); {
	case (command == "load" || command == "exec") && len(rest) == 0:
		return fmt.Errorf("%s needs an argument: see localcluster help", command)
	case command == "load":
		return c.Load(ctx, rest...)
	case command == "exec":
		err := c.Exec(ctx, rest, os.Stdin, stdout, stderr)
		if status, ok := cluster.ExitStatus(err); ok {
			return exitStatus(status)
		}
		return err
	case len(rest) > 0:
		return fmt.Errorf("%s takes no argument %q: see localcluster help", command, rest[0])
	}
	switch command {
	case "up":
		if err := c.Up(ctx); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "export KUBECONFIG=%s\n", c.Kubeconfig())
	case "down":
		return c.Down(ctx, wipe)
	case "kubeconfig":
		fmt.Fprintln(stdout, c.Kubeconfig())
	case "status":
		return status(ctx, c, stdout)
	}
	return nil
}

// status prints a cluster's status; a cluster that is not ready is an error.
func status(ctx context.Context, c *cluster.Cluster, out io.Writer) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "running\t%t\n", s.Running)
	fmt.Fprintf(table, "ready\t%t\n", s.Ready)
	if s.Server != "" {
		fmt.Fprintf(table, "api\t%s\n", s.Server)
	}
	for _, p := range s.Publish {
		fmt.Fprintf(table, "published\t127.0.0.1:%d to LoadBalancer port %d\n", p.HostPort, p.ServicePort)
	}
	if !s.Since.IsZero() {
		fmt.Fprintf(table, "since\t%s (%s)\n", s.Since.Format(time.RFC3339), time.Since(s.Since).Round(time.Second))
	}
	for _, component := range s.Components {
		state := "running"
		if component.Exited != "" {
			state = component.Exited
		}
		fmt.Fprintf(table, "%s\t%s\n", component.Name, state)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if !s.Ready {
		return fmt.Errorf("the cluster is not ready: %s", s.Reason)
	}
	return nil
}

// publications is a flag that may be repeated; its first use replaces the
// default.
type publications struct {
	list *[]cluster.Publication
	set  bool
}

// String implements flag.Value.
func (p *publications) String() string {
	if p.list == nil {
		return ""
	}
	var texts []string
	for _, publication := range *p.list {
		texts = append(texts, publication.String())
	}
	return strings.Join(texts, ",")
}

// Set implements flag.Value.
func (p *publications) Set(text string) error {
	if !p.set {
		*p.list, p.set = nil, true
	}
	if text == "none" {
		return nil
	}
	publication, err := cluster.ParsePublication(text)
	if err != nil {
		return err
	}
	*p.list = append(*p.list, publication)
	return nil
}

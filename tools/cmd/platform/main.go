// Command platform takes a machine to a working MLflow and back: it builds what
// is missing, starts a local cluster where none is given, and runs Pulumi. The
// Makefile calls it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster"
)

const usage = `usage: platform COMMAND [flags]

commands:
  up          build what is missing, start the cluster, create the stack
  down        remove everything that up created
  demo        log the iris example with the real MLflow client
  doctor      check MLflow layer by layer from a client's place
  screenshot  open the demo's experiment in headless Chromium
  env         print shell assignments for pulumi, kubectl and the MLflow client

With --kubeconfig and --context an existing cluster is used; it is never
created, stopped or changed beyond the stack.
`

func main() {
	cluster.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "platform:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("no command given")
	}
	command, args := args[0], args[1:]
	steps := map[string]func(context.Context, *environment) error{
		"up": up, "down": down, "demo": demo, "doctor": doctor, "screenshot": screenshot, "env": printEnv,
	}
	step, ok := steps[command]
	if !ok {
		fmt.Fprint(os.Stderr, usage)
		return fmt.Errorf("%q is not a command", command)
	}
	o, err := parse(command, args)
	if err != nil {
		return err
	}
	e, err := newEnvironment(o)
	if err != nil {
		return err
	}
	return step(ctx, e)
}

// options are the flags.
type options struct {
	// args are the flags as given, for the commands that up tells to run next.
	args                []string
	stack               string
	kubeconfig, context string
	name                string
	apiPort, httpsPort  int
}

func parse(command string, args []string) (options, error) {
	d := cluster.Defaults()
	o := options{args: args}
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.StringVar(&o.stack, "stack", "local", "stack to run")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig of an existing cluster")
	flags.StringVar(&o.context, "context", "", "context in that kubeconfig")
	flags.StringVar(&o.name, "name", d.Name, "name of the local cluster")
	flags.IntVar(&o.apiPort, "api-port", d.APIPort, "port of 127.0.0.1 for the Kubernetes API")
	flags.IntVar(&o.httpsPort, "https-port", d.Publish[0].HostPort, "port of 127.0.0.1 for MLflow")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%s takes no argument; got %s", command, strings.Join(flags.Args(), " "))
	}
	if (o.kubeconfig == "") != (o.context == "") {
		return o, fmt.Errorf("an existing cluster needs both --kubeconfig and --context")
	}
	if o.kubeconfig == "" {
		return o, nil
	}
	// Every spelling is the same cluster, from every directory.
	var err error
	o.kubeconfig, err = filepath.Abs(o.kubeconfig)
	return o, err
}

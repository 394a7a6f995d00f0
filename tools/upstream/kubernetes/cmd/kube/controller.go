package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// controller is one of our own controllers: it adds its flags and returns what
// to run once they are parsed.
type controller func(flags *flag.FlagSet) func(context.Context, kubernetes.Interface) error

// runController parses the flags, connects to the API server and runs the
// controller until SIGTERM or SIGINT. It returns the exit status.
func runController(c controller) int {
	flags := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig file; required")
	klog.InitFlags(flags)
	run := c(flags)
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := connectAndRun(ctx, *kubeconfig, run); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", flags.Name(), err)
		return 1
	}
	return 0
}

func connectAndRun(ctx context.Context, kubeconfig string, run func(context.Context, kubernetes.Interface) error) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("reading --kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	return run(ctx, client)
}

// Command bench measures the platform on a local cluster of its own, and the
// plain manifests of a typical tutorial beside it on the same cluster, and
// writes the result into docs/benchmarks.md. It needs Linux and root. The
// Makefile calls it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster"
)

// options are the flags.
type options struct {
	name                             string
	apiPort, httpsPort, tutorialPort int
	previews, rounds                 int
	phase                            time.Duration
	clients, limits                  []int
	idle, keep                       bool
}

func main() {
	cluster.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	r := newReport(o)
	if o.idle {
		say("measuring the idle cluster (three minutes)")
		if r.Idle, err = idle(ctx); err != nil {
			return err
		}
	}
	p, err := newPlatform(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close(context.WithoutCancel(ctx), o.keep)) }()
	if err := p.ready(ctx, r); err != nil {
		return err
	}
	if err := steps(
		func() error { return platformLifecycle(ctx, p, r) },
		func() error { return tutorialLifecycle(ctx, p, r) },
	); err != nil {
		return err
	}
	for _, limit := range o.limits {
		c, err := compare(ctx, p, o, limit)
		if err != nil {
			return err
		}
		r.Comparisons = append(r.Comparisons, c)
	}
	if err := r.write(p.root); err != nil {
		return err
	}
	// The page is written first: it is the evidence.
	return r.platformErrors()
}

// parse reads the flags.
func parse(args []string) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.name, "name", "bench", "`name` of the local cluster; one that exists is removed first")
	flags.IntVar(&o.apiPort, "api-port", 16700, "`port` of 127.0.0.1 for the Kubernetes API")
	flags.IntVar(&o.httpsPort, "https-port", 8700, "`port` of 127.0.0.1 for the platform's MLflow")
	flags.IntVar(&o.tutorialPort, "tutorial-port", 8701, "`port` of 127.0.0.1 for the tutorial's MLflow")
	flags.IntVar(&o.previews, "previews", 3, "how many no-op previews")
	flags.IntVar(&o.rounds, "rounds", 3, "how many load phases per server and number of clients")
	flags.DurationVar(&o.phase, "phase", 10*time.Second, "length of a load phase")
	clients := flags.String("clients", "1,20,50", "numbers of concurrent clients")
	limits := flags.String("max-connections", "20,100", "max_connections of the tutorial's PostgreSQL, one comparison each")
	flags.BoolVar(&o.idle, "idle", true, "measure the idle cluster as well")
	flags.BoolVar(&o.keep, "keep", false, "leave the cluster running")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err, err2 error
	o.clients, err = numbers(*clients)
	o.limits, err2 = numbers(*limits)
	if err := errors.Join(err, err2); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.previews < 1 || o.rounds < 1 || o.phase <= 0 {
		return o, errors.New("bench takes no argument, and previews, rounds and phase must be positive")
	}
	return o, nil
}

// numbers reads positive numbers between commas.
func numbers(text string) ([]int, error) {
	var all []int
	for _, field := range strings.Split(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q in %q is not a positive number", field, text)
		}
		all = append(all, n)
	}
	return all, nil
}

// say prints a progress message.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

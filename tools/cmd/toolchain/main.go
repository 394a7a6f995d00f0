// Command toolchain builds the pinned programs of this project and shows what
// the cache holds.
//
// Usage, in any directory of the checkout below tools:
//
//	go run ./cmd/toolchain build [NAME...]  build what is absent; without names: all
//	go run ./cmd/toolchain path NAME        print the directory of a program's binaries, building them if absent
//	go run ./cmd/toolchain images [NAME...] build the local images that are absent and print their archives
//	go run ./cmd/toolchain list             print versions, sizes and the disk use of the cache
//	go run ./cmd/toolchain clean [-all]     remove programs and images of earlier pins; with -all everything but cluster state
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

	"github.com/mlflow-platform/mlflow-platform/tools/cluster"
	"github.com/mlflow-platform/mlflow-platform/tools/images"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

const usage = "usage: toolchain build [NAME...] | path NAME | images [NAME...] | list | clean [-all]"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "toolchain: %v\n", err)
		os.Exit(1)
	}
}

// run executes one subcommand: results go to out, progress goes to log.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	command, args := args[0], args[1:]
	switch {
	case command == "build":
		if len(args) == 0 {
			args = toolchain.Names()
		}
		_, err := toolchain.Ensure(ctx, log, args...)
		return err
	case command == "path" && len(args) == 1:
		dirs, err := toolchain.Ensure(ctx, log, args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, dirs[args[0]])
		return err
	case command == "images":
		return buildImages(ctx, args, out, log)
	case command == "list" && len(args) == 0:
		return list(ctx, out)
	case command == "clean":
		return clean(ctx, args)
	}
	return errors.New(usage)
}

func clean(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("clean", flag.ContinueOnError)
	all := flags.Bool("all", false, "remove everything but the state of local clusters")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return errors.New(usage)
	}
	// A node runs the programs from here: without them it would break at its next
	// container, and nothing would say why.
	running, err := cluster.Running()
	if err != nil {
		return err
	}
	if len(running) > 0 {
		return fmt.Errorf("local clusters use the programs: %s; stop them first (make down, with ARGS=\"--name NAME\" for one that is not the default)", strings.Join(running, ", "))
	}
	if *all {
		return toolchain.CleanAll()
	}
	return errors.Join(toolchain.Clean(ctx), images.Clean(ctx))
}

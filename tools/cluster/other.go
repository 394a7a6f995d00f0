//go:build !linux

package cluster

import (
	"context"
	"errors"
	"os"
)

// errLinux is the answer of everything that needs a cluster of our own.
var errLinux = errors.New("a local cluster needs Linux: give the kubeconfig of an existing cluster")

// Main must be called first thing by every program that calls [Cluster.Up].
func Main() {}

// Preflight finds out whether this machine can run the cluster.
func (c *Cluster) Preflight() error {
	if c.Existing() {
		return nil
	}
	return errLinux
}

// Running returns the names of the clusters of our own that run.
func Running() ([]string, error) { return nil, nil }

// Status returns how the cluster is.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	if c.Existing() {
		return c.existingStatus(ctx)
	}
	return Status{}, errLinux
}

// ExitStatus returns the exit status of the command that [Cluster.Exec] ran.
func ExitStatus(error) (int, bool) { return 0, false }

func (c *Cluster) up(context.Context) error             { return errLinux }
func (c *Cluster) down(context.Context, bool) error     { return errLinux }
func (c *Cluster) load(context.Context, []string) error { return errLinux }

func (c *Cluster) exec(context.Context, []string, *os.File, *os.File, *os.File) error {
	return errLinux
}

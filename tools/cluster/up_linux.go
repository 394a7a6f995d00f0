package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/box"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/cgroup"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/kubeapi"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/nodeconfig"
	"github.com/mlflow-platform/mlflow-platform/tools/images"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// Main must be called first thing by every program that calls [Cluster.Up]. It
// returns at once, except in the process that Up starts as the supervisor.
func Main() { box.Main() }

// up implements Up for a cluster of our own.
func (c *Cluster) up(ctx context.Context) (err error) {
	unlock, err := c.lockCommand(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	running, err := locked(c.state.SupervisorLock())
	if err != nil {
		return err
	}
	if running {
		done, err := c.keep(ctx)
		if done || err != nil {
			return err
		}
		if err := c.stop(ctx); err != nil {
			return err
		}
	}
	system, err := c.start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		// What did not become ready is not left running; its logs stay.
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("starting cluster %s: %w", c.options.Name, ctx.Err())
		}
		err = errors.Join(err, c.stop(context.WithoutCancel(ctx)))
	}()
	starting, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := c.becomeReady(starting, system, time.Now()); err != nil {
		return err
	}
	c.say("cluster %s is ready", c.options.Name)
	return nil
}

// keep looks at a running cluster. It returns true if there is nothing to do
// and false if the cluster has to be started again.
func (c *Cluster) keep(ctx context.Context) (bool, error) {
	status, err := box.ReadStatus(c.state)
	if err != nil {
		return false, err
	}
	if status.Error != "" {
		c.say("cluster %s is broken (%s): starting it again", c.options.Name, status.Error)
		return false, nil
	}
	settings, err := readSettings(c.state)
	if err != nil {
		return false, err
	}
	if err := settings.match(c.options); err != nil {
		return false, fmt.Errorf("cluster %s is running with other ports: %w; run down first", c.options.Name, err)
	}
	client, err := kubeapi.NewClient(ctx, c.state.Kubeconfig(), "")
	if err != nil {
		return false, err
	}
	err = ready(ctx, client, status.Since)
	if err == nil {
		c.say("cluster %s is running already", c.options.Name)
		return true, nil
	}
	// An up that was killed left it unfinished, or a Pod of its own starts again
	// just now. A restart would end every container of the stack for that.
	c.say("cluster %s is running and not ready (%s)", c.options.Name, err)
	_, system, err := c.ensure(ctx)
	if err != nil {
		return false, err
	}
	finishing, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	if err := c.becomeReady(finishing, system, status.Since); err != nil {
		if ctx.Err() == nil {
			c.say("cluster %s does not become ready (%s): starting it again", c.options.Name, err)
		}
		return false, ctx.Err()
	}
	c.say("cluster %s is ready", c.options.Name)
	return true, nil
}

// start prepares everything and starts the supervisor. It returns the images
// that the cluster itself needs.
func (c *Cluster) start(ctx context.Context) (systemImages, error) {
	previous, err := readSettings(c.state)
	if err != nil {
		return systemImages{}, err
	}
	settings := resolve(c.options, previous)
	if err := errors.Join(preflightHost(settings, c.state), toolchain.Preflight(ctx, Programs()...), images.Preflight(ctx, nodeImages...)); err != nil {
		return systemImages{}, err
	}
	binaries, system, err := c.ensure(ctx)
	if err != nil {
		return systemImages{}, err
	}
	for _, dir := range []string{c.state.Logs(), c.state.Data("containerd"), c.state.Data("kubelet"), c.state.Data("volumes"), c.state.Data("pod-logs")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return system, fmt.Errorf("creating the state directory: %w", err)
		}
	}
	listeners, err := settings.listen()
	if err != nil {
		return system, err
	}
	defer func() {
		for _, l := range listeners {
			l.Close()
		}
	}()
	if err := settings.write(c.state); err != nil {
		return system, err
	}
	values := nodeconfig.Values{Context: c.Context(), APIPort: settings.APIPort, PauseImage: system.pause.ref}
	if err := nodeconfig.Write(c.state, values); err != nil {
		return system, err
	}
	if err := nodeconfig.FreeAddresses(c.state); err != nil {
		return system, err
	}
	// What a cluster that was killed left behind.
	hierarchies, err := cgroup.Read()
	if err != nil {
		return system, err
	}
	if err := cgroup.Remove(hierarchies, c.group(), killTimeout); err != nil {
		return system, err
	}
	held, err := lock(ctx, c.state.SupervisorLock(), func() {})
	if err != nil {
		return system, err
	}
	defer held.Close() // the supervisor keeps its copy
	config := box.Config{State: c.state, Group: c.group(), Tools: binaries}
	config.Forwards = append(config.Forwards, box.Forward{Target: net.JoinHostPort("127.0.0.1", fmt.Sprint(layout.APIPort))})
	for _, p := range settings.Publish {
		config.Forwards = append(config.Forwards, box.Forward{Target: net.JoinHostPort(layout.NodeIP, fmt.Sprint(p.ServicePort))})
	}
	return system, box.Start(config, held, listeners)
}

// ensure builds the binaries and images that are missing.
func (c *Cluster) ensure(ctx context.Context) (map[string]string, systemImages, error) {
	binaries, err := toolchain.Ensure(ctx, c.options.Out, nodeTools...)
	if err != nil {
		return nil, systemImages{}, err
	}
	system, err := c.systemImages(ctx)
	return binaries, system, err
}

// lockCommand makes sure that one command at a time changes the cluster.
func (c *Cluster) lockCommand(ctx context.Context) (func(), error) {
	held, err := lock(ctx, c.state.CommandLock(), func() {
		c.say("waiting for another command on cluster %s to end", c.options.Name)
	})
	if err != nil {
		return nil, err
	}
	return func() { held.Close() }, nil
}

// say prints a progress message.
func (c *Cluster) say(format string, args ...any) {
	fmt.Fprintf(c.options.Out, format+"\n", args...)
}

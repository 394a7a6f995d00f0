package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/box"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/cgroup"
)

const (
	// termTimeout is how long the supervisor may take after SIGTERM; it gives
	// its processes five seconds.
	termTimeout = 10 * time.Second
	// killTimeout is how long the kernel may take to end every process after
	// SIGKILL, and their control groups to become empty.
	killTimeout = 20 * time.Second
)

// down implements Down for a cluster of our own.
func (c *Cluster) down(ctx context.Context, wipe bool) error {
	if _, err := os.Stat(string(c.state)); errors.Is(err, fs.ErrNotExist) {
		c.say("there is no cluster %s", c.options.Name)
		return nil
	}
	unlock, err := c.lockCommand(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.stop(ctx); err != nil {
		return err
	}
	if !wipe {
		c.say("cluster %s is down; its data is kept in %s", c.options.Name, c.state)
		return nil
	}
	if err := os.RemoveAll(string(c.state)); err != nil {
		return fmt.Errorf("removing the state of cluster %s: %w", c.options.Name, err)
	}
	c.say("cluster %s is removed", c.options.Name)
	return nil
}

// stop ends every process of the cluster and removes its control groups.
func (c *Cluster) stop(ctx context.Context) error {
	running, err := locked(c.state.SupervisorLock())
	if err != nil {
		return err
	}
	if running {
		if err := c.terminate(ctx); err != nil {
			return err
		}
	}
	hierarchies, err := cgroup.Read()
	if err != nil {
		return err
	}
	return cgroup.Remove(hierarchies, c.group(), killTimeout)
}

// terminate ends the supervisor, gently first; the kernel ends the rest.
func (c *Cluster) terminate(ctx context.Context) error {
	for _, attempt := range []struct {
		signal  unix.Signal
		timeout time.Duration
	}{{unix.SIGTERM, termTimeout}, {unix.SIGKILL, killTimeout}} {
		// A supervisor that has just been started has not recorded its id yet.
		pid, err := box.PID(c.state)
		for deadline := time.Now().Add(time.Second); err != nil && time.Now().Before(deadline); pid, err = box.PID(c.state) {
			time.Sleep(lockPoll)
		}
		if err != nil {
			return err
		}
		if err := unix.Kill(pid, attempt.signal); err != nil && err != unix.ESRCH {
			return fmt.Errorf("stopping cluster %s: %w", c.options.Name, err)
		}
		waiting, cancel := context.WithTimeout(ctx, attempt.timeout)
		held, err := lock(waiting, c.state.SupervisorLock(), func() {})
		cancel()
		if err == nil {
			return held.Close()
		}
		if ctx.Err() != nil {
			return err
		}
	}
	hierarchies, err := cgroup.Read()
	if err != nil {
		return err
	}
	return fmt.Errorf("stopping cluster %s: processes %v do not end; look for uninterruptible ones (state D) with ps", c.options.Name, cgroup.Processes(hierarchies, c.group()))
}

//go:build linux

package box

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/cgroup"
)

// joined is the second argument of the supervisor once it is in its control
// groups.
const joined = "joined"

// Main is the supervisor. It returns at once in a process that was not started
// by [Start], and never in one that was. Every program that calls Start calls
// it first.
func Main() {
	if os.Args[0] != argv0 {
		return
	}
	if err := supervise(os.Args[1:]); err != nil {
		// The waiting command shows the last line of this log.
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func supervise(args []string) error {
	var config Config
	if err := json.Unmarshal([]byte(args[0]), &config); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if len(args) == 1 {
		if err := joinGroups(config, args[0]); err != nil {
			return err
		}
	}
	return runNode(config)
}

// joinGroups moves this process into the cluster's control groups, makes them
// the roots of a new cgroup namespace and starts the supervisor again in it.
// The namespace's roots are the groups a process is in when it is made, so it
// cannot be one of the clone flags; and a thread makes it for itself alone, so
// only a fresh start puts the whole process into it.
//
// The host's /proc is still mounted here, which is why /proc/self is this
// process's id on the host.
func joinGroups(config Config, text string) error {
	runtime.LockOSThread()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("detaching mounts from the host: %w", err)
	}
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return fmt.Errorf("finding the process id on the host: %w", err)
	}
	if _, err := strconv.Atoi(self); err != nil {
		return fmt.Errorf("finding the process id on the host: %w", err)
	}
	if err := os.WriteFile(config.State.PID(), []byte(self), 0o600); err != nil {
		return fmt.Errorf("recording the process id: %w", err)
	}
	hierarchies, err := cgroup.Read()
	if err != nil {
		return err
	}
	if err := cgroup.Join(hierarchies, config.Group); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("making the cgroup namespace: %w", err)
	}
	if err := unix.Exec("/proc/self/exe", []string{argv0, text, joined}, os.Environ()); err != nil {
		return fmt.Errorf("starting again in the cgroup namespace: %w", err)
	}
	return nil
}

//go:build linux

// Package box runs a node inside namespaces of its own: mounts, processes,
// network, IPC, host name and control groups. One supervisor is process 1
// inside; it sets up the namespaces, starts the components and forwards the
// published ports. When it dies the kernel ends every process inside and drops
// every mount and interface, so nothing can be left behind but an empty
// control group and the state directory.
//
// The supervisor is the running program itself, started again: see [Main].
package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

// argv0 is the name under which the supervisor is started.
const argv0 = "localcluster-supervisor"

// Descriptors the supervisor inherits: the lock that it holds as long as it
// lives, then one listening socket per forward.
const (
	lockFD          = 3
	firstListenerFD = 4
)

// Forward is a published port. The socket is opened on the host, before the
// supervisor starts, and inherited: a socket stays in the network namespace in
// which it was made, so the supervisor accepts on the host and dials inside.
type Forward struct {
	// Target is the address inside, host:port.
	Target string
}

// Config is what the supervisor needs to know.
type Config struct {
	// State is the state directory on the host.
	State layout.State
	// Group is the name of the control group in every hierarchy.
	Group string
	// Tools maps tools to the directories of their binaries on the host.
	Tools map[string]string
	// Forwards are the published ports, in the order of the listeners.
	Forwards []Forward
}

// Start starts the supervisor in the background and returns at once; what
// becomes of it is in [ReadStatus]. The lock must be held exclusively; the
// supervisor takes it over.
func Start(config Config, lock *os.File, listeners []*net.TCPListener) error {
	text, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("starting the node: %w", err)
	}
	for _, stale := range []string{config.State.PID(), config.State.Status()} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("starting the node: %w", err)
		}
	}
	log, err := os.OpenFile(config.State.Log("supervisor"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("starting the node: %w", err)
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{argv0, string(text)}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock}
	for _, l := range listeners {
		f, err := l.File()
		if err != nil {
			return fmt.Errorf("starting the node: %w", err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
			unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the node: %w", err)
	}
	go func() { _ = cmd.Wait() }() // reaps it if it ends before this program does
	return nil
}

// PID returns the supervisor's process id on the host. It is only meaningful
// while the supervisor's lock is held.
func PID(state layout.State) (int, error) {
	data, err := os.ReadFile(state.PID())
	if err != nil {
		return 0, fmt.Errorf("finding the supervisor: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, fmt.Errorf("finding the supervisor: %w", err)
	}
	return pid, nil
}

// Component is a process the supervisor started.
type Component struct {
	Name string
	// PID is the process id inside.
	PID int
	// Exited says how it ended; empty while it runs.
	Exited string `json:",omitempty"`
}

// Status is what the supervisor reports.
type Status struct {
	// Started says that every component was started; it says nothing about
	// readiness.
	Started bool
	// Error is why the node cannot work: a set-up error or the first
	// component that exited. It is empty while all is well.
	Error string `json:",omitempty"`
	// Components are in the order in which they were started.
	Components []Component
	// Since is when the supervisor began.
	Since time.Time
}

// ReadStatus returns the last report; before the first it is the zero Status.
func ReadStatus(state layout.State) (Status, error) {
	var status Status
	data, err := os.ReadFile(state.Status())
	if errors.Is(err, fs.ErrNotExist) {
		return status, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &status)
	}
	if err != nil {
		return status, fmt.Errorf("reading the node's status: %w", err)
	}
	return status, nil
}

// write replaces the report in one step.
func (s Status) write(state layout.State) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temporary := state.Status() + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, state.Status())
}

// Command is a program to run inside.
type Command struct {
	Args                  []string
	Env                   []string
	Stdin, Stdout, Stderr *os.File
}

// Run runs a command in the namespaces of the supervisor with process id pid
// and waits for it. A cancelled context kills the command.
func Run(ctx context.Context, pid int, c Command) error { return enter(ctx, pid, c) }

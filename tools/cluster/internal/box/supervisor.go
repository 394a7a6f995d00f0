//go:build linux

package box

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

// component is a program the supervisor keeps an eye on.
type component struct {
	name string
	args []string
}

// supervisor starts components, reports what becomes of them and reaps every
// orphan, as process 1 must. It restarts nothing: a component that exits is a
// fault to look at, not to hide.
type supervisor struct {
	state layout.State

	mu       sync.Mutex // held while a process starts, so that it is known before it is reaped
	status   Status
	stopping bool
}

func newSupervisor(state layout.State) *supervisor {
	return &supervisor{state: state, status: Status{Since: time.Now()}}
}

// start starts a component with its output in its log file.
func (s *supervisor) start(c component) error {
	output, err := openLog(s.state.Log(c.name))
	if err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	defer write.Close()
	path, err := lookPath(c.args[0])
	if err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	cmd := exec.Command(path, c.args[1:]...)
	cmd.Args[0] = c.args[0]
	cmd.Env = Environment()
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = write, write

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	go func() {
		defer output.Close()
		defer read.Close()
		if _, err := io.Copy(output, read); err != nil {
			slog.Error("writing a log", "component", c.name, "error", err)
		}
	}()
	s.status.Components = append(s.status.Components, Component{Name: c.name, PID: cmd.Process.Pid})
	s.write()
	return cmd.Process.Release() // reap waits for it
}

// started reports that all components were started.
func (s *supervisor) started() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Started = true
	s.write()
}

// fail reports an error unless an earlier one is reported.
func (s *supervisor) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(err.Error())
}

func (s *supervisor) failLocked(message string) {
	if s.status.Error == "" && !s.stopping {
		s.status.Error = message
	}
	s.write()
}

// write writes the report. Failing to is no reason to stop the node.
func (s *supervisor) write() {
	if err := s.status.write(s.state); err != nil {
		slog.Error("writing the status", "error", err)
	}
}

// reap collects every child that ends, ours or an orphan, for ever.
func (s *supervisor) reap() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for {
		for s.reapOne() {
		}
		<-children
	}
}

// reapOne collects one child that has ended and says whether there was one.
func (s *supervisor) reapOne() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var how unix.WaitStatus
	pid, err := unix.Wait4(-1, &how, unix.WNOHANG, nil)
	if err == unix.EINTR {
		return true
	}
	if err != nil || pid == 0 {
		return false
	}
	for i := range s.status.Components {
		c := &s.status.Components[i]
		if c.PID != pid || c.Exited != "" {
			continue
		}
		c.Exited = fmt.Sprintf("exit status %d", how.ExitStatus())
		if how.Signaled() {
			c.Exited = "signal: " + how.Signal().String()
		}
		slog.Info("a component ended", "component", c.Name, "how", c.Exited)
		s.failLocked(fmt.Sprintf("%s ended: %s", c.Name, c.Exited))
	}
	return true
}

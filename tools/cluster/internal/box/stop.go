//go:build linux

package box

import (
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// stopPoll is how often a stopping node looks whether processes are left.
const stopPoll = 20 * time.Millisecond

// stop asks every process to end, as a machine does when it is shut down, and
// waits until all have or the grace is over. The store is last: the API server
// cannot end while it cannot reach it.
func (s *supervisor) stop(grace time.Duration) {
	s.mu.Lock()
	s.stopping = true
	keep := []int{os.Getpid()}
	for _, c := range s.status.Components {
		if c.Name == "etcd" {
			keep = append(keep, c.PID)
		}
	}
	s.mu.Unlock()
	deadline := time.Now().Add(grace)
	terminate(keep, deadline)
	terminate(keep[:1], deadline)
}

// terminate sends SIGTERM to every process inside but those to keep, and waits
// until they are gone or the deadline has passed.
func terminate(keep []int, deadline time.Time) {
	others := func() []int {
		return slices.DeleteFunc(processes(), func(pid int) bool { return slices.Contains(keep, pid) })
	}
	for _, pid := range others() {
		_ = unix.Kill(pid, unix.SIGTERM) // fails only if it has just ended
	}
	for len(others()) > 0 && time.Now().Before(deadline) {
		time.Sleep(stopPoll)
	}
}

// processes returns the ids of all processes inside.
func processes() []int {
	entries, _ := os.ReadDir("/proc") // unreadable means nothing to end
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

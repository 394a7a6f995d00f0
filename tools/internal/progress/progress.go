// Package progress tells the user of a terminal or a log what a long step does
// and for how long it has been doing it.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Interval is the time between two lines about the same step: often enough to
// show life, rare enough for a log of a 20-minute build to stay readable.
const Interval = 20 * time.Second

// Step is a long step of work that reports on a writer until it is stopped.
type Step struct {
	out    io.Writer
	name   string
	start  time.Time
	status func() string
	done   chan struct{}
	once   sync.Once
	ended  sync.WaitGroup
}

// Start begins to report on the step. status says how far it is and may be nil;
// it is called from another goroutine.
func Start(out io.Writer, name string, status func() string) *Step {
	return start(out, name, status, Interval)
}

func start(out io.Writer, name string, status func() string, interval time.Duration) *Step {
	step := &Step{out: out, name: name, start: time.Now(), status: status, done: make(chan struct{})}
	step.ended.Go(func() { step.report(interval) })
	return step
}

func (s *Step) report(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ticker.C:
			line := s.Elapsed() + " so far"
			if s.status != nil {
				if status := s.status(); status != "" {
					line = status + ", " + line
				}
			}
			fmt.Fprintf(s.out, "%s: %s\n", s.name, line)
		}
	}
}

// Stop ends the reports; it may be called again. Nothing is written to the
// writer after it returns.
func (s *Step) Stop() {
	s.once.Do(func() { close(s.done) })
	s.ended.Wait()
}

// Elapsed is the time since the start, in whole seconds.
func (s *Step) Elapsed() string { return time.Since(s.start).Round(time.Second).String() }

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// everySample is how often connections are counted.
const everySample = 250 * time.Millisecond

// count is the number of connections to MLflow's database, without the bench's
// own.
const count = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'mlflow' AND pid <> pg_backend_pid();\n"

// counter counts PostgreSQL connections through one session in the database's
// pod that stays open, so that it costs little and works when no more fit.
type counter struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	answer *bufio.Scanner
}

// newCounter opens the session as a superuser.
func newCounter(ctx context.Context, p *platform, namespace, pod, user string) (*counter, error) {
	cmd := p.kubectl(ctx, "--namespace", namespace, "exec", "--stdin", pod, "--", "psql", "--username", user, "--dbname", "postgres", "-qAtX")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &counter{cmd: cmd, stdin: stdin, answer: bufio.NewScanner(stdout)}
	if _, err := c.count(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// count counts once.
func (c *counter) count() (int, error) {
	if _, err := io.WriteString(c.stdin, count); err != nil {
		return 0, fmt.Errorf("counting connections: %w", err)
	}
	for c.answer.Scan() {
		// kubectl says which container it chose.
		if n, err := strconv.Atoi(strings.TrimSpace(c.answer.Text())); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("counting connections: psql ended: %v", c.answer.Err())
}

// during returns the largest number of connections while work is going on.
func (c *counter) during(work func()) (int, error) {
	most, done := 0, make(chan struct{})
	var failed error
	var sampling sync.WaitGroup
	sampling.Go(func() {
		ticker := time.NewTicker(everySample)
		defer ticker.Stop()
		for {
			n, err := c.count()
			if err != nil {
				failed = err
				return
			}
			most = max(most, n)
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	})
	work()
	close(done)
	sampling.Wait()
	return most, failed
}

// close ends the session.
func (c *counter) close() error {
	return errors.Join(c.stdin.Close(), c.cmd.Wait())
}

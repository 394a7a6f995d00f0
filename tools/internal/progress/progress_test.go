package progress

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// lines passes each write on to a channel.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestStepReportsUntilItIsStopped(t *testing.T) {
	out := make(lines, 100)
	step := start(out, "[1/2] caddy", func() string { return "3 packages" }, time.Millisecond)
	first := <-out
	step.Stop()
	step.Stop()
	assert.True(t, strings.HasPrefix(first, "[1/2] caddy: 3 packages, "), first)
	assert.True(t, strings.HasSuffix(first, " so far\n"), first)
	count := len(out)
	time.Sleep(10 * time.Millisecond)
	assert.Len(t, out, count)
}

func TestStepWithoutStatus(t *testing.T) {
	out := make(lines, 100)
	step := start(out, "x", nil, time.Millisecond)
	defer step.Stop()
	assert.Equal(t, "x: 0s so far\n", <-out)
}

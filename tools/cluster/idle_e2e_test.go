//go:build e2e && linux

package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/cgroup"
)

const (
	// settle is how long a new cluster needs to become quiet.
	settle = 60 * time.Second
	// observe is how long it is then observed: several rounds of everything
	// periodic, probes included.
	observe = 60 * time.Second
)

// BenchmarkIdle measures what an idle cluster costs: the proportional set size
// (shared pages divided among those that share them) of all its processes, how
// much of that is anonymous, and the CPU time of its control group, short-lived
// processes included. A second cluster on the machine shares programs with this
// one and so makes its proportional size look smaller, but not the anonymous
// part. Run it with -benchtime 1x: it takes two minutes.
func BenchmarkIdle(b *testing.B) {
	options, _ := testOptions(b, "idle-"+strconv.Itoa(os.Getpid()))
	c, err := New(options)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, c.Down(context.Background(), true)) })
	require.NoError(b, c.Up(b.Context()))
	time.Sleep(settle)
	hierarchies, err := cgroup.Read()
	require.NoError(b, err)
	for b.Loop() {
		before := cpuTime(b, hierarchies, c.group())
		time.Sleep(observe)
		used := cpuTime(b, hierarchies, c.group()) - before
		b.ReportMetric(100*used.Seconds()/observe.Seconds(), "%core")
	}
	var total, anonymous float64
	sizes := map[string]float64{}
	for _, pid := range cgroup.Processes(hierarchies, c.group()) {
		comm, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
		size := memory(pid, "Pss:")
		sizes[strings.TrimSpace(string(comm))] += size
		total += size
		anonymous += memory(pid, "Pss_Anon:")
	}
	for name, size := range sizes {
		b.Logf("%-24s %6.1f MB", name, size)
	}
	b.ReportMetric(total, "MB-pss")
	b.ReportMetric(anonymous, "MB-anon")
}

// memory returns one line of a process's memory use in MB; it is 0 for a
// process that has just ended.
func memory(pid int, field string) float64 {
	rollup, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(rollup)) {
		var kilobytes float64
		if _, err := fmt.Sscanf(line, field+" %f kB", &kilobytes); err == nil {
			return kilobytes * 1024 / 1e6
		}
	}
	return 0
}

// cpuTime is the CPU time that the group has used so far.
func cpuTime(b *testing.B, hierarchies []cgroup.Hierarchy, group string) time.Duration {
	b.Helper()
	for _, h := range hierarchies {
		if data, err := os.ReadFile(filepath.Join(h.Mount, group, "cpuacct.usage")); err == nil {
			nanoseconds, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
			require.NoError(b, err)
			return time.Duration(nanoseconds)
		}
		if data, err := os.ReadFile(filepath.Join(h.Mount, group, "cpu.stat")); err == nil {
			var microseconds int64
			if _, err := fmt.Sscanf(string(data), "usage_usec %d", &microseconds); err == nil && cgroup.Unified(hierarchies) {
				return time.Duration(microseconds) * time.Microsecond
			}
		}
	}
	require.Fail(b, "no control group counts CPU time")
	return 0
}

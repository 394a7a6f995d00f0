package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// phase is what one server did for one number of clients.
type phase struct {
	// Done are the requests that succeeded before the phase ended.
	Done   int
	Length time.Duration
	// Latencies are those of all requests, failed ones included, in order of size.
	Latencies []time.Duration
	// Errors counts the failed requests by what was wrong. Requests that were
	// under way when the phase ended count as well.
	Errors map[string]int
	// Connections is the largest number of PostgreSQL connections seen.
	Connections int
}

// load lets as many clients as there are runs log metrics for a while, each to
// a run of its own and each without pause and without any retry.
func load(ctx context.Context, t *tracking, runs []string, length time.Duration) (phase, error) {
	p := phase{Length: length, Errors: map[string]int{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	end := time.Now().Add(length)
	for _, run := range runs {
		all.Go(func() {
			for step := 0; time.Now().Before(end) && ctx.Err() == nil; step++ {
				begin := time.Now()
				err := t.logMetric(ctx, run, step)
				now := time.Now()
				mu.Lock()
				p.Latencies = append(p.Latencies, now.Sub(begin))
				if err != nil {
					p.Errors[kind(err)]++
				} else if now.Before(end) {
					p.Done++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	slices.Sort(p.Latencies)
	return p, ctx.Err()
}

// kind is the class of an error, without what differs from request to request.
func kind(err error) string {
	if status, ok := errors.AsType[statusError](err); ok {
		text := fmt.Sprintf("HTTP %d", status.code)
		for _, reason := range []string{"too many clients", "remaining connection slots", "QueuePool limit"} {
			if strings.Contains(status.body, reason) {
				return text + " (" + reason + ")"
			}
		}
		return text
	}
	if os.IsTimeout(err) {
		return "timeout"
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		err = e
	}
	return err.Error()
}

// failed is the number of failed requests.
func (p phase) failed() int {
	n := 0
	for _, count := range p.Errors {
		n += count
	}
	return n
}

// rate is the number of successful requests per second.
func (p phase) rate() float64 { return float64(p.Done) / p.Length.Seconds() }

// percentile is the latency that the given part (0 to 1) of all requests did not
// exceed.
func (p phase) percentile(part float64) time.Duration {
	if len(p.Latencies) == 0 {
		return 0
	}
	return p.Latencies[min(int(part*float64(len(p.Latencies))), len(p.Latencies)-1)]
}

// median is the middle value; of an even number of values the mean of the two in
// the middle.
func median[T ~int64 | ~float64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

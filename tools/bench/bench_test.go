package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLoadCountsEveryError sends load to a server of which every fifth answer is
// an error.
func TestLoadCountsEveryError(t *testing.T) {
	var asked, refused atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Millisecond)
		if asked.Add(1)%5 == 0 {
			refused.Add(1)
			http.Error(w, "FATAL: sorry, too many clients already", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	tracking, err := newTracking(server.URL, "", "", "")
	require.NoError(t, err)
	p, err := load(t.Context(), tracking, []string{"a", "b", "c"}, 200*time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"HTTP 500 (too many clients)": int(refused.Load())}, p.Errors)
	assert.Len(t, p.Latencies, int(asked.Load()))
	assert.InDelta(t, asked.Load()-refused.Load(), p.Done, 3, "only requests under way at the end are missing")
}

// TestNothingIsRetried has a server that drops connections.
func TestNothingIsRetried(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	tracking, err := newTracking(server.URL, "", "", "")
	require.NoError(t, err)
	require.Error(t, tracking.logMetric(t.Context(), "run", 0))
	assert.EqualValues(t, 1, asked.Load())
	_, err = tracking.createRun(t.Context())
	assert.Equal(t, "EOF", kind(err))
}

func TestMedianAndPercentile(t *testing.T) {
	assert.Equal(t, 2.5, median([]float64{4, 1, 3, 2}))
	assert.Equal(t, 2.0, median([]float64{9, 1, 2}))
	assert.Zero(t, median([]float64{}))
	p := phase{}
	for i := range 100 {
		p.Latencies = append(p.Latencies, time.Duration(i+1))
	}
	assert.Equal(t, time.Duration(51), p.percentile(0.5))
	assert.Equal(t, time.Duration(96), p.percentile(0.95))
	assert.Equal(t, time.Duration(100), p.percentile(1))
	assert.Zero(t, phase{}.percentile(0.5))
}

func TestReadIdle(t *testing.T) {
	costs, err := readIdle("BenchmarkIdle-2   \t 1\t 60000123456 ns/op\t 9.812 %core\t 500.1 MB-anon\t 812.4 MB-pss\n")
	require.NoError(t, err)
	assert.Equal(t, &idleCosts{CPU: 9.812, Memory: 812.4, Anonymous: 500.1}, costs)
	_, err = readIdle("PASS")
	assert.ErrorContains(t, err, "printed no")
}

// TestReport reads a page with errors on both sides.
func TestReport(t *testing.T) {
	o, err := parse([]string{"--clients", "1,20", "--rounds", "2"})
	require.NoError(t, err)
	r := newReport(o)
	good := phase{Done: 100, Length: 10 * time.Second, Latencies: []time.Duration{10 * time.Millisecond}}
	bad := phase{Done: 50, Length: 10 * time.Second, Latencies: make([]time.Duration, 4), Errors: map[string]int{"timeout": 1}, Connections: 20}
	r.Platform.NoOps, r.Tutorial.NoOps = []time.Duration{2 * time.Second, 4 * time.Second}, []time.Duration{time.Second}
	r.Platform.FirstRun, r.Tutorial.FirstRun, r.ClusterStart = 80*time.Second, 40*time.Second, 21*time.Second
	r.Comparisons = []comparison{{MaxConnections: 20, Levels: []level{{Clients: 20, Platform: []phase{good}, Tutorial: []phase{bad, bad}}}}}
	text, err := r.render()
	require.NoError(t, err)
	assert.Contains(t, text, "(2.0, 4.0) and `kubectl diff` (1.0), medians | **3.0 s** | **1.0 s** |")
	assert.Contains(t, text, "until the first run was logged | **80.0 s** | **40.0 s** |")
	assert.Contains(t, text, "images built | **21.0 s** |")
	assert.Contains(t, text, "| 20 | platform | **10** (10) | 10 ms | 10 ms | 1 | 0 | 0 |\n")
	assert.Contains(t, text, "| | tutorial | **5** (5, 5) | 0 ms | 0 ms | 8 | 2 (25.0 %): 2 x timeout | 20 |\n| | ratio | **2.00** |")
	require.NoError(t, r.platformErrors())
	r.Comparisons[0].Levels[0].Platform[0] = bad
	assert.EqualError(t, r.platformErrors(), "the platform failed requests of 20 clients: 1 x timeout")
}

func TestManifestsHaveTheLimit(t *testing.T) {
	for _, limit := range []int{20, 100} {
		text, err := manifests(limit)
		require.NoError(t, err)
		assert.Contains(t, text, fmt.Sprintf("max_connections=$((%d + 1))", limit))
		assert.NotContains(t, text, "{{")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{{"--clients", "1,x"}, {"--max-connections", "0"}, {"--rounds", "0"}, {"more"}} {
		_, err := parse(args)
		assert.Error(t, err, "%v", args)
	}
}

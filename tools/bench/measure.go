package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// pause lets one server come to rest before the other one is asked.
const pause = 2 * time.Second

// arithmetic is the sum of database connections that the program prints.
var arithmetic = regexp.MustCompile(`\(\d+ replicas \+ .+ = \d+`)

// lifecycle is how long a server takes to come and to say that nothing changed.
type lifecycle struct {
	// Up ends when the command does, FirstRun when the first run is logged.
	Up, FirstRun time.Duration
	// NoOps are previews without a change.
	NoOps []time.Duration
}

// platformLifecycle measures up to the first logged run, and no-op previews
// after it.
func platformLifecycle(ctx context.Context, p *platform, r *report) error {
	say("pulumi up on a ready cluster")
	begin := time.Now()
	printed, err := p.run(ctx, "up", "--stack", stack, "--config-file", p.config(), "--yes", "--skip-preview", "--suppress-outputs")
	if err != nil {
		return err
	}
	r.Platform.Up = time.Since(begin)
	if r.Connections = arithmetic.FindString(printed); r.Connections == "" {
		return fmt.Errorf("pulumi up did not print how many connections the stack can need: %s", printed)
	}
	t, err := p.client(ctx)
	if err != nil {
		return err
	}
	return r.Platform.measure(ctx, r.options.previews, begin, t, func() error {
		_, err := p.run(ctx, "preview", "--stack", stack, "--config-file", p.config(), "--expect-no-changes")
		return err
	})
}

// tutorialLifecycle measures the same of the tutorial's manifests.
func tutorialLifecycle(ctx context.Context, p *platform, r *report) error {
	say("kubectl apply of the tutorial")
	begin := time.Now()
	text, err := deployTutorial(ctx, p, r.options.limits[0])
	if err != nil {
		return err
	}
	r.Tutorial.Up = time.Since(begin)
	t, err := newTracking(fmt.Sprintf("http://127.0.0.1:%d", r.options.tutorialPort), "", "", "")
	if err != nil {
		return err
	}
	return r.Tutorial.measure(ctx, r.options.previews, begin, t, func() error {
		diff := p.kubectl(ctx, "diff", "--filename", "-")
		diff.Stdin = strings.NewReader(text)
		if output, err := diff.CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl diff: %w: %s", err, output)
		}
		return nil
	})
}

func (l *lifecycle) measure(ctx context.Context, previews int, begin time.Time, t *tracking, noOp func() error) error {
	run, err := t.createRun(ctx)
	// A Service is reached a moment after its rollout is over.
	for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); run, err = t.createRun(ctx) {
		time.Sleep(50 * time.Millisecond)
	}
	if err == nil {
		err = errors.Join(t.logMetric(ctx, run, 0), t.finishRun(ctx, run))
	}
	if err != nil {
		return fmt.Errorf("logging the first run: %w", err)
	}
	l.FirstRun = time.Since(begin)
	say("up took %s, the first run was logged after %s", l.Up, l.FirstRun)
	for range previews {
		var took time.Duration
		if err := timed(&took, noOp)(); err != nil {
			return err
		}
		l.NoOps = append(l.NoOps, took)
		say("saying that nothing changed took %s", took)
	}
	return nil
}

// target is one of the two servers that are compared.
type target struct {
	name     string
	tracking *tracking
	counter  *counter
	runs     []string
}

// newTarget creates the runs and opens the session that counts connections.
func newTarget(ctx context.Context, p *platform, name string, t *tracking, runs int, namespace, pod, user string) (*target, error) {
	out := &target{name: name, tracking: t}
	for range runs {
		run, err := t.createRun(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: creating a run: %w", name, err)
		}
		out.runs = append(out.runs, run)
	}
	var err error
	if out.counter, err = newCounter(ctx, p, namespace, pod, user); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, nil
}

// comparison is the platform and the tutorial under the same load by turns.
type comparison struct {
	MaxConnections int
	Levels         []level
}

// level is one number of clients.
type level struct {
	Clients            int
	Platform, Tutorial []phase
}

// compare measures both servers by turns: A B A B.
func compare(ctx context.Context, p *platform, o options, maxConnections int) (c comparison, err error) {
	c.MaxConnections = maxConnections
	say("deploying the tutorial with max_connections %d", maxConnections)
	if _, err := deployTutorial(ctx, p, maxConnections); err != nil {
		return c, err
	}
	ours, err := p.client(ctx)
	if err != nil {
		return c, err
	}
	theirs, err := newTracking(fmt.Sprintf("http://127.0.0.1:%d", o.tutorialPort), "", "", "")
	if err != nil {
		return c, err
	}
	most := slices.Max(o.clients)
	primary, err := p.kubectl(ctx, "--namespace", "mlflow", "get", "pod", "--selector", "cnpg.io/instanceRole=primary", "--output", "name").Output()
	if err != nil {
		return c, fmt.Errorf("finding the platform's PostgreSQL: %w", err)
	}
	a, err := newTarget(ctx, p, "platform", ours, most, "mlflow", strings.TrimSpace(string(primary)), "postgres")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, a.counter.close()) }()
	b, err := newTarget(ctx, p, "tutorial", theirs, most, "tutorial", "deployment/postgres", "mlflow")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, b.counter.close()) }()
	for _, clients := range o.clients {
		l := level{Clients: clients}
		for range o.rounds {
			for _, side := range []struct {
				target *target
				phases *[]phase
			}{{a, &l.Platform}, {b, &l.Tutorial}} {
				result, err := side.target.measure(ctx, clients, o.phase)
				if err != nil {
					return c, err
				}
				*side.phases = append(*side.phases, result)
			}
		}
		c.Levels = append(c.Levels, l)
	}
	return c, nil
}

// measure is one phase.
func (t *target) measure(ctx context.Context, clients int, length time.Duration) (phase, error) {
	time.Sleep(pause)
	// Each phase opens its own connections; servers close idle ones at different times.
	t.tracking.http.CloseIdleConnections()
	var p phase
	var err error
	most, err2 := t.counter.during(func() { p, err = load(ctx, t.tracking, t.runs[:clients], length) })
	p.Connections = most
	if err := errors.Join(err, err2); err != nil {
		return p, fmt.Errorf("%s with %d clients: %w", t.name, clients, err)
	}
	say("%s, %d clients: %.0f/s, p50 %s, p95 %s, %d connections, errors %v", t.name, clients, p.rate(),
		p.percentile(0.5).Round(time.Millisecond), p.percentile(0.95).Round(time.Millisecond), p.Connections, p.Errors)
	return p, nil
}

// idleCosts is what an idle cluster costs: CPU in percent of a core, memory in
// MB as proportional set size and its anonymous part.
type idleCosts struct{ CPU, Memory, Anonymous float64 }

// idle runs the benchmark of package cluster.
func idle(ctx context.Context) (*idleCosts, error) {
	root, err := toolchain.Root()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-tags", "e2e", "-run", "^$", "-bench", "Idle", "-benchtime", "1x", "./cluster")
	cmd.Dir = filepath.Join(root, "tools")
	cmd.Env = os.Environ()
	output, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("measuring the idle cluster: %w: %s", err, output)
	}
	return readIdle(string(output))
}

// readIdle reads the line of a benchmark.
func readIdle(output string) (*idleCosts, error) {
	var costs idleCosts
	for unit, value := range map[string]*float64{"%core": &costs.CPU, "MB-pss": &costs.Memory, "MB-anon": &costs.Anonymous} {
		match := regexp.MustCompile(`([0-9.]+) ` + regexp.QuoteMeta(unit)).FindStringSubmatch(output)
		if match == nil {
			return nil, fmt.Errorf("the benchmark of the idle cluster printed no %s: %s", unit, output)
		}
		var err error
		if *value, err = strconv.ParseFloat(match[1], 64); err != nil {
			return nil, err
		}
	}
	return &costs, nil
}

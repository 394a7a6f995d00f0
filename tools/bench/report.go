package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// The measured part of the page is between these lines; what is around it is
// written by hand and stays.
const (
	beginMark = "<!-- measured: written by make bench -->"
	endMark   = "<!-- measured: end -->"
)

//go:embed report.md.tmpl
var reportTemplate string

// report is what was measured.
type report struct {
	options                            options
	Date, Machine, LoadBefore, LoadNow string
	Arguments                          string
	// Connections is the most the stack can need, as the program computes it.
	Connections string
	// ClusterStart is from nothing to a ready node, ClusterRestart with its data.
	ClusterStart, ClusterRestart time.Duration
	Platform, Tutorial           lifecycle
	Idle                         *idleCosts
	Comparisons                  []comparison
}

func newReport(o options) *report {
	return &report{
		options: o, Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Machine: machine(), LoadBefore: loadAverage(),
		Arguments: fmt.Sprintf("%d rounds of %g s", o.rounds, o.phase.Seconds()),
	}
}

// write replaces the measured part of docs/benchmarks.md.
func (r *report) write(root string) error {
	path := filepath.Join(root, "docs", "benchmarks.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	text, err := r.render()
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(page), beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		return fmt.Errorf("%s lacks the lines %q and %q, between which the result goes", path, beginMark, endMark)
	}
	if err := os.WriteFile(path, []byte(before+beginMark+"\n\n"+text+"\n"+endMark+after), 0o644); err != nil {
		return err
	}
	say("wrote %s", path)
	return nil
}

// render is the measured part of the page.
func (r *report) render() (string, error) {
	r.LoadNow = loadAverage()
	functions := template.FuncMap{
		"seconds":  func(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) },
		"medianOf": func(d []time.Duration) time.Duration { return median(d) },
		"each": func(d []time.Duration) string {
			return join(d, func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) })
		},
		"row": row,
		"ratio": func(l level) string {
			theirs := median(rates(l.Tutorial))
			if theirs == 0 {
				return "the tutorial served nothing"
			}
			return fmt.Sprintf("%.2f", median(rates(l.Platform))/theirs)
		},
	}
	parsed, err := template.New("report").Funcs(functions).Parse(reportTemplate)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = parsed.Execute(&text, r)
	return text.String(), err
}

// row are the cells of one server: medians over the phases, the sum of errors,
// the largest number of connections.
func row(phases []phase) string {
	percentile := func(part float64) string {
		var all []time.Duration
		for _, p := range phases {
			all = append(all, p.percentile(part))
		}
		return fmt.Sprintf("%d ms", median(all).Milliseconds())
	}
	requests, failed, connections := 0, 0, 0
	for _, p := range phases {
		requests += len(p.Latencies)
		failed += p.failed()
		connections = max(connections, p.Connections)
	}
	errors := "0"
	if failed > 0 {
		errors = fmt.Sprintf("%d (%.1f %%): %s", failed, 100*float64(failed)/float64(requests), kinds(phases))
	}
	each := join(rates(phases), func(r float64) string { return fmt.Sprintf("%.0f", r) })
	return fmt.Sprintf("**%.0f** (%s) | %s | %s | %d | %s | %d",
		median(rates(phases)), each, percentile(0.5), percentile(0.95), requests, errors, connections)
}

// kinds lists the errors of all phases with their numbers.
func kinds(phases []phase) string {
	sum := map[string]int{}
	for _, p := range phases {
		for kind, n := range p.Errors {
			sum[kind] += n
		}
	}
	return join(slices.Sorted(maps.Keys(sum)), func(kind string) string { return fmt.Sprintf("%d x %s", sum[kind], kind) })
}

func rates(phases []phase) []float64 {
	var all []float64
	for _, p := range phases {
		all = append(all, p.rate())
	}
	return all
}

func join[T any](values []T, text func(T) string) string {
	var all []string
	for _, v := range values {
		all = append(all, text(v))
	}
	return strings.Join(all, ", ")
}

// platformErrors is an error if any request to the platform failed.
func (r *report) platformErrors() error {
	var all []error
	for _, c := range r.Comparisons {
		for _, l := range c.Levels {
			if text := kinds(l.Platform); text != "" {
				all = append(all, fmt.Errorf("the platform failed requests of %d clients: %s", l.Clients, text))
			}
		}
	}
	return errors.Join(all...)
}

// machine describes processor, memory and kernel.
func machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	memory := "unknown memory"
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err == nil {
		memory = fmt.Sprintf("%.0f GiB of memory", float64(info.Totalram)*float64(info.Unit)/(1<<30))
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	return fmt.Sprintf("%d cores (%s), %s, kernel %s, %s", runtime.NumCPU(), model, memory, strings.TrimSpace(string(kernel)), runtime.Version())
}

// loadAverage is that of the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

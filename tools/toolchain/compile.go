package toolchain

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/mlflow-platform/mlflow-platform/tools/internal/files"
	"github.com/mlflow-platform/mlflow-platform/tools/internal/progress"
)

// killDelay is how long a stopped go command may take to clean up.
const killDelay = 5 * time.Second

// compile builds the program's binaries below tmp and returns their directory.
//
// It works on a copy of the module directory: a generator writes beside the
// sources it is for, and an edit during a long build must not end up under the
// key of the files as they were.
func (b *builder) compile(ctx context.Context, build Build, title, tmp string) (string, error) {
	src, bin := filepath.Join(tmp, "src"), filepath.Join(tmp, "bin")
	if err := os.CopyFS(src, os.DirFS(b.moduleDir(build.tool))); err != nil {
		return "", err
	}
	if err := os.Mkdir(bin, 0o755); err != nil {
		return "", err
	}
	log, err := b.openLog(build.Name)
	if err != nil {
		return "", err
	}
	defer func() { _ = log.Close() }()

	run := &compiler{dir: src, env: buildEnv(build.tool), log: log}
	step := progress.Start(b.out, title, run.status)
	defer step.Stop()
	if err := run.all(ctx, build, bin); err != nil {
		return "", failure(ctx, err, log.Name())
	}
	size, err := files.Size(bin)
	if err != nil {
		return "", err
	}
	step.Stop()
	fmt.Fprintf(b.out, "%s: built in %s, %s\n", title, step.Elapsed(), files.SizeText(size))
	return bin, nil
}

// openLog empties the log of a program's build.
func (b *builder) openLog(name string) (*os.File, error) {
	path := filepath.Join(b.cache, "logs", name+".log")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.Create(path)
}

// compiler runs the go commands of one build.
type compiler struct {
	dir      string
	env      []string
	log      io.Writer
	packages atomic.Int64 // in the program
	compiled atomic.Int64 // so far; the ones in the Go build cache are not counted
}

func (c *compiler) all(ctx context.Context, build Build, bin string) error {
	t := build.tool
	// The list also downloads the modules, so that its time is not mistaken for
	// compilation.
	list := build.list("-deps")
	if t.Generate != "" {
		// The generator's packages are few and it must run before the program's
		// packages load without an error about the files it embeds.
		if err := c.run(ctx, nil, "run", "-mod=readonly", t.Generate); err != nil {
			return err
		}
	}
	if err := c.run(ctx, &c.packages, list...); err != nil {
		return err
	}
	args := append([]string{"build", "-v", "-o", bin + string(filepath.Separator)}, build.args...)
	return c.run(ctx, &c.compiled, append(args, t.Packages...)...)
}

// list is the go command that lists a build's packages, which downloads their
// modules.
func (b Build) list(flags ...string) []string {
	return slices.Concat([]string{"list"}, flags, b.args, b.tool.Packages)
}

// fetch downloads the modules of a build. It fails silently: the build itself
// lists the packages once more, and reports.
func (b *builder) fetch(ctx context.Context, build Build) {
	// -e, because what is generated for the build to embed is not there yet.
	cmd := goCommand(ctx, b.moduleDir(build.tool), buildEnv(build.tool), build.list("-e", "-deps")...)
	_ = cmd.Run()
}

// run runs one go command with its output in the log and counts its lines.
func (c *compiler) run(ctx context.Context, lines *atomic.Int64, args ...string) error {
	if _, err := fmt.Fprintf(c.log, "$ go %s\n", strings.Join(args, " ")); err != nil {
		return err
	}
	cmd := goCommand(ctx, c.dir, c.env, args...)
	if lines == nil {
		cmd.Stdout, cmd.Stderr = c.log, c.log
		return wrapGo(args[0], cmd.Run())
	}
	counter := &lineCounter{n: lines}
	// go list prints packages on stdout, go build -v on stderr.
	if args[0] == "list" {
		cmd.Stdout, cmd.Stderr = counter, c.log
	} else {
		cmd.Stdout, cmd.Stderr = c.log, io.MultiWriter(c.log, counter)
	}
	return wrapGo(args[0], cmd.Run())
}

func (c *compiler) status() string {
	packages := c.packages.Load()
	if packages == 0 {
		return "loading modules"
	}
	return fmt.Sprintf("%d packages compiled of at most %d", c.compiled.Load(), packages)
}

// lineCounter counts the lines written to it.
type lineCounter struct{ n *atomic.Int64 }

func (l *lineCounter) Write(p []byte) (int, error) {
	l.n.Add(int64(bytes.Count(p, []byte{'\n'})))
	return len(p), nil
}

// compilerMemory is what a compiler may take before it looks for garbage, in bytes.
// The largest package takes 2.7 GB with GOGC 200.
const compilerMemory = 3 << 30

// collector are the settings of the compilers' garbage collector. Where every core
// has compilerMemory, as there are as many compilers, they collect nothing below
// that: a build takes an eighth less time than with GOGC 200, with which it takes
// a sixth less than with Go's default of 100 and little more memory than with that.
func collector(memory uint64, cores int) []string {
	if memory/uint64(cores) < compilerMemory {
		return []string{"GOGC=200"}
	}
	return []string{"GOGC=off", fmt.Sprintf("GOMEMLIMIT=%d", compilerMemory)}
}

// thisMachine is the collector for the memory of this machine or container. The
// user's own settings win.
func thisMachine() []string {
	if os.Getenv("GOGC")+os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	memory, err := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)()
	if err != nil {
		memory = 0 // Not known, so little.
	}
	return collector(memory, runtime.GOMAXPROCS(0))
}

// goCommand is a go command that dies with its compilers when ctx ends.
func goCommand(ctx context.Context, dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), thisMachine(), env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killDelay
	return cmd
}

// buildEnv is the environment that keeps the user's settings from changing the
// binaries: key and build would no longer belong together.
func buildEnv(t Tool) []string {
	cgo := "0"
	if t.CGO {
		cgo = "1"
	}
	return []string{"CGO_ENABLED=" + cgo, "GOWORK=off", "GOFLAGS=-mod=readonly", "GO111MODULE=on"}
}

func wrapGo(command string, err error) error {
	if err != nil {
		return fmt.Errorf("go %s: %w", command, err)
	}
	return nil
}

// tailLines is how much of a log a failure quotes.
const tailLines = 5

// failure says what the log ends with, where it is and what to do next.
func failure(ctx context.Context, err error, logPath string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text, readErr := os.ReadFile(logPath)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	return fmt.Errorf("%w\n%s\nlog: %s\nnext: %s", err, tail(text), logPath, nextStep(string(text)+err.Error()))
}

// tail returns the last lines of a text, indented.
func tail(text []byte) string {
	var lines []string
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for scanner.Scan() {
		lines = append(lines, "    "+scanner.Text())
	}
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

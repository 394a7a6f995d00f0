package toolchain

import (
	"context"
	"fmt"
	"io"

	"github.com/mlflow-platform/mlflow-platform/tools/internal/progress"
)

// programPackages are what main.go imports. The main package itself is left out:
// pulumi links it.
var programPackages = []string{"./stacks", "./components/kubernetes"}

// CompileProgram compiles what the Go build cache lacks of the checkout's Pulumi
// program, with progress on out. Pulumi's Go language host does the same, but
// says nothing for the minutes that the SDKs take.
func CompileProgram(ctx context.Context, out io.Writer) error {
	b, err := newBuilder(out)
	if err != nil {
		return err
	}
	return b.compileProgram(ctx)
}

func (b *builder) compileProgram(ctx context.Context) error {
	const title = "Pulumi program"
	log, err := b.openLog("program")
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	// The environment is the one in which pulumi compiles: another one would fill
	// the cache with what it does not use.
	run := &compiler{dir: b.root, log: log}
	step := progress.Start(b.out, title, run.status)
	defer step.Stop()
	err = run.run(ctx, &run.packages, append([]string{"list", "-deps"}, programPackages...)...)
	if err == nil {
		err = run.run(ctx, &run.compiled, append([]string{"build", "-v"}, programPackages...)...)
	}
	if err != nil {
		return fmt.Errorf("compiling the Pulumi program: %w", failure(ctx, err, log.Name()))
	}
	step.Stop()
	if n := run.compiled.Load(); n > 0 {
		fmt.Fprintf(b.out, "%s: %d packages compiled in %s\n", title, n, step.Elapsed())
	}
	return nil
}

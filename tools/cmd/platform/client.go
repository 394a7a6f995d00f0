package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mlflow-platform/mlflow-platform/tools/internal/once"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// demo logs the iris example with the real client, in a virtual environment of
// pinned packages.
func demo(ctx context.Context, e *environment) error {
	python, err := e.python(ctx)
	if err != nil {
		return err
	}
	return e.script(ctx, python, "demo.py")
}

// doctor needs nothing but Python.
func doctor(ctx context.Context, e *environment) error {
	return e.script(ctx, "python3", "doctor.py")
}

// screenshot opens the demo's experiment in headless Chromium.
func screenshot(ctx context.Context, e *environment) error {
	python, err := e.python(ctx)
	if err != nil {
		return err
	}
	out := filepath.Join(e.root, "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	return e.script(ctx, python, "screenshot.py", "iris", filepath.Join(out, "experiment.png"))
}

// script runs one of tools/client with the client's variables; the password
// goes through the environment.
func (e *environment) script(ctx context.Context, python, name string, args ...string) error {
	if err := e.prepare(ctx); err != nil {
		return err
	}
	vars, err := e.client(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python, append([]string{filepath.Join(e.root, "tools", "client", name)}, args...)...)
	cmd.Env = append(os.Environ(), vars...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// python is the interpreter of the client's virtual environment, which is made
// once for each version of its requirements.
func (e *environment) python(ctx context.Context) (string, error) {
	requirements := filepath.Join(e.root, "tools", "client", "requirements.txt")
	text, err := os.ReadFile(requirements)
	if err != nil {
		return "", fmt.Errorf("reading the client's requirements: %w", err)
	}
	cache, err := toolchain.CacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	dir := filepath.Join(cache, "client", hex.EncodeToString(sum[:6]))
	entry := once.Entry{
		Path: dir, Lock: filepath.Join(cache, "locks", "client.lock"),
		Waiting: func() { fmt.Fprintln(e.out, "waiting for another process that installs the MLflow client") },
	}
	_, err = entry.Build(ctx, func(tmp string) (string, error) {
		fmt.Fprintf(e.out, "installing the MLflow client into %s (first time only, a minute or two)\n", dir)
		made := filepath.Join(tmp, "venv")
		for _, args := range [][]string{
			{"python3", "-m", "venv", made},
			{filepath.Join(made, "bin", "python3"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements},
		} {
			cmd := exec.CommandContext(ctx, args[0], args[1:]...)
			cmd.Stdout, cmd.Stderr = e.out, e.out
			if err := cmd.Run(); err != nil {
				return "", fmt.Errorf("installing the client: %s: %w; on Debian it needs python3-venv, and PyPI or a mirror of it in pip's configuration", strings.Join(args, " "), err)
			}
		}
		return made, nil
	})
	// The interpreter finds its packages from where it is, so the environment can
	// be moved; only its own scripts, which nothing here calls, cannot.
	return filepath.Join(dir, "bin", "python3"), err
}

// linkKubectl puts the kubectl of the local cluster beside the stack's state: the
// built program acts as the component by whose name it is called.
func (e *environment) linkKubectl(ctx context.Context) error {
	if e.cluster.Existing() {
		return nil
	}
	builds, err := toolchain.Lookup(ctx, "kubernetes")
	if err != nil {
		return err
	}
	link := filepath.Join(e.binDir(), "kubectl")
	if err := os.MkdirAll(e.binDir(), 0o755); err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(filepath.Join(builds[0].Dir, "kube"), link)
}

// printEnv prints shell assignments: of pulumi and kubectl always, of the
// client when the stack is up.
func printEnv(ctx context.Context, e *environment) error {
	if err := e.prepare(ctx); err != nil {
		return err
	}
	vars := e.variables()
	if err := e.linkKubectl(ctx); err != nil {
		return err
	}
	client, err := e.client(ctx)
	if err != nil {
		// Before the first up there are no outputs, but pulumi and kubectl are there.
		fmt.Fprintln(e.out, "without the MLflow client's settings:", err)
	}
	for _, v := range append(vars, client...) {
		name, value, _ := strings.Cut(v, "=")
		if _, err := fmt.Printf("export %s=%s\n", name, quote(value)); err != nil {
			return err
		}
	}
	return nil
}

// quote makes a value safe for a POSIX shell.
func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

// value is the value of one of the assignments.
func value(assignments []string, name string) string {
	for _, a := range assignments {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
	}
	return ""
}

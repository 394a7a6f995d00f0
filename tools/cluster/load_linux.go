package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/archive"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/box"
	"github.com/mlflow-platform/mlflow-platform/tools/images"
)

// image is an image and the archive it is in.
type image struct{ ref, archive string }

// systemImages are the images that the cluster itself needs.
type systemImages struct{ coreDNS, pause image }

// systemImages builds the images that are missing.
func (c *Cluster) systemImages(ctx context.Context) (systemImages, error) {
	built, err := images.Ensure(ctx, c.options.Out, nodeImages...)
	if err != nil {
		return systemImages{}, err
	}
	s := systemImages{image{archive: built["coredns"]}, image{archive: built["pause"]}}
	for _, i := range []*image{&s.coreDNS, &s.pause} {
		contents, err := archive.Read(i.archive)
		if err != nil {
			return s, err
		}
		if len(contents) != 1 {
			return s, fmt.Errorf("archive %s holds %d images, wanted is one", i.archive, len(contents))
		}
		for ref := range contents {
			i.ref = ref
		}
	}
	return s, nil
}

// load implements Load for a cluster of our own.
func (c *Cluster) load(ctx context.Context, archives []string) error {
	unlock, err := c.lockCommand(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return c.importMissing(ctx, archives...)
}

// importMissing imports the archives of which an image is not there yet. What
// is there is remembered by reference and content: an archive with another
// build of the same reference is imported, a copy of the same one is not.
func (c *Cluster) importMissing(ctx context.Context, archives ...string) error {
	present := map[string]string{}
	data, err := os.ReadFile(c.state.Images())
	if err == nil {
		err = json.Unmarshal(data, &present)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the list of loaded images: %w", err)
	}
	for _, path := range archives {
		contents, err := archive.Read(path)
		if err != nil {
			return err
		}
		missing := false
		for ref, content := range contents {
			missing = missing || present[ref] != content
		}
		if !missing {
			continue
		}
		begin := time.Now()
		if err := c.importArchive(ctx, path); err != nil {
			return err
		}
		maps.Copy(present, contents)
		data, err := json.MarshalIndent(present, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.state.Images(), append(data, '\n'), 0o600); err != nil {
			return fmt.Errorf("recording the loaded images: %w", err)
		}
		for ref := range contents {
			c.say("loaded %s in %s", ref, time.Since(begin).Round(100*time.Millisecond))
		}
	}
	return nil
}

// importArchive hands the archive to the container runtime as standard input:
// the file need not be visible inside.
func (c *Cluster) importArchive(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("loading an image: %w", err)
	}
	defer f.Close()
	output, err := c.output(ctx, f, "ctr", "images", "import", "--local", "-")
	if err != nil {
		return fmt.Errorf("loading %s: %w: %s", filepath.Base(path), err, output)
	}
	return nil
}

// runtimeReady says whether the container runtime answers.
func (c *Cluster) runtimeReady(ctx context.Context) error {
	output, err := c.output(ctx, nil, "ctr", "version")
	if err != nil {
		return fmt.Errorf("the container runtime is not ready: %w: %s", err, output)
	}
	return nil
}

// output runs a program inside and returns what it prints.
func (c *Cluster) output(ctx context.Context, stdin *os.File, args ...string) (string, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer read.Close()
	var text bytes.Buffer
	copied := make(chan error, 1)
	go func() {
		_, err := text.ReadFrom(read)
		copied <- err
	}()
	err = c.exec(ctx, args, stdin, write, write)
	write.Close()
	return text.String(), errors.Join(err, <-copied)
}

// exec implements Exec for a cluster of our own.
func (c *Cluster) exec(ctx context.Context, args []string, stdin, stdout, stderr *os.File) error {
	running, err := locked(c.state.SupervisorLock())
	if err != nil {
		return err
	}
	if !running {
		return fmt.Errorf("cluster %s: %w: start it with up", c.options.Name, ErrNotRunning)
	}
	pid, err := box.PID(c.state)
	if err != nil {
		return err
	}
	return box.Run(ctx, pid, box.Command{Args: args, Stdin: stdin, Stdout: stdout, Stderr: stderr})
}

// ExitStatus returns the exit status of the command that [Cluster.Exec] ran,
// if that is what the error is about.
func ExitStatus(err error) (int, bool) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, false
	}
	return exit.ExitCode(), true
}

package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// killDelay is how long mmdebstrap may take to unmount and clean up after it was
// told to stop.
const killDelay = 30 * time.Second

// rootfs is a root file system of Debian packages.
type rootfs struct {
	// packages are installed, without recommended ones, on top of Debian's
	// essential packages.
	packages []string
	// before and after are shell scripts that run with the root file system as
	// $1, before and after the packages are installed.
	before, after string
	// upload maps files of the host to directories of the root file system they
	// are copied to before the script after.
	upload []upload
	// drop are path patterns of what does not get into the image, see [dropped].
	drop []string
}

// upload is a host directory that is copied into a directory of the root file
// system, below its own name.
type upload struct{ from, to string }

// write writes what the root file system is made of, for a key.
func (r rootfs) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s %q %q %q %q %q\n", suite, r.packages, r.before, r.after, r.drop, alwaysDropped)
	return err
}

// build makes the root file system and returns it as a tar file. The output of
// mmdebstrap is in the build's log.
func (r rootfs) build(ctx context.Context, b build) (string, error) {
	sources, err := aptSources(ctx)
	if err != nil {
		return "", err
	}
	proxy, err := aptProxy(ctx)
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.tmp, "rootfs.tar")
	args := []string{
		// Only what every Debian has, without even apt: the image never installs.
		"--variant=essential",
		"--include=" + strings.Join(r.packages, ","),
		"--keyring=" + keyring,
		"--skip=cleanup/reproducible", // rewriting the tar file does that
	}
	for _, setting := range proxy {
		args = append(args, "--aptopt="+setting)
	}
	if r.before != "" {
		args = append(args, "--essential-hook="+r.before)
	}
	for _, u := range r.upload {
		args = append(args, fmt.Sprintf(`--customize-hook=copy-in "%s" "%s"`, u.from, u.to))
	}
	if r.after != "" {
		args = append(args, "--customize-hook="+r.after)
	}
	args = append(append(args, suite, path), sources...)
	// What it mounts stays in a mount namespace of its own: nothing of it is left on
	// the host even when it is killed.
	return path, runLogged(ctx, b.log, "unshare", append([]string{"--mount", "mmdebstrap"}, args...)...)
}

// tailLines is how much of a log a failure quotes.
const tailLines = 8

// runLogged runs a program with its output appended to a log. An error quotes
// the end of the log and says where it is.
func runLogged(ctx context.Context, logPath, name string, args ...string) error {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	if _, err := fmt.Fprintf(log, "$ %s %q\n", name, args); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	// mmdebstrap unmounts and cleans up when it is told to stop, but first waits
	// for its children: they must be told as well.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = killDelay
	err = cmd.Run()
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	text, readErr := os.ReadFile(logPath)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	// mmdebstrap ends with the text of the script that failed; what the script
	// said comes before that.
	said, _, _ := strings.Cut(string(text), "\nE: setup failed")
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return fmt.Errorf("%s: %w\n    %s\nlog: %s\nnext: fix what the log says and run the same command again",
		name, err, strings.Join(lines[max(0, len(lines)-tailLines):], "\n    "), logPath)
}

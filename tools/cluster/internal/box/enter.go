//go:build linux

package box

import (
	"context"
	"fmt"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/thread"
)

// Environment is the environment of every program inside. It is complete: the
// caller's proxies and settings mean nothing there.
func Environment() []string {
	return []string{
		"PATH=" + layout.Bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + layout.Base,
		"KUBECONFIG=" + layout.Inside.Config("admin.kubeconfig"),
		"CONTAINERD_NAMESPACE=k8s.io",
	}
}

// enter starts the command from a thread that has joined the namespaces:
// joining a mount namespace needs a thread that shares its file system
// attributes with no other, and there is no way back.
func enter(ctx context.Context, pid int, c Command) error {
	var err error
	thread.Run(func() {
		var cmd *exec.Cmd
		if cmd, err = startInside(ctx, pid, c); err == nil {
			err = cmd.Wait()
		}
	})
	return err
}

func startInside(ctx context.Context, pid int, c Command) (*exec.Cmd, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("entering the node: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, fmt.Errorf("entering the node: %w", err)
	}
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
	if err := unix.Setns(fd, namespaces); err != nil {
		return nil, fmt.Errorf("entering the node: %w", err)
	}
	path, err := lookPath(c.Args[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, c.Args[1:]...)
	cmd.Args[0] = c.Args[0]
	cmd.Env = append(Environment(), c.Env...)
	cmd.Dir = "/"
	// Assigned one by one: a nil *os.File in the interface would not be nil.
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("running %s inside the node: %w", c.Args[0], err)
	}
	return cmd, nil
}

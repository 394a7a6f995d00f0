//go:build linux

package box

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/cgroup"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

// data are the directories of the state that outlive a restart, and where the
// components want them. etcd takes its directory from a flag.
var data = map[string]string{
	"containerd": "/var/lib/containerd",
	"kubelet":    "/var/lib/kubelet",
	"volumes":    "/var/lib/volumes",
	"pod-logs":   "/var/log/pods",
}

// scratch are the directories that are empty and private at every start.
var scratch = []string{"/run", "/tmp", "/var/lib", "/var/log"}

// mount turns the copy of the host's mounts that this process was born with
// into the node's: the host read-only, the node's own directories on top.
// Everything is bound through descriptors opened beforehand, because the
// directories may lie below one that is covered.
func mount(config Config) error {
	state, err := openDir(string(config.State))
	if err != nil {
		return err
	}
	defer unix.Close(state)
	tools := map[string]int{}
	for name, dir := range config.Tools {
		fd, err := openDir(dir)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		tools[name] = fd
	}
	hierarchies, err := cgroup.Read()
	if err != nil {
		return err
	}

	readOnly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, readOnly); err != nil {
		return fmt.Errorf("making the host read-only for the node: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, dir := range scratch {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	if err := os.Chmod("/tmp", 0o777|os.ModeSticky); err != nil {
		return err
	}
	if err := bind(state, layout.InsideState, false); err != nil {
		return err
	}
	for name, fd := range tools {
		if err := bind(fd, filepath.Join(layout.Tools, name), true); err != nil {
			return err
		}
	}
	for name, target := range data {
		source := layout.Inside.Data(name)
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", target, err)
		}
	}
	if err := mountSys(hierarchies); err != nil {
		return err
	}
	if err := mountSysctls(); err != nil {
		return err
	}
	if err := linkTools(config.Tools); err != nil {
		return err
	}
	// Volumes with propagation need shared mounts; the host is detached.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts inside: %w", err)
	}
	return nil
}

func openDir(dir string) (int, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("opening %s: %w", dir, err)
	}
	return fd, nil
}

// bind mounts an open directory on a new one.
func bind(fd int, target string, readOnly bool) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", target, err)
	}
	attr := &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}
	if readOnly {
		attr = &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, 0, attr); err != nil {
		return fmt.Errorf("mounting %s: %w", target, err)
	}
	return nil
}

// mountSys mounts /sys, which shows the new network namespace, and the control
// groups, which show the new cgroup namespace: the node's groups are the roots.
func mountSys(hierarchies []cgroup.Hierarchy) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("sysfs", "/sys", "sysfs", flags, ""); err != nil {
		return fmt.Errorf("mounting /sys: %w", err)
	}
	if cgroup.Unified(hierarchies) {
		if err := unix.Mount("cgroup2", cgroup.Root, "cgroup2", flags, ""); err != nil {
			return fmt.Errorf("mounting control groups: %w", err)
		}
		return cgroup.Delegate(cgroup.Root)
	}
	if err := unix.Mount("tmpfs", cgroup.Root, "tmpfs", flags, "mode=0755"); err != nil {
		return fmt.Errorf("mounting control groups: %w", err)
	}
	for _, h := range hierarchies {
		if h.V2 {
			continue // it manages nothing beside version 1
		}
		options := strings.Join(h.Options, ",")
		dir := filepath.Join(cgroup.Root, strings.TrimPrefix(options, "name="))
		mountOptions := options
		if strings.HasPrefix(options, "name=") {
			mountOptions = "none," + options
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("cgroup", dir, "cgroup", flags, mountOptions); err != nil {
			return fmt.Errorf("mounting control groups %s: %w", options, err)
		}
		if len(h.Options) > 1 {
			// Programs look for cpu where cpu,cpuacct is mounted.
			for _, controller := range h.Options {
				if err := os.Symlink(filepath.Base(dir), filepath.Join(cgroup.Root, controller)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

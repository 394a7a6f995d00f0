//go:build linux

// Package cgroup gives a cluster a control group of its own in every mounted
// hierarchy, version 1 or 2, and removes it again. Groups of others are never
// written to.
package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Root is where hierarchies are mounted by convention.
const Root = "/sys/fs/cgroup"

// Required are the controllers the kubelet and runc cannot do without. The
// version 2 names of cpuacct, devices and freezer are missing on purpose:
// there they are part of cpu, of eBPF and of the core.
var (
	RequiredV1 = []string{"cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer"}
	RequiredV2 = []string{"cpu", "memory", "pids"}
)

// Hierarchy is one mounted hierarchy.
type Hierarchy struct {
	// Mount is where it is mounted.
	Mount string
	// Options are its controllers (version 1), also "name=systemd".
	Options []string
	// V2 marks the unified hierarchy.
	V2 bool
}

// Hierarchies reads the hierarchies from a mountinfo file such as
// /proc/self/mountinfo, leaving out repeated mounts.
func Hierarchies(mountinfo io.Reader) ([]Hierarchy, error) {
	var found []Hierarchy
	seen := map[string]bool{}
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		// 36 35 0:30 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		h := Hierarchy{Mount: left[4], V2: right[0] == "cgroup2"}
		switch right[0] {
		case "cgroup2":
		case "cgroup":
			for option := range strings.SplitSeq(right[2], ",") {
				if !slices.Contains([]string{"rw", "ro", "xattr", "noprefix", "clone_children", "none"}, option) && !strings.HasPrefix(option, "release_agent=") {
					h.Options = append(h.Options, option)
				}
			}
		default:
			continue
		}
		if key := right[0] + strings.Join(h.Options, ","); !seen[key] {
			seen[key] = true
			found = append(found, h)
		}
	}
	return found, lines.Err()
}

// Read returns the hierarchies of this process's mount namespace.
func Read() ([]Hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("finding control groups: %w", err)
	}
	defer f.Close()
	return Hierarchies(f)
}

// Unified says whether version 2 is the only one that manages resources.
func Unified(hierarchies []Hierarchy) bool {
	return !slices.ContainsFunc(hierarchies, func(h Hierarchy) bool {
		return !h.V2 && !slices.ContainsFunc(h.Options, func(o string) bool { return strings.HasPrefix(o, "name=") })
	})
}

// Join creates the group in every hierarchy and moves this process into it.
func Join(hierarchies []Hierarchy, group string) error {
	for _, h := range hierarchies {
		dir := filepath.Join(h.Mount, group)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("creating control group: %w", err)
		}
		if slices.Contains(h.Options, "cpuset") {
			// A version 1 cpuset is born empty and then takes no process.
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				value, err := os.ReadFile(filepath.Join(h.Mount, file))
				if err != nil {
					return fmt.Errorf("preparing control group: %w", err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
					return fmt.Errorf("preparing control group: %w", err)
				}
			}
		}
		// 0 is the writing process.
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return fmt.Errorf("joining control group: %w", err)
		}
	}
	return nil
}

// Delegate prepares the root of a version 2 cgroup namespace, mounted at
// mount, for groups with resource limits: a group that has such children may
// hold no process itself, so this process moves into the child init first.
func Delegate(mount string) error {
	dir := filepath.Join(mount, "init")
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("creating control group: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644); err != nil {
		return fmt.Errorf("joining control group: %w", err)
	}
	controllers, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("delegating control groups: %w", err)
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		if err := os.WriteFile(filepath.Join(mount, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("enabling controller %s: %w", controller, err)
		}
	}
	return nil
}

// Processes returns the ids of the processes in the group and below it.
func Processes(hierarchies []Hierarchy, group string) []int {
	var pids []int
	for _, h := range hierarchies {
		_ = filepath.WalkDir(filepath.Join(h.Mount, group), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Name() != "cgroup.procs" {
				return nil // groups vanish while they are walked
			}
			data, _ := os.ReadFile(path)
			for field := range strings.FieldsSeq(string(data)) {
				// 0 stands for a process of another pid namespace.
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 && !slices.Contains(pids, pid) {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// Remove removes the group and everything below it. The kernel refuses while
// processes are still exiting, so it tries until the timeout.
func Remove(hierarchies []Hierarchy, group string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		var failed error
		for _, h := range hierarchies {
			if err := removeTree(filepath.Join(h.Mount, group)); err != nil {
				failed = err
			}
		}
		if failed == nil || time.Now().After(deadline) {
			return failed
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// removeTree removes a group, children first. Its files cannot and need not
// be removed.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing control group: %w", err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing control group: %w", err)
	}
	return nil
}

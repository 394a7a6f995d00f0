//go:build linux

// Package preflight finds out whether this machine can run a local cluster,
// before anything is started, and reports every problem with its remedy.
package preflight

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/cgroup"
)

const (
	// minMemory is what a cluster with the platform in it needs: 0.75 GB for
	// the node and 3 GB for MLflow, PostgreSQL and the object store.
	minMemory = 4 << 30
	// minDisk is what images (1 GB), their unpacked copies and data need.
	minDisk = 5 << 30
	// Linux 5.12 has mount_setattr, the youngest system call used.
	minMajor, minMinor = 5, 12
	// memorySlack allows for what firmware and kernel keep for themselves of
	// a machine sold with 4 GiB.
	memorySlack = 512 << 20
)

// Problem is one thing that is missing.
type Problem struct {
	// What is missing.
	What string
	// Remedy is what to do about it.
	Remedy string
}

// Problems are all problems; as an error it prints them all.
type Problems []Problem

// Error implements error.
func (p Problems) Error() string {
	var text strings.Builder
	noun := "problems keep"
	if len(p) == 1 {
		noun = "problem keeps"
	}
	fmt.Fprintf(&text, "%d %s the local cluster from starting:", len(p), noun)
	for _, problem := range p {
		fmt.Fprintf(&text, "\n  - %s\n    remedy: %s", problem.What, problem.Remedy)
	}
	return text.String()
}

func (p *Problems) add(what, remedy string) { *p = append(*p, Problem{what, remedy}) }

// Want is what a particular cluster needs.
type Want struct {
	// StateDir is where the cluster's data will be; it need not exist.
	StateDir string
	// Ports of 127.0.0.1 that must be free, by what they are for.
	Ports map[int]string
}

// Host is what can be asked about a machine; [ThisHost] is the real one.
type Host struct {
	// Files is the root file system, of which /proc and /sys are read.
	Files fs.FS
	// EffectiveUID is the user this process acts as.
	EffectiveUID int
	// KernelRelease is the kernel's version such as 6.1.0-18-amd64.
	KernelRelease string
	// LookPath finds a program.
	LookPath func(name string) (string, error)
	// FreeDisk is the free space in bytes of the file system of a directory.
	FreeDisk func(dir string) (uint64, error)
	// ListenOn opens a port of 127.0.0.1 and closes it again.
	ListenOn func(port int) error
	// Features tries out what the kernel must offer, in a network namespace
	// that is thrown away, and returns what fails, by name.
	Features func() (map[string]error, error)
}

// Check returns all problems of the host.
func Check(h Host, want Want) Problems {
	var p Problems
	privileges(h, &p)
	kernel(h, &p)
	missing := programs(h, &p)
	// Trying out the kernel needs both.
	if h.EffectiveUID == 0 && !missing {
		features(h, &p)
	}
	groups(h, &p)
	resources(h, want, &p)
	ports(h, want, &p)
	return p
}

// capabilities are those that setting up namespaces needs, by bit. Root in a
// container may lack them.
var capabilities = map[uint]string{
	unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
	unix.CAP_NET_ADMIN: "CAP_NET_ADMIN",
	unix.CAP_MKNOD:     "CAP_MKNOD",
}

func privileges(h Host, p *Problems) {
	if h.EffectiveUID != 0 {
		p.add("this user is not root: namespaces, mounts and containers need it",
			"run it with sudo, or give --kubeconfig of an existing cluster, which needs no root")
		return
	}
	status, err := fs.ReadFile(h.Files, "proc/self/status")
	if err != nil {
		p.add("the capabilities of this process cannot be read: "+err.Error(), "mount /proc")
		return
	}
	for line := range strings.Lines(string(status)) {
		value, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		effective, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			p.add("the capabilities of this process cannot be read: "+err.Error(), "mount /proc")
			return
		}
		for _, bit := range []uint{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_MKNOD} {
			if effective&(1<<bit) == 0 {
				p.add("root lacks the capability "+capabilities[bit], "run it outside of a container, or in a privileged one")
			}
		}
	}
}

func kernel(h Host, p *Problems) {
	var major, minor int
	if _, err := fmt.Sscanf(h.KernelRelease, "%d.%d", &major, &minor); err != nil || major < minMajor || (major == minMajor && minor < minMinor) {
		p.add(fmt.Sprintf("the kernel is %s; %d.%d or newer is needed", h.KernelRelease, minMajor, minMinor), "install a newer kernel, as current distributions have")
	}
	for _, namespace := range []string{"cgroup", "ipc", "mnt", "net", "pid", "uts"} {
		if _, err := fs.Stat(h.Files, "proc/self/ns/"+namespace); err != nil {
			p.add("the kernel has no "+namespace+" namespaces", "use a kernel with CONFIG_NAMESPACES and its options")
		}
	}
	filesystems, err := fs.ReadFile(h.Files, "proc/filesystems")
	if err != nil || !slices.Contains(strings.Fields(string(filesystems)), "overlay") {
		p.add("the kernel has no overlayfs", "modprobe overlay")
	}
	if _, err := fs.Stat(h.Files, "proc/sys/net/bridge/bridge-nf-call-iptables"); err != nil {
		p.add("bridged packets do not pass iptables (br_netfilter), so NetworkPolicies would not be enforced", "modprobe br_netfilter")
	}
	if _, err := fs.Stat(h.Files, "proc/sys/kernel/seccomp/actions_avail"); err != nil {
		p.add("the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER")
	}
}

// packages are the programs the components call and the Debian packages they
// are in.
var packages = map[string]string{
	"iptables":         "iptables",
	"iptables-restore": "iptables",
	"iptables-save":    "iptables",
	"ipset":            "ipset",
	"mount":            "mount",
	"umount":           "mount",
}

// programs says whether one is missing.
func programs(h Host, p *Problems) bool {
	var missing, install []string
	for name, pkg := range packages {
		if _, err := h.LookPath(name); err != nil {
			missing = append(missing, name)
			if !slices.Contains(install, pkg) {
				install = append(install, pkg)
			}
		}
	}
	if len(missing) == 0 {
		return false
	}
	slices.Sort(missing)
	slices.Sort(install)
	p.add("programs are missing: "+strings.Join(missing, ", "), "apt-get install --yes "+strings.Join(install, " "))
	return true
}

func features(h Host, p *Problems) {
	failed, err := h.Features()
	if err != nil {
		p.add("the kernel's network features cannot be tried out: "+err.Error(), "run it outside of a container, or in a privileged one")
		return
	}
	names := make([]string, 0, len(failed))
	for name := range failed {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p.add(fmt.Sprintf("%s does not work: %v", name, failed[name]), "load the kernel module, such as "+modules[name])
	}
}

func groups(h Host, p *Problems) {
	mountinfo, err := fs.ReadFile(h.Files, "proc/self/mountinfo")
	if err != nil {
		p.add("the mounts cannot be read: "+err.Error(), "mount /proc")
		return
	}
	hierarchies, err := cgroup.Hierarchies(bytes.NewReader(mountinfo))
	if err != nil {
		p.add("the mounts cannot be read: "+err.Error(), "mount /proc")
		return
	}
	if len(hierarchies) == 0 {
		p.add("control groups are not mounted", "mount -t cgroup2 none "+cgroup.Root)
		return
	}
	if cgroup.Unified(hierarchies) {
		unified(h, hierarchies[0].Mount, p)
		return
	}
	var have []string
	for _, hierarchy := range hierarchies {
		have = append(have, hierarchy.Options...)
	}
	for _, controller := range cgroup.RequiredV1 {
		if !slices.Contains(have, controller) {
			dir := cgroup.Root + "/" + controller
			p.add("the control group controller "+controller+" (version 1) is not mounted",
				fmt.Sprintf("mkdir %s && mount -t cgroup -o %s none %s", dir, controller, dir))
		}
	}
}

// unified checks the version 2 hierarchy: a group gets only the controllers
// that its parent enables for its children.
func unified(h Host, mount string, p *Problems) {
	read := func(file string) []string {
		data, err := fs.ReadFile(h.Files, strings.TrimPrefix(mount, "/")+"/"+file)
		if err != nil {
			return nil
		}
		return strings.Fields(string(data))
	}
	exist, enabled := read("cgroup.controllers"), read("cgroup.subtree_control")
	for _, controller := range cgroup.RequiredV2 {
		switch {
		case !slices.Contains(exist, controller):
			p.add(fmt.Sprintf("the control group controller %s (version 2) is not in %s/cgroup.controllers", controller, mount),
				"enable it in the kernel, or in the container or machine this one runs in")
		case !slices.Contains(enabled, controller):
			p.add(fmt.Sprintf("the control group controller %s (version 2) is not in %s/cgroup.subtree_control", controller, mount),
				fmt.Sprintf("echo +%s > %s/cgroup.subtree_control", controller, mount))
		}
	}
}

func resources(h Host, want Want, p *Problems) {
	meminfo, err := fs.ReadFile(h.Files, "proc/meminfo")
	var kilobytes uint64
	if err == nil {
		_, err = fmt.Sscanf(string(meminfo), "MemTotal: %d kB", &kilobytes)
	}
	switch {
	case err != nil:
		p.add("the memory size cannot be read: "+err.Error(), "mount /proc")
	case kilobytes<<10 < minMemory-memorySlack:
		p.add(fmt.Sprintf("the machine has %.1f GiB of memory; %d GiB are needed", float64(kilobytes)/(1<<20), minMemory>>30), "use a larger machine, or an existing cluster with --kubeconfig")
	}
	free, err := h.FreeDisk(want.StateDir)
	switch {
	case err != nil:
		p.add("the free disk space cannot be read: "+err.Error(), "choose another directory with MLFLOW_PLATFORM_CACHE")
	case free < minDisk:
		p.add(fmt.Sprintf("%.1f GiB are free where %s will be; %d GiB are needed", float64(free)/(1<<30), want.StateDir, minDisk>>30),
			"free some space, or choose another directory with MLFLOW_PLATFORM_CACHE")
	}
}

func ports(h Host, want Want, p *Problems) {
	numbers := make([]int, 0, len(want.Ports))
	for port := range want.Ports {
		numbers = append(numbers, port)
	}
	slices.Sort(numbers)
	for _, port := range numbers {
		if err := h.ListenOn(port); err != nil {
			p.add(fmt.Sprintf("port %d of 127.0.0.1, for %s, cannot be had: %v", port, want.Ports[port], err),
				fmt.Sprintf("find its owner with `ss --listening --tcp --processes sport = :%d`, or choose another one with --api-port or --https-port (localcluster: --publish)", port))
		}
	}
}

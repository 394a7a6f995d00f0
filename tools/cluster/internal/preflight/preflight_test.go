//go:build linux

package preflight

import (
	"errors"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const v1Mounts = `1 0 0:1 / / rw - ext4 /dev/vda rw
30 1 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
31 1 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
32 1 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 1 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 1 0:34 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
35 1 0:35 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
`

const v2Mounts = `1 0 0:1 / / rw - ext4 /dev/vda rw
30 1 0:30 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
`

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

// goodFiles are those of a machine that has everything.
func goodFiles() fstest.MapFS {
	files := fstest.MapFS{
		"proc/self/status":    file("Name:\tx\nCapEff:\t000001fffeffffff\n"),
		"proc/self/mountinfo": file(v1Mounts),
		"proc/filesystems":    file("nodev\tproc\nnodev\toverlay\n\text4\n"),
		"proc/meminfo":        file("MemTotal:       16000000 kB\nMemFree: 1 kB\n"),
		"proc/sys/net/bridge/bridge-nf-call-iptables": file("1\n"),
		"proc/sys/kernel/seccomp/actions_avail":       file("kill_process\n"),
	}
	for _, namespace := range []string{"cgroup", "ipc", "mnt", "net", "pid", "uts"} {
		files["proc/self/ns/"+namespace] = file("")
	}
	return files
}

// goodHost has no problem.
func goodHost() Host {
	return Host{
		Files:         goodFiles(),
		KernelRelease: "6.1.0-18-amd64",
		LookPath:      func(name string) (string, error) { return "/usr/sbin/" + name, nil },
		FreeDisk:      func(string) (uint64, error) { return 100 << 30, nil },
		ListenOn:      func(int) error { return nil },
		Features:      func() (map[string]error, error) { return nil, nil },
	}
}

var want = Want{StateDir: "/cache/cluster/a", Ports: map[int]string{16443: "the API"}}

var errTest = errors.New("broken")

func without(files fstest.MapFS, name string) fstest.MapFS {
	delete(files, name)
	return files
}

func with(name, text string) fstest.MapFS {
	files := goodFiles()
	files[name] = file(text)
	return files
}

func TestAGoodHostHasNoProblem(t *testing.T) {
	assert.Empty(t, Check(goodHost(), want))
}

func TestAGoodUnifiedHostHasNoProblem(t *testing.T) {
	h := goodHost()
	files := with("proc/self/mountinfo", v2Mounts)
	files["sys/fs/cgroup/cgroup.controllers"] = file("cpuset cpu io memory pids\n")
	files["sys/fs/cgroup/cgroup.subtree_control"] = file("cpu memory pids\n")
	h.Files = files
	assert.Empty(t, Check(h, want))
}

func TestEachProblemIsReportedWithItsRemedy(t *testing.T) {
	v2 := func(controllers, enabled string) fstest.MapFS {
		files := with("proc/self/mountinfo", v2Mounts)
		files["sys/fs/cgroup/cgroup.controllers"] = file(controllers)
		files["sys/fs/cgroup/cgroup.subtree_control"] = file(enabled)
		return files
	}
	for name, test := range map[string]struct {
		spoil        func(*Host)
		what, remedy string
	}{
		"user":       {func(h *Host) { h.EffectiveUID = 1000 }, "not root", "sudo"},
		"capability": {func(h *Host) { h.Files = with("proc/self/status", "CapEff:\t000001fffedfffff\n") }, "CAP_SYS_ADMIN", "privileged"},
		"kernel":     {func(h *Host) { h.KernelRelease = "4.18.0-553.el8" }, "4.18.0-553.el8", "newer kernel"},
		"namespaces": {func(h *Host) { h.Files = without(goodFiles(), "proc/self/ns/cgroup") }, "no cgroup namespaces", "CONFIG_NAMESPACES"},
		"overlayfs":  {func(h *Host) { h.Files = with("proc/filesystems", "ext4\n") }, "overlayfs", "modprobe overlay"},
		"bridge netfilter": {
			func(h *Host) { h.Files = without(goodFiles(), "proc/sys/net/bridge/bridge-nf-call-iptables") },
			"br_netfilter", "modprobe br_netfilter",
		},
		"seccomp": {func(h *Host) { h.Files = without(goodFiles(), "proc/sys/kernel/seccomp/actions_avail") }, "seccomp", "CONFIG_SECCOMP_FILTER"},
		"programs": {
			func(h *Host) {
				h.LookPath = func(name string) (string, error) {
					if name == "ipset" || name == "iptables-save" {
						return "", errTest
					}
					return name, nil
				}
			},
			"ipset, iptables-save", "apt-get install --yes ipset iptables",
		},
		"feature": {
			func(h *Host) {
				h.Features = func() (map[string]error, error) {
					return map[string]error{"the iptables match set": errTest}, nil
				}
			},
			"the iptables match set does not work: broken", "modprobe xt_set",
		},
		"no try": {func(h *Host) { h.Features = func() (map[string]error, error) { return nil, errTest } }, "cannot be tried", "privileged"},
		"no control groups": {
			func(h *Host) { h.Files = with("proc/self/mountinfo", "1 0 0:1 / / rw - ext4 /dev/vda rw\n") },
			"not mounted", "mount -t cgroup2",
		},
		"v1 controller": {
			func(h *Host) {
				h.Files = with("proc/self/mountinfo", "30 1 0:30 / /sys/fs/cgroup/x rw - cgroup cgroup rw,cpu,cpuacct,cpuset,pids,devices,freezer\n")
			},
			"controller memory (version 1) is not mounted", "mount -t cgroup -o memory none /sys/fs/cgroup/memory",
		},
		"v2 controller absent":   {func(h *Host) { h.Files = v2("cpu pids", "cpu pids") }, "memory (version 2) is not in /sys/fs/cgroup/cgroup.controllers", "kernel"},
		"v2 controller disabled": {func(h *Host) { h.Files = v2("cpu memory pids", "cpu memory") }, "pids (version 2)", "echo +pids > /sys/fs/cgroup/cgroup.subtree_control"},
		"memory":                 {func(h *Host) { h.Files = with("proc/meminfo", "MemTotal: 2000000 kB\n") }, "1.9 GiB of memory", "larger machine"},
		"disk":                   {func(h *Host) { h.FreeDisk = func(string) (uint64, error) { return 1 << 30, nil } }, "1.0 GiB are free where /cache/cluster/a will be", "MLFLOW_PLATFORM_CACHE"},
		"disk unknown":           {func(h *Host) { h.FreeDisk = func(string) (uint64, error) { return 0, errTest } }, "broken", "MLFLOW_PLATFORM_CACHE"},
		"port":                   {func(h *Host) { h.ListenOn = func(int) error { return errTest } }, "port 16443 of 127.0.0.1, for the API", "--api-port"},
	} {
		t.Run(name, func(t *testing.T) {
			h := goodHost()
			test.spoil(&h)
			problems := Check(h, want)
			require.Len(t, problems, 1, problems)
			assert.Contains(t, problems[0].What, test.what)
			assert.Contains(t, problems[0].Remedy, test.remedy)
		})
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	h := Host{
		Files:         fstest.MapFS{},
		EffectiveUID:  1000,
		KernelRelease: "3.10",
		LookPath:      func(string) (string, error) { return "", errTest },
		FreeDisk:      func(string) (uint64, error) { return 0, nil },
		ListenOn:      func(int) error { return errTest },
		Features:      func() (map[string]error, error) { return nil, errTest },
	}
	problems := Check(h, Want{Ports: map[int]string{1: "a", 2: "b"}})
	// user, kernel, 6 namespaces, overlayfs, br_netfilter, seccomp, programs,
	// mounts, memory, disk and two ports
	assert.Len(t, problems, 17)
	text := problems.Error()
	assert.Contains(t, text, "17 problems keep the local cluster from starting:")
	for _, problem := range problems {
		assert.NotEmpty(t, problem.Remedy)
		assert.Contains(t, text, problem.What)
		assert.Contains(t, text, problem.Remedy)
	}
}

func TestEveryRuleHasAModule(t *testing.T) {
	for feature := range maps.Keys(rules) {
		assert.Contains(t, modules, feature)
	}
}

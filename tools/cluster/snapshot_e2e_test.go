//go:build e2e && linux

package cluster

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/cgroup"
)

// snapshot is everything about the host that a cluster could change, by topic.
type snapshot map[string]string

// machineSysctls are sysctls that Kubernetes components change elsewhere.
var machineSysctls = []string{
	"kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops",
	"net/bridge/bridge-nf-call-iptables", "net/ipv4/conf/all/route_localnet", "net/ipv4/conf/all/rp_filter",
	"net/ipv4/ip_forward", "net/netfilter/nf_conntrack_max", "vm/overcommit_memory", "vm/panic_on_oom",
}

// hostPaths are what Kubernetes components create elsewhere.
var hostPaths = []string{
	"/etc/cni", "/etc/containerd", "/etc/kubernetes", "/opt/cni", "/opt/containerd", "/run/containerd", "/run/localcluster",
	"/run/netns", "/run/xtables.lock", "/usr/libexec/kubernetes", "/var/lib/cni", "/var/lib/containerd", "/var/lib/etcd",
	"/var/lib/kubelet", "/var/lib/volumes", "/var/log/containers", "/var/log/pods",
}

// volatile are the parts of iptables-save output that differ between calls.
var volatile = regexp.MustCompile(`(?m)^#.*\n|\[\d+:\d+\]`)

// takeSnapshot looks at the host. Control groups of other clusters, which may
// come and go during the test, are left out.
func takeSnapshot(tb testing.TB, group string) snapshot {
	tb.Helper()
	s := snapshot{}
	links, err := netlink.LinkList()
	require.NoError(tb, err)
	for _, link := range links {
		addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		require.NoError(tb, err)
		s["interfaces"] += fmt.Sprintln(link.Type(), link.Attrs().Name, link.Attrs().Flags, link.Attrs().MasterIndex)
		for _, address := range addresses {
			s["interfaces"] += "  " + address.IPNet.String() + "\n"
		}
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	require.NoError(tb, err)
	for _, route := range routes {
		s["routes"] += fmt.Sprintln(route.LinkIndex, route.Dst, route.Gw, route.Table)
	}
	for _, command := range [][]string{{"iptables-save"}, {"ip6tables-save"}, {"nft", "list", "ruleset"}, {"ipset", "list", "-name"}} {
		if _, err := exec.LookPath(command[0]); err == nil {
			output, err := exec.Command(command[0], command[1:]...).Output()
			require.NoError(tb, err, command)
			s[strings.Join(command, " ")] = volatile.ReplaceAllString(string(output), "")
		}
	}
	for _, name := range machineSysctls {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if err == nil {
			s["sysctls"] += name + " " + string(value)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(tb, err)
	s["mounts"] = string(mounts)
	for _, path := range hostPaths {
		_, err := os.Stat(path)
		s["paths"] += fmt.Sprintln(path, err == nil)
	}
	hierarchies, err := cgroup.Read()
	require.NoError(tb, err)
	for _, h := range hierarchies {
		require.NoError(tb, filepath.WalkDir(h.Mount, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return nil // groups come and go
			}
			if strings.HasPrefix(entry.Name(), "localcluster-") && entry.Name() != group {
				return fs.SkipDir
			}
			s["control groups"] += path + "\n"
			return nil
		}))
	}
	return s
}

// requireSame fails with what is different, leaving out topics.
func requireSame(tb testing.TB, before, after snapshot, without ...string) {
	tb.Helper()
	for topic, want := range before {
		if !slices.Contains(without, topic) {
			require.Equal(tb, want, after[topic], "%s of the host are changed", topic)
		}
	}
	require.Len(tb, after, len(before))
}

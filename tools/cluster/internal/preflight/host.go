//go:build linux

package preflight

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/thread"
	"github.com/mlflow-platform/mlflow-platform/tools/internal/files"
)

// ThisHost returns the machine this program runs on.
func ThisHost() Host {
	var name unix.Utsname
	_ = unix.Uname(&name) // cannot fail with a valid pointer
	return Host{
		Files:         os.DirFS("/"),
		EffectiveUID:  os.Geteuid(),
		KernelRelease: unix.ByteSliceToString(name.Release[:]),
		LookPath:      exec.LookPath,
		FreeDisk:      files.Free,
		ListenOn:      listenOn,
		Features:      tryFeatures,
	}
}

func listenOn(port int) error {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}

// modules are the features to try and the command that loads what they need.
var modules = map[string]string{
	"a bridge":                       "modprobe bridge",
	"a veth pair":                    "modprobe veth",
	"an ipset":                       "modprobe ip_set_hash_ip",
	"the iptables match addrtype":    "modprobe xt_addrtype",
	"the iptables match comment":     "modprobe xt_comment",
	"the iptables match conntrack":   "modprobe xt_conntrack",
	"the iptables match limit":       "modprobe xt_limit",
	"the iptables match mark":        "modprobe xt_mark",
	"the iptables match multiport":   "modprobe xt_multiport",
	"the iptables match physdev":     "modprobe xt_physdev",
	"the iptables match recent":      "modprobe xt_recent",
	"the iptables match set":         "modprobe xt_set",
	"the iptables match statistic":   "modprobe xt_statistic",
	"the iptables target MARK":       "modprobe xt_mark",
	"the iptables target MASQUERADE": "modprobe xt_MASQUERADE",
	"the iptables target REJECT":     "modprobe ipt_REJECT",
}

// rules are iptables rules that kube-proxy, the policy controller and the
// bridge and portmap plugins use, one per feature.
var rules = map[string][]string{
	"the iptables match addrtype":    {"filter", "FORWARD", "-m", "addrtype", "--src-type", "LOCAL"},
	"the iptables match comment":     {"filter", "FORWARD", "-m", "comment", "--comment", "a"},
	"the iptables match conntrack":   {"filter", "FORWARD", "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"},
	"the iptables match limit":       {"filter", "FORWARD", "-m", "limit", "--limit", "10/minute"},
	"the iptables match mark":        {"filter", "FORWARD", "-m", "mark", "--mark", "0x4000/0x4000"},
	"the iptables match multiport":   {"filter", "FORWARD", "-p", "tcp", "-m", "multiport", "--dports", "1:2"},
	"the iptables match physdev":     {"filter", "FORWARD", "-m", "physdev", "--physdev-is-bridged"},
	"the iptables match recent":      {"filter", "FORWARD", "-m", "recent", "--name", "a", "--rcheck"},
	"the iptables match set":         {"filter", "FORWARD", "-m", "set", "--match-set", probeSet, "src"},
	"the iptables match statistic":   {"nat", "OUTPUT", "-m", "statistic", "--mode", "random", "--probability", "0.5"},
	"the iptables target MARK":       {"filter", "FORWARD", "-j", "MARK", "--or-mark", "0x4000"},
	"the iptables target MASQUERADE": {"nat", "POSTROUTING", "-j", "MASQUERADE", "--random-fully"},
	"the iptables target REJECT":     {"filter", "FORWARD", "-j", "REJECT"},
}

// probeSet is the ipset that the rules refer to.
const probeSet = "preflight"

// tryFeatures tries everything in a new network namespace, which ends with the
// thread that made it.
func tryFeatures() (failed map[string]error, err error) {
	thread.Run(func() { failed, err = tryInNewNamespace() })
	return failed, err
}

func tryInNewNamespace() (map[string]error, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	// iptables otherwise leaves a lock file in /run.
	dir, err := os.MkdirTemp("", "preflight-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	run := func(name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "XTABLES_LOCKFILE="+filepath.Join(dir, "lock"))
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		return nil
	}
	failed := map[string]error{}
	note := func(feature string, err error) {
		if err != nil {
			failed[feature] = err
		}
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "probe0"
	note("a veth pair", netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "probe1"}))
	attrs = netlink.NewLinkAttrs()
	attrs.Name = "probe2"
	note("a bridge", netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}))
	note("an ipset", run("ipset", "create", probeSet, "hash:ip"))
	for feature, rule := range rules {
		note(feature, run("iptables", append([]string{"-t", rule[0], "-A"}, rule[1:]...)...))
	}
	return failed, nil
}

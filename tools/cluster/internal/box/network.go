//go:build linux

package box

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

// network gives the node its address and a default route in the new network
// namespace. Both ends of the pair stay inside: the host gets no interface,
// and what is sent to the default route goes nowhere. (A dummy interface would
// do as well but is missing in many kernels.)
func network() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("starting the loopback interface: %w", err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "eth0"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "uplink"}); err != nil {
		return fmt.Errorf("making the node's interface: %w", err)
	}
	for _, name := range []string{"uplink", "eth0"} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("finding interface %s: %w", name, err)
		}
		if name == "eth0" {
			address, err := netlink.ParseAddr(layout.NodeCIDR)
			if err != nil {
				return fmt.Errorf("addressing the node: %w", err)
			}
			if err := netlink.AddrAdd(link, address); err != nil {
				return fmt.Errorf("addressing the node: %w", err)
			}
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("starting interface %s: %w", name, err)
		}
	}
	if err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(layout.GatewayIP)}); err != nil {
		return fmt.Errorf("adding the default route: %w", err)
	}
	for _, sysctl := range []string{"ipv4/ip_forward", "bridge/bridge-nf-call-iptables"} {
		if err := os.WriteFile("/proc/sys/net/"+sysctl, []byte("1"), 0o644); err != nil {
			return fmt.Errorf("setting net/%s: %w", sysctl, err)
		}
	}
	return nil
}

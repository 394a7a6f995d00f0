// Command coredns is CoreDNS with the plugins that the local cluster's
// configuration uses and no other, which keeps cloud SDKs out of the build.
package main

import (
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
)

func main() {
	// The order is upstream's: it is the order in which a query meets the plugins.
	dnsserver.Directives = []string{"bind", "health", "ready", "log", "errors", "cache", "kubernetes"}
	coremain.Run()
}

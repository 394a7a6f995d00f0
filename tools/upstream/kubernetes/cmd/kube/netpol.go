package main

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// nodePorts is the API server's default range; kube-router wants it with a colon.
const nodePorts = "30000:32767"

// networkPolicies enforces NetworkPolicies on this node with kube-router's
// policy controller (iptables and ipset). It neither routes nor proxies:
// the bridge plugin and kube-proxy do that. Enforcement is asynchronous: a
// policy or a new pod takes effect within about two seconds.
func networkPolicies(flags *flag.FlagSet) func(context.Context, kubernetes.Interface) error {
	node := flags.String("node", "", "name of this node; required")
	services := flags.String("service-cidr", "10.96.0.0/16", "addresses of the cluster's Services")
	return func(ctx context.Context, client kubernetes.Interface) error {
		// The controller asks for the node once, when it is made, and the
		// kubelet registers it at about the same time.
		err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			_, err := client.CoreV1().Nodes().Get(ctx, *node, metav1.GetOptions{})
			return err == nil, nil
		})
		if err != nil {
			return fmt.Errorf("waiting for node %q: %w", *node, err)
		}
		return enforce(ctx, client, *node, *services)
	}
}

func enforce(ctx context.Context, client kubernetes.Interface, node, services string) error {
	config := options.NewKubeRouterConfig()
	config.EnableIPv4, config.EnableIPv6 = true, false
	config.ClusterIPCIDRs = []string{services}
	config.NodePortRange = nodePorts
	config.HostnameOverride = node
	config.RunFirewall, config.RunRouter, config.RunServiceProxy = true, false, false

	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	iptables, ipsets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return fmt.Errorf("preparing iptables and ipset: %w", err)
	}
	c, err := netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &sync.Mutex{}, nil, iptables, ipsets)
	if err != nil {
		return fmt.Errorf("creating the policy controller: %w", err)
	}
	for _, watch := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{{pods, c.PodEventHandler}, {namespaces, c.NamespaceEventHandler}, {policies, c.NetworkPolicyEventHandler}} {
		if _, err := watch.informer.AddEventHandler(watch.handler); err != nil {
			return fmt.Errorf("watching pods, namespaces and policies: %w", err)
		}
	}

	// Nobody asks for this process's health, but the controller blocks on a
	// heartbeat that is not taken.
	heartbeats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range heartbeats {
		}
	}()
	var done sync.WaitGroup
	done.Add(1)
	c.Run(heartbeats, ctx.Done(), &done)
	return nil
}

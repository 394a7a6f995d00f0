// Package cluster provides the Kubernetes cluster that the platform is tried
// out and tested on: an existing one if a kubeconfig is given, else a real one
// of one node that it starts on this machine.
//
// An existing cluster is only looked at. Nothing in it is created, changed or
// deleted by this package.
//
// A cluster of our own is kube-apiserver, etcd, kube-controller-manager,
// kube-scheduler, kubelet, kube-proxy, containerd, runc, the bridge CNI plugin,
// CoreDNS, a default StorageClass, enforced NetworkPolicies and LoadBalancer
// Services, from upstream modules (package toolchain). It needs Linux and root,
// and a few programs that [Preflight] names. It runs in namespaces and control
// groups of its own and changes nothing on the host: no interface, route,
// firewall rule or sysctl, and no file outside its state directory, because it
// sees the host's file systems read-only. The API and the chosen Service ports
// are published on 127.0.0.1 and nowhere else.
//
// A LoadBalancer Service gets the node's address at once, and each of its ports
// belongs to the oldest Service that asks for it. What comes in through a
// published port comes from the node itself, which NetworkPolicies let pass, as
// they let the kubelet's probes.
//
// What runs inside cannot reach the network outside: every image is loaded
// from an archive, see [Cluster.Load].
//
// Everything worth keeping is in <cache>/cluster/<name>/ and survives a restart,
// also after a SIGKILL of every process. After a power failure it may not: etcd
// runs without fsync, for speed. Do not keep anything of value in it.
//
// A program that calls [Cluster.Up] must call [Main] first thing: Up starts the
// program itself again as the cluster's supervisor.
package cluster

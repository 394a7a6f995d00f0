package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"github.com/mlflow-platform/mlflow-platform/tools/upstream/kubernetes/internal/ports"
)

// loadBalancer gives every Service of type LoadBalancer the node's address;
// kube-proxy does the rest. A port can be had once: of two Services that want
// the same one, the older keeps it and the other gets an Event and no address
// until the port is free.
func loadBalancer(flags *flag.FlagSet) func(context.Context, kubernetes.Interface) error {
	address := flags.String("address", "", "the node's address; required")
	return func(ctx context.Context, client kubernetes.Interface) error {
		factory := informers.NewSharedInformerFactory(client, time.Minute)
		services := factory.Core().V1().Services()
		broadcaster := record.NewBroadcaster(record.WithContext(ctx))
		broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
		defer broadcaster.Shutdown()
		b := balancer{
			address:  *address,
			client:   client,
			recorder: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "loadbalancer"}),
			rejected: map[string]string{},
		}

		// Any change may free or take a port, so every change looks at all
		// Services; a full channel means that a look is due anyway.
		changed := make(chan struct{}, 1)
		notify := func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		_, err := services.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { notify() },
			UpdateFunc: func(any, any) { notify() },
			DeleteFunc: func(any) { notify() },
		})
		if err != nil {
			return fmt.Errorf("watching Services: %w", err)
		}
		factory.Start(ctx.Done())
		factory.WaitForCacheSync(ctx.Done())
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
			all, err := services.Lister().List(labels.Everything())
			if err != nil {
				return fmt.Errorf("listing Services: %w", err)
			}
			b.reconcile(ctx, all)
		}
	}
}

// balancer writes the statuses.
type balancer struct {
	address  string
	client   kubernetes.Interface
	recorder record.EventRecorder
	rejected map[string]string // key of a Service → the reason it was told last
}

// reconcile brings every Service's status in line with the assignment. A
// failed write is logged and repeated with the next change or resync.
func (b *balancer) reconcile(ctx context.Context, services []*corev1.Service) {
	refusals := ports.Assign(services)
	for _, service := range services {
		if !ports.Balanced(service) {
			continue
		}
		key := service.Namespace + "/" + service.Name
		want := []corev1.LoadBalancerIngress{{IP: b.address, IPMode: new(corev1.LoadBalancerIPModeVIP)}}
		reason, refused := refusals[key]
		if refused {
			want = nil
			if b.rejected[key] != reason {
				b.recorder.Event(service, corev1.EventTypeWarning, "PortTaken", reason)
			}
			b.rejected[key] = reason
		} else {
			delete(b.rejected, key)
		}
		if equality.Semantic.DeepEqual(want, service.Status.LoadBalancer.Ingress) {
			continue
		}
		updated := service.DeepCopy()
		updated.Status.LoadBalancer.Ingress = want
		if _, err := b.client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, updated, metav1.UpdateOptions{}); err != nil {
			klog.ErrorS(err, "writing the status", "service", key)
		}
	}
}

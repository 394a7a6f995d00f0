package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/box"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/kubeapi"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

const (
	// readyTimeout is how long a started cluster may take to become ready:
	// 20 seconds on an idle machine, minutes on one that compiles.
	readyTimeout = 10 * time.Minute
	// finishTimeout is how long a running cluster may take to become ready before
	// it is started again.
	finishTimeout = 2 * time.Minute
	// readyPoll is how often readiness is asked for.
	readyPoll   = 50 * time.Millisecond
	nodePath    = "/api/v1/nodes/" + layout.NodeName
	dnsPodsPath = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns"
	dnsPath     = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
)

// becomeReady takes a node that was started at a time to a cluster that is ready
// for use. It may be repeated.
func (c *Cluster) becomeReady(ctx context.Context, images systemImages, since time.Time) error {
	begin := time.Now()
	client, err := kubeapi.NewClient(ctx, c.state.Kubeconfig(), "")
	if err != nil {
		return err
	}
	step := func(name string, check func(context.Context) error) error {
		if err := c.await(ctx, name, check); err != nil {
			return err
		}
		c.say("%6.1fs  %s", time.Since(begin).Seconds(), name)
		return nil
	}
	// The container runtime is there before the API server, so the images
	// are loaded meanwhile.
	if err := step("container runtime ready", c.runtimeReady); err != nil {
		return err
	}
	if err := c.importMissing(ctx, images.pause.archive, images.coreDNS.archive); err != nil {
		return err
	}
	if err := step("API server ready", client.Ready); err != nil {
		return err
	}
	if err := step("node ready", func(ctx context.Context) error { return nodeReady(ctx, client, since) }); err != nil {
		return err
	}
	// Pods that wait for a node meet the scheduler's back-off, which is why
	// the addons come after the node.
	if err := applyAddons(ctx, client, images.coreDNS.ref); err != nil {
		return err
	}
	return step("cluster DNS ready", func(ctx context.Context) error { return ready(ctx, client, since) })
}

// await polls a check until it succeeds, the node breaks or the time is over.
func (c *Cluster) await(ctx context.Context, name string, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if broken := c.broken(); broken != nil {
			return broken
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w; the last answer: %w; logs are in %s", name, ctx.Err(), err, c.state.Logs())
		case <-time.After(readyPoll):
		}
	}
}

// broken says why the node cannot become ready, if that is known.
func (c *Cluster) broken() error {
	status, err := box.ReadStatus(c.state)
	if err != nil {
		return err
	}
	if status.Error != "" {
		return fmt.Errorf("%s; logs are in %s", status.Error, c.state.Logs())
	}
	alive, err := locked(c.state.SupervisorLock())
	if err != nil || alive {
		return err
	}
	return fmt.Errorf("the node ended: %s; logs are in %s", lastLine(c.state.Log("supervisor")), c.state.Logs())
}

func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text = bytes.TrimSpace(text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

// ready says whether API server, node and cluster DNS are ready. Reports from
// before the node was started do not count: a cluster that starts again
// remembers the state in which it was stopped.
func ready(ctx context.Context, client *kubeapi.Client, since time.Time) error {
	if err := client.Ready(ctx); err != nil {
		return fmt.Errorf("the API server is not ready: %w", err)
	}
	if err := nodeReady(ctx, client, since); err != nil {
		return err
	}
	if err := dnsReady(ctx, client, since); err != nil {
		return fmt.Errorf("cluster DNS is not ready: %w", err)
	}
	return nil
}

// condition is a condition of a node or Pod.
type condition struct {
	Type, Status, Message string
	LastHeartbeatTime     time.Time
}

func nodeReady(ctx context.Context, client *kubeapi.Client, since time.Time) error {
	var node struct {
		Status struct{ Conditions []condition }
	}
	if err := client.Get(ctx, nodePath, &node); err != nil {
		return fmt.Errorf("the node is not ready: %w", err)
	}
	for _, c := range node.Status.Conditions {
		switch {
		case c.Type != "Ready":
		case c.LastHeartbeatTime.Before(since.Truncate(time.Second)):
			return errors.New("the node is not ready: it has not reported since it was started")
		case c.Status != "True":
			return fmt.Errorf("the node is not ready: %s", c.Message)
		default:
			return nil
		}
	}
	return errors.New("the node is not ready: it has not reported yet")
}

func dnsReady(ctx context.Context, client *kubeapi.Client, since time.Time) error {
	var deployment struct {
		Metadata struct{ Generation int64 }
		Status   struct{ ObservedGeneration, UpdatedReplicas, AvailableReplicas int64 }
	}
	if err := client.Get(ctx, dnsPath, &deployment); err != nil {
		return err
	}
	if s := deployment.Status; s.ObservedGeneration < deployment.Metadata.Generation || s.UpdatedReplicas < 1 || s.AvailableReplicas < 1 {
		return errors.New("its Deployment has no available Pod")
	}
	var pods struct {
		Items []struct {
			Status struct {
				Conditions        []condition
				ContainerStatuses []struct {
					State struct {
						Running struct{ StartedAt time.Time }
					}
				}
			}
		}
	}
	if err := client.Get(ctx, dnsPodsPath, &pods); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		ready := slices.ContainsFunc(pod.Status.Conditions, func(c condition) bool { return c.Type == "Ready" && c.Status == "True" })
		for _, container := range pod.Status.ContainerStatuses {
			if ready && !container.State.Running.StartedAt.Before(since.Truncate(time.Second)) {
				return nil
			}
		}
	}
	return errors.New("no Pod of it is ready since the node was started")
}

//go:build linux

package box

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/kubeapi"
	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

const (
	// stopGrace is how long processes have to end by themselves before the
	// end of process 1 ends them all.
	stopGrace = 5 * time.Second
	// apiServerTimeout is how long the API server may take to become ready;
	// on an idle machine it takes three seconds.
	apiServerTimeout = 5 * time.Minute
)

// runNode is process 1 inside: it returns when the node is told to stop.
func runNode(config Config) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	listeners, err := inherit(config)
	if err != nil {
		return err
	}
	if err := setUp(config); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := newSupervisor(layout.Inside)
	go s.reap()
	for i, forward := range config.Forwards {
		go serve(ctx, listeners[i], forward.Target)
	}
	go func() {
		if err := startAll(ctx, s); err != nil {
			slog.Error("starting the components", "error", err)
			s.fail(err)
		}
	}()
	slog.Info("stopping", "signal", <-signals)
	s.stop(stopGrace)
	return nil
}

// inherit takes over the descriptors of [Start] and keeps them from the
// components.
func inherit(config Config) ([]net.Listener, error) {
	unix.CloseOnExec(lockFD)
	listeners := make([]net.Listener, len(config.Forwards))
	for i := range config.Forwards {
		unix.CloseOnExec(firstListenerFD + i)
		f := os.NewFile(uintptr(firstListenerFD+i), "listener")
		l, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("taking over a published port: %w", err)
		}
		f.Close()
		listeners[i] = l
	}
	return listeners, nil
}

func setUp(config Config) error {
	if err := unix.Sethostname([]byte(layout.NodeName)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := mount(config); err != nil {
		return err
	}
	return network()
}

// startAll starts the components: first what the API server needs, then, when
// it is ready, everything that would otherwise fail and back off.
func startAll(ctx context.Context, s *supervisor) error {
	for _, c := range foundation() {
		if err := s.start(c); err != nil {
			return err
		}
	}
	client, err := kubeapi.NewClient(ctx, layout.Inside.Config("admin.kubeconfig"), "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, apiServerTimeout)
	defer cancel()
	for client.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server did not become ready within %s: see its log", apiServerTimeout)
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, c := range clients() {
		if err := s.start(c); err != nil {
			return err
		}
	}
	s.started()
	return nil
}

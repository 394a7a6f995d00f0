package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

// settings are the ports a cluster was started with, without zeros.
type settings struct {
	APIPort int
	Publish []Publication
}

// readSettings returns the settings of the last start; before the first one
// they are empty.
func readSettings(state layout.State) (settings, error) {
	var s settings
	data, err := os.ReadFile(state.Settings())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the settings of the last start: %w", err)
	}
	return s, nil
}

func (s settings) write(state layout.State) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("recording the settings: %w", err)
	}
	if err := os.WriteFile(state.Settings(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("recording the settings: %w", err)
	}
	return nil
}

// resolve returns what to start with. A port that may be any is the one of the
// last start, so that kubeconfigs stay valid; it may still be 0.
func resolve(o Options, previous settings) settings {
	s := settings{APIPort: o.APIPort, Publish: slices.Clone(o.Publish)}
	if s.APIPort == 0 {
		s.APIPort = previous.APIPort
	}
	for i := range s.Publish {
		if s.Publish[i].HostPort == 0 {
			s.Publish[i].HostPort = previous.hostPort(s.Publish[i].ServicePort)
		}
	}
	return s
}

// hostPort is the host port of a Service port, or 0 if it is not published.
func (s settings) hostPort(servicePort int) int {
	for _, p := range s.Publish {
		if p.ServicePort == servicePort {
			return p.HostPort
		}
	}
	return 0
}

// match says in what the options differ from the settings of a running cluster.
func (s settings) match(o Options) error {
	want := resolve(o, s)
	if want.APIPort != s.APIPort {
		return fmt.Errorf("the API is on port %d, wanted is %d", s.APIPort, want.APIPort)
	}
	if !slices.Equal(want.Publish, s.Publish) {
		return fmt.Errorf("published are %v, wanted are %v", s.Publish, want.Publish)
	}
	return nil
}

// listen opens the ports on 127.0.0.1, the API's first, and fills in those
// that may be any.
func (s *settings) listen() ([]*net.TCPListener, error) {
	var listeners []*net.TCPListener
	ports := []*int{&s.APIPort}
	for i := range s.Publish {
		ports = append(ports, &s.Publish[i].HostPort)
	}
	for _, port := range ports {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: *port})
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, fmt.Errorf("publishing a port: %w", err)
		}
		*port = l.Addr().(*net.TCPAddr).Port
		listeners = append(listeners, l)
	}
	return listeners, nil
}

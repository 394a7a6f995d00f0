package cluster

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Options choose a cluster.
type Options struct {
	// Name tells clusters on one machine apart: lower case letters, digits
	// and hyphens, at most 30 characters.
	Name string
	// Kubeconfig is the kubeconfig file of an existing cluster. If it is
	// empty, the cluster is one of our own.
	Kubeconfig string
	// Context is the context in Kubeconfig; empty means its current one.
	Context string
	// APIPort is the port of 127.0.0.1 that the API server is published on;
	// 0 picks a free one at the first start and keeps it.
	APIPort int
	// Publish are the Service ports to publish on 127.0.0.1.
	Publish []Publication
	// Out gets progress messages.
	Out io.Writer
}

// Defaults returns the options that apply when nothing is said: the cluster
// "default" with its API on port 16443 and HTTPS of the LoadBalancer Service on
// port 8443.
func Defaults() Options {
	return Options{Name: "default", APIPort: 16443, Publish: []Publication{{HostPort: 8443, ServicePort: 443}}, Out: io.Discard}
}

// Publication publishes a port of a LoadBalancer Service on 127.0.0.1.
type Publication struct {
	// HostPort is the port of 127.0.0.1; 0 picks a free one at the first
	// start and keeps it.
	HostPort int
	// ServicePort is the port of the Service.
	ServicePort int
}

// String returns HOSTPORT:SERVICEPORT.
func (p Publication) String() string { return fmt.Sprintf("%d:%d", p.HostPort, p.ServicePort) }

// ParsePublication reads HOSTPORT:SERVICEPORT.
func ParsePublication(text string) (Publication, error) {
	host, service, ok := strings.Cut(text, ":")
	hostPort, err := strconv.Atoi(host)
	servicePort, err2 := strconv.Atoi(service)
	if !ok || err != nil || err2 != nil {
		return Publication{}, fmt.Errorf("%q is not HOSTPORT:SERVICEPORT, such as 8443:443", text)
	}
	p := Publication{hostPort, servicePort}
	return p, p.validate()
}

func (p Publication) validate() error {
	if p.HostPort < 0 || p.HostPort > 65535 {
		return fmt.Errorf("publication %s: the host port must be 0 to 65535", p)
	}
	if p.ServicePort < 1 || p.ServicePort > 65535 {
		return fmt.Errorf("publication %s: the Service port must be 1 to 65535", p)
	}
	return nil
}

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$`)

// validate reports every problem at once.
func (o Options) validate() error {
	var problems []error
	if !validName.MatchString(o.Name) {
		problems = append(problems, fmt.Errorf("cluster name %q: use at most 30 lower case letters, digits and inner hyphens", o.Name))
	}
	if o.APIPort < 0 || o.APIPort > 65535 {
		problems = append(problems, fmt.Errorf("API port %d: it must be 0 to 65535", o.APIPort))
	}
	taken := map[int]string{}
	if o.APIPort != 0 {
		taken[o.APIPort] = "the API"
	}
	for _, p := range o.Publish {
		if err := p.validate(); err != nil {
			problems = append(problems, err)
		}
		if owner, ok := taken[p.HostPort]; ok && p.HostPort != 0 {
			problems = append(problems, fmt.Errorf("publication %s: host port %d is that of %s already", p, p.HostPort, owner))
		}
		taken[p.HostPort] = "publication " + p.String()
	}
	if o.Context != "" && o.Kubeconfig == "" {
		problems = append(problems, errors.New("a context needs the kubeconfig it is in"))
	}
	return errors.Join(problems...)
}

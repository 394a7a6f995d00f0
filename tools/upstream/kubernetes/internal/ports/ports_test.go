package ports

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// service makes a LoadBalancer Service that was created the given number of
// seconds after the others' epoch.
func service(name string, created int64, ports ...int32) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, CreationTimestamp: metav1.NewTime(time.Unix(created, 0))},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer},
	}
	for _, p := range ports {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Port: p, Protocol: corev1.ProtocolTCP})
	}
	return s
}

func TestAssignGivesAPortToTheOldest(t *testing.T) {
	refusals := Assign([]*corev1.Service{service("new", 2, 443), service("old", 1, 443), service("other", 3, 80)})
	assert.Equal(t, map[string]string{
		"ns/new": "port 443/TCP of the node belongs to Service ns/old: choose another port",
	}, refusals)
}

func TestAssignOrdersByNameWhenEquallyOld(t *testing.T) {
	assert.Contains(t, Assign([]*corev1.Service{service("b", 1, 443), service("a", 1, 443)}), "ns/b")
}

func TestAssignTakesNothingForARefusedService(t *testing.T) {
	refusals := Assign([]*corev1.Service{service("a", 1, 443), service("b", 2, 443, 80), service("c", 3, 80)})
	assert.Len(t, refusals, 1)
	assert.Contains(t, refusals, "ns/b")
}

func TestAssignKeepsTheNodesOwnPorts(t *testing.T) {
	refusals := Assign([]*corev1.Service{service("api", 1, 6443)})
	assert.Equal(t, "port 6443/TCP of the node belongs to the API server: choose another port", refusals["ns/api"])
}

func TestAssignSeparatesProtocols(t *testing.T) {
	udp := service("udp", 2, 443)
	udp.Spec.Ports[0].Protocol = corev1.ProtocolUDP
	assert.Empty(t, Assign([]*corev1.Service{service("tcp", 1, 443), udp}))
}

func TestAssignIgnoresOtherServices(t *testing.T) {
	clusterIP := service("internal", 1, 443)
	clusterIP.Spec.Type = corev1.ServiceTypeClusterIP
	classed := service("classed", 1, 443)
	classed.Spec.LoadBalancerClass = new("example.com/other")
	assert.Empty(t, Assign([]*corev1.Service{clusterIP, classed, service("ours", 2, 443)}))
}

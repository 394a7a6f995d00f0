package graph

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// usesAPI are the Deployments that may hold an API token: an operator is one
// because it talks to the API server.
var usesAPI = []string{"cnpg-controller-manager"}

// UnsafePods lists pods that break a rule of the platform: the restricted Pod
// Security Standard and what it leaves out.
func UnsafePods(g *Graph) []string {
	pods, bad := g.Pods()
	count := 0
	for _, p := range pods {
		if p.ByOperator {
			continue
		}
		count++
		operator := slices.Contains(usesAPI, p.Owner.Object().GetName())
		for _, problem := range append(podProblems(p, operator), containerProblems(p)...) {
			bad = append(bad, p.Owner.Key()+": "+problem)
		}
	}
	if count == 0 {
		bad = append(bad, "the graph has no pods")
	}
	return append(bad, openStandards(g)...)
}

func podProblems(p Pod, operator bool) []string {
	var bad []string
	s := p.Spec
	say := func(wrong bool, problem string) {
		if wrong {
			bad = append(bad, problem)
		}
	}
	sec := s.SecurityContext
	say(sec == nil || !isTrue(sec.RunAsNonRoot), "may run as root")
	say(sec == nil || sec.SeccompProfile == nil || sec.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault, "no seccomp profile")
	say(s.HostNetwork || s.HostPID || s.HostIPC, "uses its node's namespaces")
	say(!operator && !isFalse(s.AutomountServiceAccountToken), "has an API token")
	say(!operator && !isFalse(s.EnableServiceLinks), "has service-link variables")
	for _, v := range s.Volumes {
		say(v.HostPath != nil, "mounts a path of its node")
		say(v.EmptyDir != nil && v.EmptyDir.SizeLimit == nil && !operator, "scratch volume "+v.Name+" has no size")
	}
	return bad
}

func containerProblems(p Pod) []string {
	var bad []string
	for _, c := range p.Containers() {
		say := func(wrong bool, problem string) {
			if wrong {
				bad = append(bad, "container "+c.Name+": "+problem)
			}
		}
		sec := c.SecurityContext
		if sec == nil {
			sec = &corev1.SecurityContext{}
		}
		say(isTrue(sec.Privileged) || !isFalse(sec.AllowPrivilegeEscalation), "may gain privileges")
		say(!isTrue(sec.ReadOnlyRootFilesystem), "root filesystem is writable")
		dropped := sec.Capabilities != nil && slices.Contains(sec.Capabilities.Drop, "ALL")
		say(!dropped, "keeps capabilities")
		if sec.Capabilities != nil {
			say(len(slices.DeleteFunc(slices.Clone(sec.Capabilities.Add), func(c corev1.Capability) bool { return c == "NET_BIND_SERVICE" })) > 0, "adds capabilities")
		}
		say(sec.RunAsUser != nil && *sec.RunAsUser == 0, "runs as root")
		say(c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero(), "no requests")
		say(c.Resources.Limits.Memory().IsZero(), "no memory limit")
		say(!c.Resources.Limits.Cpu().IsZero(), "has a CPU limit, which only throttles")
		say(!pinned(c.Image), "image "+c.Image+" is not pinned")
		say(c.ImagePullPolicy == corev1.PullAlways, "pulls its image on every start")
		for _, e := range c.Env {
			say(e.Value != "" && sensitive(e.Name), "variable "+e.Name+" is a secret in plain text")
		}
	}
	if p.LongRunning {
		for _, c := range p.Spec.Containers {
			if c.ReadinessProbe == nil || c.LivenessProbe == nil || c.StartupProbe == nil {
				bad = append(bad, "container "+c.Name+": not every probe")
			}
			bad = append(bad, probePorts(c)...)
		}
	}
	return bad
}

func probePorts(c corev1.Container) []string {
	var bad []string
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil {
			continue
		}
		if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return sameTarget(probe.HTTPGet.Port, p) }) {
			bad = append(bad, fmt.Sprintf("container %s: a probe asks port %s, which is not declared", c.Name, probe.HTTPGet.Port.String()))
		}
	}
	return bad
}

// sensitive says whether a variable's name promises a secret.
func sensitive(name string) bool {
	if strings.HasSuffix(name, "_SECRET_NAME") {
		return false
	}
	for _, word := range []string{"PASSWORD", "SECRET", "TOKEN", "PASSPHRASE", "ACCESS_KEY_ID"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// pinned says whether an image reference names one version.
func pinned(image string) bool {
	if strings.Contains(image, "@sha256:") {
		return true
	}
	_, tag, ok := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	return ok && tag != "" && tag != "latest"
}

// openStandards lists namespaces that do not enforce the restricted standard.
func openStandards(g *Graph) []string {
	var bad []string
	for _, o := range g.Objects() {
		if o.GetKind() == "Namespace" && o.GetLabels()["pod-security.kubernetes.io/enforce"] != "restricted" {
			bad = append(bad, o.Key()+" does not enforce the restricted Pod Security Standard")
		}
		// CloudNativePG makes the database's pods: their limits are here.
		if o.GetKind() == "Cluster" {
			for _, path := range [][]string{{"requests", "cpu"}, {"requests", "memory"}, {"limits", "memory"}} {
				if v, ok, _ := unstructured.NestedString(o.Unstructured.Object, append([]string{"spec", "resources"}, path...)...); !ok || v == "" {
					bad = append(bad, fmt.Sprintf("%s: no resources.%s", o.Key(), strings.Join(path, ".")))
				}
			}
			if image, _, _ := unstructured.NestedString(o.Unstructured.Object, "spec", "imageName"); !pinned(image) {
				bad = append(bad, fmt.Sprintf("%s: image %q is not pinned", o.Key(), image))
			}
		}
	}
	return bad
}

func isTrue(b *bool) bool  { return b != nil && *b }
func isFalse(b *bool) bool { return b != nil && !*b }

package graph

import (
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// IsKubernetes says whether a node is an object of a cluster.
func (n Node) IsKubernetes() bool { return n.Custom && strings.HasPrefix(n.Type, "kubernetes:") }

// Object is the Kubernetes object a node makes, secrets revealed: what the API
// server is sent.
func (n Node) Object() *unstructured.Unstructured {
	object, _ := revealed(resource.NewProperty(n.Inputs)).(map[string]any)
	return &unstructured.Unstructured{Object: object}
}

// Objects are the Kubernetes objects of a graph by node.
func (g *Graph) Objects() []Object {
	var all []Object
	for _, n := range g.Nodes {
		if n.IsKubernetes() {
			all = append(all, Object{Node: n, Unstructured: n.Object()})
		}
	}
	return all
}

// Object is a node with what it makes in the cluster.
type Object struct {
	Node
	*unstructured.Unstructured
}

// decode fills a typed object.
func decode[T any](o Object) (T, error) {
	var typed T
	raw, err := json.Marshal(o.Unstructured.Object)
	if err != nil {
		return typed, err
	}
	return typed, json.Unmarshal(raw, &typed)
}

// each decodes the objects of a kind.
func each[T any](g *Graph, apiVersion, kind string, visit func(Object, T)) []string {
	var problems []string
	for _, o := range g.Objects() {
		if o.GetAPIVersion() != apiVersion || o.GetKind() != kind {
			continue
		}
		typed, err := decode[T](o)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", o.Key(), err))
			continue
		}
		visit(o, typed)
	}
	return problems
}

// Pod is a pod that an object of the graph makes.
type Pod struct {
	// Owner is the node of the object.
	Owner Node
	// Namespace and Labels of the pod.
	Namespace string
	Labels    map[string]string
	// Spec is empty but for the ports where the pod is made by an operator.
	Spec corev1.PodSpec
	// LongRunning is false for Jobs.
	LongRunning bool
	// ByOperator is true for the pods that CloudNativePG makes: their ports are
	// known, the rest of their specification is the operator's.
	ByOperator bool
}

// Containers are all containers, init containers first.
func (p Pod) Containers() []corev1.Container {
	return append(append([]corev1.Container{}, p.Spec.InitContainers...), p.Spec.Containers...)
}

// databasePorts are what an instance of CloudNativePG listens on
// (cloudnative-pg.io/documentation: networking, monitoring).
var databasePorts = []corev1.ContainerPort{
	{Name: "postgresql", ContainerPort: 5432}, {Name: "status", ContainerPort: 8000}, {Name: "metrics", ContainerPort: 9187},
}

// Pods are all pods of a graph. An object that does not decode is a problem.
func (g *Graph) Pods() ([]Pod, []string) {
	var pods []Pod
	add := func(o Object, template corev1.PodTemplateSpec, long bool) {
		pods = append(pods, Pod{Owner: o.Node, Namespace: o.GetNamespace(), Labels: template.Labels, Spec: template.Spec, LongRunning: long})
	}
	var problems []string
	problems = append(problems, each(g, "apps/v1", "Deployment", func(o Object, d appsv1.Deployment) { add(o, d.Spec.Template, true) })...)
	problems = append(problems, each(g, "apps/v1", "StatefulSet", func(o Object, s appsv1.StatefulSet) { add(o, s.Spec.Template, true) })...)
	problems = append(problems, each(g, "apps/v1", "DaemonSet", func(o Object, s appsv1.DaemonSet) { add(o, s.Spec.Template, true) })...)
	problems = append(problems, each(g, "batch/v1", "Job", func(o Object, j batchv1.Job) { add(o, j.Spec.Template, false) })...)
	problems = append(problems, each(g, "batch/v1", "CronJob", func(o Object, c batchv1.CronJob) { add(o, c.Spec.JobTemplate.Spec.Template, false) })...)
	problems = append(problems, each(g, "v1", "Pod", func(o Object, p corev1.Pod) {
		add(o, corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec}, true)
	})...)
	for _, o := range g.Objects() {
		if o.GetKind() == "Cluster" && o.GetAPIVersion() == "postgresql.cnpg.io/v1" {
			pods = append(pods, Pod{
				Owner: o.Node, Namespace: o.GetNamespace(), Labels: map[string]string{"cnpg.io/cluster": o.GetName()}, LongRunning: true, ByOperator: true,
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "postgres", Ports: databasePorts}}},
			})
		}
	}
	return pods, problems
}

// Normalized is the object with whole numbers as int64, as the API server
// decodes them; a property map knows only floating point.
func (o Object) Normalized() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	for k, v := range o.Unstructured.Object {
		u.Object[k] = whole(v)
	}
	return u
}

func whole(v any) any {
	switch v := v.(type) {
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
		return v
	case []any:
		all := make([]any, len(v))
		for i, e := range v {
			all[i] = whole(e)
		}
		return all
	case map[string]any:
		all := map[string]any{}
		for k, e := range v {
			all[k] = whole(e)
		}
		return all
	default:
		return v
	}
}

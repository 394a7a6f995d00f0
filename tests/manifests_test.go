package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/cloudnative-pg/cloudnative-pg/releases"
	"github.com/stretchr/testify/assert"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/client-go/kubernetes/scheme"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// custom are the kinds that no scheme of Kubernetes knows, with the check they
// get instead of strict decoding.
var custom = map[string]string{
	"postgresql.cnpg.io/v1 Cluster":          "TestCustomResources",
	"gateway.networking.k8s.io/v1 HTTPRoute": "TestRoutes",
}

// types are the types of Kubernetes and of resource definitions.
var types = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(s))
	utilruntime.Must(apiextensionsv1.AddToScheme(s))
	return s
})

// undecodable lists objects that the types of Kubernetes do not describe: an
// unknown kind, an unknown or repeated field, a value of another type, or an
// API version that is removed.
func undecodable(g *graph.Graph) []string {
	strict := jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, types(), types(), jsonserializer.SerializerOptions{Strict: true})
	var bad []string
	for _, o := range g.Objects() {
		if _, ok := custom[o.GetAPIVersion()+" "+o.GetKind()]; ok {
			continue
		}
		raw, err := json.Marshal(o.Normalized().Object)
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", o.Key(), err))
			continue
		}
		object, _, err := strict.Decode(raw, nil, nil)
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", o.Key(), err))
			continue
		}
		if removed, ok := object.(interface{ APILifecycleRemoved() (major, minor int) }); ok {
			major, minor := removed.APILifecycleRemoved()
			bad = append(bad, fmt.Sprintf("%s: %s is removed in Kubernetes %d.%d", o.Key(), o.GetAPIVersion(), major, minor))
		}
	}
	return bad
}

func TestManifestsDecodeStrictly(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		assert.Empty(t, undecodable(v.update(t)))
	})
	expectTwins(t, "local", undecodable, map[string]func(*graph.Graph){
		"unknown field":  set("mlflow-server", "spec.template.spec.contianers", []any{}),
		"unknown kind":   set("mlflow-server", "kind", "Deploiment"),
		"text":           set("mlflow-server", "spec.replicas", "two"),
		"fraction":       set("mlflow-server", "spec.replicas", 1.5),
		"a removed API":  set("mlflow-disruption", "apiVersion", "policy/v1beta1"),
		"in a CRD":       set("database-operator-customresourcedefinition-clusters", "spec.versoins", []any{}),
		"unknown in pod": set("backup-schedule", "spec.jobTemplate.spec.template.spec.containers[0].sercurityContext", map[string]any{}),
	})
}

// expectTwins shows that a check finds each broken twin of a variant's graph.
func expectTwins(t *testing.T, name string, check func(*graph.Graph) []string, twins map[string]func(*graph.Graph)) {
	t.Helper()
	g := find(t, name).update(t)
	clean := len(check(g))
	for twin, sabotage := range twins {
		broken := g.Clone()
		sabotage(broken)
		assert.Greater(t, len(check(broken)), clean, "the broken twin %q is not found", twin)
	}
}

// definition is the schema of a custom resource as the API server uses it.
type definition struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// cluster is the definition of PostgreSQL clusters in the release of
// CloudNativePG that the image table names.
var cluster = sync.OnceValues(func() (*definition, error) {
	raw, err := releases.OperatorManifests.ReadFile("cnpg-" + images.Version(images.CloudNativePG) + ".yaml")
	if err != nil {
		return nil, err
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	for {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := decoder.Decode(&crd); errors.Is(err, io.EOF) {
			return nil, errors.New("no definition of clusters.postgresql.cnpg.io")
		} else if err != nil {
			return nil, err
		}
		if crd.Name == "clusters.postgresql.cnpg.io" {
			return define(&crd)
		}
	}
})

func define(crd *apiextensionsv1.CustomResourceDefinition) (*definition, error) {
	var internal apiextensions.CustomResourceDefinition
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, &internal, nil); err != nil {
		return nil, err
	}
	props := internal.Spec.Validation
	if props == nil {
		props = internal.Spec.Versions[0].Schema
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	return &definition{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// problems are what the API server would refuse, and fields it would drop.
func (d *definition) problems(o *unstructured.Unstructured) []string {
	object := o.DeepCopy().Object
	var bad []string
	unknown := pruning.PruneWithOptions(runtime.DeepCopyJSON(object), d.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		bad = append(bad, path+" is not a field")
	}
	defaulting.Default(object, d.structural)
	for _, err := range validation.ValidateCustomResource(nil, object, d.validator) {
		bad = append(bad, err.Error())
	}
	errs, _ := d.rules.Validate(context.Background(), nil, d.structural, object, nil, celconfig.RuntimeCELCostBudget)
	for _, err := range errs {
		bad = append(bad, err.Error())
	}
	return bad
}

// badClusters lists PostgreSQL clusters that their definition refuses.
func badClusters(g *graph.Graph) []string {
	d, err := cluster()
	if err != nil {
		return []string{err.Error()}
	}
	var bad []string
	count := 0
	for _, o := range g.Objects() {
		if o.GetKind() != "Cluster" {
			continue
		}
		count++
		for _, problem := range d.problems(o.Normalized()) {
			bad = append(bad, o.Key()+": "+problem)
		}
	}
	if count != 1 {
		bad = append(bad, fmt.Sprintf("%d clusters", count))
	}
	return bad
}

func TestCustomResources(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		assert.Empty(t, badClusters(v.update(t)))
	})
	const name = "database-postgresql-cluster"
	expectTwins(t, "local", badClusters, map[string]func(*graph.Graph){
		"unknown field": set(name, "spec.storge", map[string]any{}),
		"another type":  set(name, "spec.instances", "three"),
		"least value":   set(name, "spec.instances", 0),
		"enumeration":   set(name, "spec.primaryUpdateStrategy", "yolo"),
		"missing field": set(name, "spec.bootstrap.initdb.secret", map[string]any{}),
		"a rule":        set(name, "spec.imageCatalogRef", map[string]any{"apiGroup": "postgresql.cnpg.io", "kind": "ImageCatalog", "name": "x", "major": 17}),
		"nested rule":   set(name, "spec.bootstrap.initdb.icuLocale", "en"),
		"gone":          remove(name),
	})
}

// route is what the standard channel of the Gateway API has of an HTTPRoute
// (gateway-api.sigs.k8s.io/reference/spec), as far as the platform uses it.
type route struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ParentRefs []struct{ Group, Kind, Namespace, Name, SectionName string }
		Hostnames  []string
		Rules      []struct {
			BackendRefs []struct {
				Group, Kind, Namespace, Name string
				Port, Weight                 int32
			}
			Timeouts struct{ Request, BackendRequest string }
		}
	}
}

// badRoutes lists HTTPRoutes with other fields than those.
func badRoutes(g *graph.Graph) []string {
	var bad []string
	for _, o := range g.Objects() {
		if o.GetKind() != "HTTPRoute" {
			continue
		}
		raw, err := json.Marshal(o.Normalized().Object)
		if err == nil {
			decoder := json.NewDecoder(bytes.NewReader(raw))
			decoder.DisallowUnknownFields()
			err = decoder.Decode(&route{})
		}
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", o.Key(), err))
		}
	}
	return bad
}

func TestRoutes(t *testing.T) {
	assert.Empty(t, badRoutes(find(t, "gateway-api").update(t)))
	expectTwins(t, "gateway-api", badRoutes, map[string]func(*graph.Graph){
		"unknown field": set("exposure-route", "spec.parentRef", map[string]any{}),
		"another type":  set("exposure-route", "spec.rules[0].backendRefs[0].port", "http"),
	})
}

// evaluator is the admission plugin's own.
var evaluator = sync.OnceValues(func() (policy.Evaluator, error) { return policy.NewEvaluator(policy.DefaultChecks(), nil) })

// notAdmitted lists pods that the restricted Pod Security Standard refuses.
func notAdmitted(g *graph.Graph) []string {
	e, err := evaluator()
	if err != nil {
		return []string{err.Error()}
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	pods, bad := g.Pods()
	count := 0
	for _, p := range pods {
		if p.ByOperator {
			continue
		}
		count++
		result := policy.AggregateCheckResults(e.EvaluatePod(restricted, &metav1.ObjectMeta{Labels: p.Labels}, &p.Spec))
		if !result.Allowed {
			bad = append(bad, p.Owner.Key()+": "+result.ForbiddenDetail())
		}
	}
	if count == 0 {
		bad = append(bad, "no pods")
	}
	return bad
}

func TestPodsAreAdmittedByTheRestrictedStandard(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		assert.Empty(t, notAdmitted(v.update(t)))
	})
	spec := "spec.template.spec."
	expectTwins(t, "local", notAdmitted, map[string]func(*graph.Graph){
		"root":           set("mlflow-server", spec+"securityContext.runAsNonRoot", false),
		"seccomp":        set("mlflow-server", spec+"securityContext.seccompProfile", nil),
		"capabilities":   set("mlflow-server", spec+"containers[0].securityContext.capabilities", nil),
		"escalation":     set("mlflow-server", spec+"containers[0].securityContext.allowPrivilegeEscalation", true),
		"host network":   set("mlflow-server", spec+"hostNetwork", true),
		"host path":      set("mlflow-server", spec+"volumes[0]", map[string]any{"name": "tmp", "hostPath": map[string]any{"path": "/"}}),
		"init container": set("mlflow-server", spec+"initContainers[0].securityContext", nil),
		"a job":          set("mlflow-migration", spec+"containers[0].securityContext.privileged", true),
	})
}

// TestEveryCustomKindIsChecked keeps a new custom resource from passing
// unchecked.
func TestEveryCustomKindIsChecked(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		for _, o := range v.update(t).Objects() {
			known := types().Recognizes(o.GroupVersionKind())
			_, listed := custom[o.GetAPIVersion()+" "+o.GetKind()]
			assert.NotEqual(t, known, listed, "%s: %s %s", o.Key(), o.GetAPIVersion(), o.GetKind())
		}
	})
}

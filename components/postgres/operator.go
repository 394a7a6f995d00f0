package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cloudnative-pg/cloudnative-pg/releases"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

const operatorToken = "mlflow:postgres:Operator"

// OperatorArgs are the inputs of the operator.
type OperatorArgs struct {
	// Namespace is where CloudNativePG's manifest puts the operator.
	Namespace string
	// Creator is the provider that makes what every installation of the operator has
	// under a name of its own, and refuses what exists: two operators would work on
	// the same databases, and with the stack the other one would go.
	Creator pulumi.ProviderResource
	// Images resolves the operator's image.
	Images images.Set
	// RegistryCredentials are the logins to pull its image with; empty for none.
	RegistryCredentials string
	// Protect guards the definitions: deleting them deletes every database.
	Protect bool
	// Edges is the table of its NetworkPolicies.
	Edges []netpol.Edge
	// DNSCIDRs are resolvers besides the DNS pods of kube-system.
	DNSCIDRs []string
}

// Operator is CloudNativePG, installed from the release manifest that its Go
// module carries: pinned by go.sum, and no chart is fetched at preview.
type Operator struct {
	pulumi.ResourceState
	// Ready must exist before a database is created.
	Ready []pulumi.Resource
}

// NewOperator installs CloudNativePG.
func NewOperator(ctx *pulumi.Context, name string, args OperatorArgs, opts ...pulumi.ResourceOption) (*Operator, error) {
	image, err := args.Images.Ref(images.CloudNativePG)
	if err != nil {
		return nil, err
	}
	var pullSecrets []string
	if args.RegistryCredentials != "" {
		pullSecrets = []string{pod.RegistrySecret}
	}
	objects, err := manifest(images.Version(images.CloudNativePG), image, pullSecrets)
	if err != nil {
		return nil, err
	}
	o := &Operator{}
	if err := ctx.RegisterComponentResource(operatorToken, name, o, opts...); err != nil {
		return nil, err
	}
	// The order of the manifest is not the order of need. What the whole cluster
	// has once comes first: where it exists, somebody else runs the operator, and
	// nothing more is made. Then what defines, then what may, then what runs.
	var before []pulumi.Resource
	for _, stage := range [][]string{
		{"Namespace"},
		{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ClusterRole"},
		{"CustomResourceDefinition", "ServiceAccount", "ConfigMap", "Service"},
		{"ClusterRoleBinding"},
	} {
		made, err := o.create(ctx, name, args, objects, stage, before)
		if err != nil {
			return nil, err
		}
		before = append(before, made...)
		if stage[0] == "Namespace" {
			policies, err := netpol.New(ctx, name+"-netpol", pulumi.String(args.Namespace), args.Edges, args.DNSCIDRs, component.Options(o, pulumi.DependsOn(before))...)
			if err != nil {
				return nil, err
			}
			before = append(before, policies.All...)
			if args.RegistryCredentials != "" {
				secret, err := pod.NewRegistrySecret(ctx, name+"-registry", pulumi.String(args.Namespace), args.RegistryCredentials, component.Options(o, pulumi.DependsOn(before))...)
				if err != nil {
					return nil, err
				}
				before = append(before, secret)
			}
		}
	}
	if o.Ready, err = o.create(ctx, name, args, objects, []string{"Deployment"}, before); err != nil {
		return nil, err
	}
	return o, ctx.RegisterResourceOutputs(o, pulumi.Map{})
}

func (o *Operator) create(ctx *pulumi.Context, name string, args OperatorArgs, objects []object, kinds []string, after []pulumi.Resource) ([]pulumi.Resource, error) {
	var made []pulumi.Resource
	for _, kind := range kinds {
		for _, obj := range objects {
			if obj.kind() != kind {
				continue
			}
			role := strings.ToLower(kind) + "-" + strings.TrimSuffix(obj.name(), ".postgresql.cnpg.io")
			own := []pulumi.ResourceOption{pulumi.DependsOn(after)}
			switch kind {
			case "Namespace":
				own = append(own, append(protect.Options(args.Protect), pulumi.Provider(args.Creator))...)
			case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ClusterRole":
				own = append(own, pulumi.Provider(args.Creator))
			case "CustomResourceDefinition":
				// Deleting a definition deletes every database of the cluster, also those of
				// other stacks: it stays whatever this stack says, and a later stack finds it.
				own = append(own, pulumi.Protect(args.Protect), pulumi.RetainOnDelete(true))
			}
			r := &pulumi.CustomResourceState{}
			err := ctx.RegisterResource(obj.token(), name+"-"+role, pulumi.ToMap(obj), r, component.Options(o, own...)...)
			if err != nil {
				return nil, fmt.Errorf("creating %s %s: %w", kind, obj.name(), err)
			}
			made = append(made, r)
		}
	}
	return made, nil
}

// object is one document of a manifest.
type object map[string]any

func (o object) kind() string { s, _ := o["kind"].(string); return s }
func (o object) meta() map[string]any {
	m, _ := o["metadata"].(map[string]any)
	return m
}
func (o object) name() string { s, _ := o.meta()["name"].(string); return s }

// token is the resource type of the Kubernetes provider, which calls the group
// without a name core.
func (o object) token() string {
	version, _ := o["apiVersion"].(string)
	if !strings.Contains(version, "/") {
		version = "core/" + version
	}
	return "kubernetes:" + version + ":" + o.kind()
}

// manifest reads the release manifest and puts our image and resources in.
func manifest(version, image string, pullSecrets []string) ([]object, error) {
	raw, err := releases.OperatorManifests.ReadFile("cnpg-" + version + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of CloudNativePG %s: %w", version, err)
	}
	var objects []object
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	for {
		var o object
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("decoding the manifest of CloudNativePG %s: %w", version, err)
		}
		if o == nil {
			continue
		}
		if o.kind() == "Deployment" {
			if err := adjust(o, image, pullSecrets); err != nil {
				return nil, err
			}
		}
		if o.kind() == "Namespace" {
			o.meta()["labels"] = map[string]any{
				"app.kubernetes.io/name":             "cloudnative-pg",
				"pod-security.kubernetes.io/enforce": "restricted",
			}
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// adjust changes what the release manifest gets wrong for us: the image comes
// from the table, is not pulled again on every start (which fails without a
// registry), and the CPU limit of 100m, under which leader election times out
// on a busy node, goes.
func adjust(deployment object, image string, pullSecrets []string) error {
	spec, ok := dig(deployment, "spec", "template", "spec")
	containers, isList := spec["containers"].([]any)
	if !ok || !isList || len(containers) != 1 {
		return errors.New("the manifest of CloudNativePG does not have one container")
	}
	var refs []any
	for _, name := range pullSecrets {
		refs = append(refs, map[string]any{"name": name})
	}
	if len(refs) > 0 {
		spec["imagePullSecrets"] = refs
	}
	c, _ := containers[0].(map[string]any)
	c["image"] = image
	c["imagePullPolicy"] = "IfNotPresent"
	c["resources"] = map[string]any{
		"requests": map[string]any{"cpu": "100m", "memory": "100Mi"},
		"limits":   map[string]any{"memory": "256Mi"},
	}
	env, _ := c["env"].([]any)
	for _, e := range env {
		if v, ok := e.(map[string]any); ok && v["name"] == "OPERATOR_IMAGE_NAME" {
			v["value"] = image
		}
	}
	return nil
}

func dig(m map[string]any, path ...string) (map[string]any, bool) {
	for _, p := range path {
		next, ok := m[p].(map[string]any)
		if !ok {
			return nil, false
		}
		m = next
	}
	return m, true
}

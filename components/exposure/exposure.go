// Package exposure is how the gateway is reached from outside the cluster. None
// of its modes is trusted to authenticate.
package exposure

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	networkingv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/networking/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

const token = "mlflow:exposure:Exposure"

// publicName is the name of the object that exposes the gateway.
const publicName = "gateway-public"

// Args are the inputs of the exposure.
type Args struct {
	pod.Scope
	// Mode is loadBalancer, ingress, gateway or none.
	Mode string
	// Host and Port are what clients use.
	Host string
	Port int
	// SourceCIDRs limits who reaches a load balancer.
	SourceCIDRs []string
	// Annotations of the object this creates.
	Annotations map[string]string
	// Variant is a part of a load balancer's name; empty for none. Another one makes
	// another load balancer.
	Variant string
	// KeepsSource is the cluster's.
	KeepsSource bool
	// IngressClass of an Ingress, ParentGateway (namespace/name/listener) of an HTTPRoute.
	IngressClass, ParentGateway string
	// GoogleGateway is true for a Gateway of GKE's own controller.
	GoogleGateway bool
}

// Exposure is how the gateway is reached.
type Exposure struct {
	pulumi.ResourceState
	// Address is what the cluster assigned: an IP or a host name. Empty when the
	// mode assigns none.
	Address pulumi.StringOutput
}

// New creates the exposure.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Exposure, error) {
	e := &Exposure{Address: pulumi.String("").ToStringOutput()}
	if err := ctx.RegisterComponentResource(token, name, e, opts...); err != nil {
		return nil, err
	}
	own := component.Options(e, pulumi.DependsOn(args.After))
	meta := &metav1.ObjectMetaArgs{
		Name: pulumi.String(publicName), Namespace: args.Namespace,
		Labels: pod.Labels(netpol.Gateway.Labels(), ""), Annotations: pulumi.ToStringMap(args.Annotations),
	}
	var err error
	switch args.Mode {
	case "loadBalancer":
		err = e.loadBalancer(ctx, name, args, meta, own)
	case "ingress":
		err = ingress(ctx, name, args, meta, own)
	case "gateway":
		err = route(ctx, name, args, meta, own)
	}
	if err != nil {
		return nil, fmt.Errorf("exposing the gateway by %s: %w", args.Mode, err)
	}
	return e, ctx.RegisterResourceOutputs(e, pulumi.Map{"address": e.Address})
}

func (e *Exposure) loadBalancer(ctx *pulumi.Context, name string, args Args, meta *metav1.ObjectMetaArgs, own []pulumi.ResourceOption) error {
	// With a list of sources the policy must see the client's address, which only
	// Local keeps; without one Cluster spreads the load better.
	policy := "Cluster"
	if len(args.SourceCIDRs) > 0 || args.KeepsSource {
		policy = "Local"
	}
	logical := name + "-loadbalancer"
	if args.Variant != "" {
		logical, meta.Name = logical+"-"+args.Variant, pulumi.String(publicName+"-"+args.Variant)
	}
	service, err := corev1.NewService(ctx, logical, &corev1.ServiceArgs{
		Metadata: meta,
		Spec: &corev1.ServiceSpecArgs{
			Type:                     pulumi.String("LoadBalancer"),
			Selector:                 pulumi.ToStringMap(netpol.Gateway.Labels()),
			ExternalTrafficPolicy:    pulumi.String(policy),
			LoadBalancerSourceRanges: pulumi.ToStringArray(args.SourceCIDRs),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name: pulumi.String(netpol.GatewayHTTPS.Name), Port: pulumi.Int(443), TargetPort: netpol.GatewayHTTPS.Target(),
			}},
		},
	}, own...)
	if err != nil {
		return err
	}
	e.Address = service.Status.ApplyT(address).(pulumi.StringOutput)
	return nil
}

// address is the first address in a Service's status, or nothing: a cluster
// without a load balancer controller never assigns one.
func address(s *corev1.ServiceStatus) string {
	if s == nil || s.LoadBalancer == nil || len(s.LoadBalancer.Ingress) == 0 {
		return ""
	}
	for _, a := range []*string{s.LoadBalancer.Ingress[0].Hostname, s.LoadBalancer.Ingress[0].Ip} {
		if a != nil {
			return *a
		}
	}
	return ""
}

func ingress(ctx *pulumi.Context, name string, args Args, meta *metav1.ObjectMetaArgs, own []pulumi.ResourceOption) error {
	spec := &networkingv1.IngressSpecArgs{
		Rules: networkingv1.IngressRuleArray{&networkingv1.IngressRuleArgs{
			Host: pulumi.String(args.Host),
			Http: &networkingv1.HTTPIngressRuleValueArgs{Paths: networkingv1.HTTPIngressPathArray{&networkingv1.HTTPIngressPathArgs{
				Path: pulumi.String("/"), PathType: pulumi.String("Prefix"),
				Backend: &networkingv1.IngressBackendArgs{Service: &networkingv1.IngressServiceBackendArgs{
					Name: pulumi.String(netpol.Gateway.Name), Port: &networkingv1.ServiceBackendPortArgs{Name: pulumi.String(netpol.GatewayHTTP.Name)},
				}},
			}}},
		}},
		Tls: networkingv1.IngressTLSArray{&networkingv1.IngressTLSArgs{Hosts: pulumi.ToStringArray([]string{args.Host})}},
	}
	if args.IngressClass != "" {
		spec.IngressClassName = pulumi.String(args.IngressClass)
	}
	_, err := networkingv1.NewIngress(ctx, name+"-ingress", &networkingv1.IngressArgs{Metadata: meta, Spec: spec}, own...)
	return err
}

// route uses only fields of the Gateway API's standard channel that every
// implementation in a cluster has (gateway-api.sigs.k8s.io, v1.4 and later).
func route(ctx *pulumi.Context, name string, args Args, meta *metav1.ObjectMetaArgs, own []pulumi.ResourceOption) error {
	parts := strings.SplitN(args.ParentGateway, "/", 3)
	if len(parts) != 3 {
		return fmt.Errorf("parent gateway %q is not namespace/name/listener", args.ParentGateway)
	}
	rule := pulumi.Map{"backendRefs": pulumi.Array{pulumi.Map{"name": pulumi.String(netpol.Gateway.Name), "port": pulumi.Int(80)}}}
	if args.GoogleGateway {
		if err := googlePolicies(ctx, name, args, own); err != nil {
			return err
		}
	} else {
		// Uploads outlast every default (Envoy's is 15 s).
		rule["timeouts"] = pulumi.StringMap{"request": pulumi.String("0s")}
	}
	_, err := apiextensions.NewCustomResource(ctx, name+"-route", &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("gateway.networking.k8s.io/v1"), Kind: pulumi.String("HTTPRoute"), Metadata: meta,
		OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{
			"parentRefs": pulumi.Array{pulumi.StringMap{
				"namespace": pulumi.String(parts[0]), "name": pulumi.String(parts[1]), "sectionName": pulumi.String(parts[2]),
			}},
			"hostnames": pulumi.ToStringArray([]string{args.Host}),
			"rules":     pulumi.Array{rule},
		}},
	}, own...)
	return err
}

// uploadSeconds is how long a request through Google's load balancer may take, whose
// default of 30 seconds ends an upload.
const uploadSeconds = 3600

// googlePolicies say what a route cannot say to GKE's controller, which refuses its
// timeouts: how long a request takes, and that the gateway is healthy at /health and
// asks for a login elsewhere
// (cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources).
func googlePolicies(ctx *pulumi.Context, name string, args Args, own []pulumi.ResourceOption) error {
	target := pulumi.StringMap{"group": pulumi.String(""), "kind": pulumi.String("Service"), "name": pulumi.String(netpol.Gateway.Name)}
	for _, policy := range []struct {
		role, kind string
		config     pulumi.Map
	}{
		{"health", "HealthCheckPolicy", pulumi.Map{"config": pulumi.Map{
			"type": pulumi.String("HTTP"), "httpHealthCheck": pulumi.StringMap{"requestPath": pulumi.String("/health")},
		}}},
		{"timeout", "GCPBackendPolicy", pulumi.Map{"timeoutSec": pulumi.Int(uploadSeconds)}},
	} {
		if _, err := apiextensions.NewCustomResource(ctx, name+"-"+policy.role, &apiextensions.CustomResourceArgs{
			ApiVersion: pulumi.String("networking.gke.io/v1"), Kind: pulumi.String(policy.kind),
			Metadata:    &metav1.ObjectMetaArgs{Name: pulumi.String(publicName), Namespace: args.Namespace, Labels: pod.Labels(nil, "")},
			OtherFields: kubernetes.UntypedArgs{"spec": pulumi.Map{"default": policy.config, "targetRef": target}},
		}, own...); err != nil {
			return fmt.Errorf("creating the %s: %w", policy.kind, err)
		}
	}
	return nil
}

// Package gateway is the only way in: it asks for the login, limits uploads,
// writes the access log, ends TLS and forwards to MLflow with the one Host
// that MLflow accepts. What stands in front of it (a load balancer, an ingress
// controller) is not trusted to authenticate.
package gateway

import (
	"fmt"
	"slices"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	policyv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/policy/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

const token = "mlflow:gateway:Gateway"

// InternalPort is the Service's HTTPS port inside the cluster.
const InternalPort = 443

// Args are the inputs of the gateway.
type Args struct {
	pod.Scope
	// Replicas is the number of pods.
	Replicas int
	// Login asks for a name and password; false lets everybody in.
	Login bool
	// Users are those who may log in; hashes in PasswordHashes are used as they
	// are, everybody else gets a generated password.
	Users          []string
	PasswordHashes map[string]string
	// Upstream is host:port of the server, and the Host header it wants.
	Upstream string
	// MaxUploadMiB is the largest request body.
	MaxUploadMiB int
	// Authority signs the gateway's certificate for Names.
	Authority platform.Authority
	// Names are the public names the generated certificate is for, besides the
	// in-cluster ones.
	Names []string
	// Certificate and PrivateKey are the public certificate, PEM; empty without.
	Certificate, PrivateKey string
}

// Gateway is the way in.
type Gateway struct {
	pulumi.ResourceState
	// InternalURL is where clients inside the cluster reach it.
	InternalURL string
	// Passwords are the generated ones, by user; secret.
	Passwords pulumi.StringMapOutput
	// PasswordsSecret names the Secret with the generated passwords, by user.
	PasswordsSecret string
	// Ready must exist before a client connects.
	Ready []pulumi.Resource
}

const (
	passwordsSecret = "gateway-passwords"
	usersSecret     = "gateway-users"
	tlsSecret       = "gateway-tls"
	configMap       = "gateway-config"
	// CAKey is the key of the authority's certificate in the TLS Secret.
	CAKey = "ca.crt"
)

// InternalHost is the gateway's name inside the cluster.
func InternalHost(namespace string) string {
	return fmt.Sprintf("%s.%s.svc", netpol.Gateway.Name, namespace)
}

// New creates the gateway.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Gateway, error) {
	image, err := args.Images.Ref(images.Caddy)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		InternalURL:     "https://" + InternalHost(args.NamespaceName),
		PasswordsSecret: passwordsSecret,
	}
	if err := ctx.RegisterComponentResource(token, name, g, opts...); err != nil {
		return nil, err
	}
	b := &builder{ctx: ctx, name: name, args: args, gateway: g}
	users, usersSum, err := b.users()
	if err != nil {
		return nil, err
	}
	certificate, certificateSum, err := b.certificate()
	if err != nil {
		return nil, err
	}
	text := caddyfile(args)
	config, err := corev1.NewConfigMap(ctx, name+"-config", &corev1.ConfigMapArgs{
		Metadata: b.metadata(configMap),
		Data:     pulumi.StringMap{"Caddyfile": pulumi.String(text)},
	}, b.child(pulumi.DependsOn(args.After))...)
	if err != nil {
		return nil, fmt.Errorf("creating the gateway's configuration: %w", err)
	}
	deployment, err := b.deployment(image, pulumi.StringMap{
		// All are read at start: a new value rolls the pods.
		"mlflow-platform/config": pulumi.String(pod.Checksum(text)),
		"mlflow-platform/users":  usersSum,
		"mlflow-platform/tls":    certificateSum,
	}, append(pod.Join(args.After, users), certificate, config))
	if err != nil {
		return nil, err
	}
	service, err := corev1.NewService(ctx, name+"-service", &corev1.ServiceArgs{
		Metadata: b.metadata(netpol.Gateway.Name),
		Spec: &corev1.ServiceSpecArgs{
			Selector: pulumi.ToStringMap(netpol.Gateway.Labels()),
			Ports: corev1.ServicePortArray{
				servicePort(netpol.GatewayHTTPS, InternalPort), servicePort(netpol.GatewayHTTP, 80),
				servicePort(netpol.GatewayMetrics, netpol.GatewayMetrics.Number),
			},
		},
	}, b.child(pulumi.DependsOn([]pulumi.Resource{deployment}))...)
	if err != nil {
		return nil, fmt.Errorf("creating the gateway's Service: %w", err)
	}
	if args.Replicas > 1 {
		_, err := policyv1.NewPodDisruptionBudget(ctx, name+"-disruption", &policyv1.PodDisruptionBudgetArgs{
			Metadata: b.metadata(netpol.Gateway.Name),
			Spec: &policyv1.PodDisruptionBudgetSpecArgs{
				MaxUnavailable:             pulumi.Int(1),
				Selector:                   &metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(netpol.Gateway.Labels())},
				UnhealthyPodEvictionPolicy: pulumi.String("AlwaysAllow"),
			},
		}, b.child(pulumi.DependsOn(args.After))...)
		if err != nil {
			return nil, fmt.Errorf("creating the gateway's PodDisruptionBudget: %w", err)
		}
	}
	g.Ready = []pulumi.Resource{deployment, service}
	return g, ctx.RegisterResourceOutputs(g, pulumi.Map{"internalUrl": pulumi.String(g.InternalURL)})
}

type builder struct {
	ctx     *pulumi.Context
	name    string
	args    Args
	gateway *Gateway
}

func (b *builder) child(own ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return component.Options(b.gateway, own...)
}

func (b *builder) metadata(name string) *metav1.ObjectMetaArgs {
	return &metav1.ObjectMetaArgs{
		Name: pulumi.String(name), Namespace: b.args.Namespace,
		Labels: pod.Labels(netpol.Gateway.Labels(), ""),
	}
}

func servicePort(p netpol.Port, port int) *corev1.ServicePortArgs {
	return &corev1.ServicePortArgs{Name: pulumi.String(p.Name), Port: pulumi.Int(port), TargetPort: p.Target()}
}

func (b *builder) deployment(image string, annotations pulumi.StringMap, after []pulumi.Resource) (*appsv1.Deployment, error) {
	selector := netpol.Gateway.Labels()
	probe := func(period, failures int) *corev1.ProbeArgs {
		return &corev1.ProbeArgs{
			HttpGet:       &corev1.HTTPGetActionArgs{Path: pulumi.String("/healthz"), Port: pulumi.String(netpol.GatewayMetrics.Name)},
			PeriodSeconds: pulumi.Int(period), TimeoutSeconds: pulumi.Int(3), FailureThreshold: pulumi.Int(failures),
		}
	}
	deployment, err := appsv1.NewDeployment(b.ctx, b.name+"-server", &appsv1.DeploymentArgs{
		Metadata: b.metadata(netpol.Gateway.Name),
		Spec: &appsv1.DeploymentSpecArgs{
			Replicas: pulumi.Int(b.args.Replicas),
			Selector: &metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(selector)},
			Strategy: &appsv1.DeploymentStrategyArgs{
				Type:          pulumi.String("RollingUpdate"),
				RollingUpdate: &appsv1.RollingUpdateDeploymentArgs{MaxSurge: pulumi.Int(1), MaxUnavailable: pulumi.Int(0)},
			},
			RevisionHistoryLimit: pulumi.Int(3),
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{Labels: pod.Labels(selector, images.Version(images.Caddy)), Annotations: annotations},
				Spec: &corev1.PodSpecArgs{
					AutomountServiceAccountToken: pulumi.Bool(false), EnableServiceLinks: pulumi.Bool(false),
					SecurityContext: pod.Security(), ImagePullSecrets: pod.PullSecrets(b.args.PullSecrets),
					// Uploads in flight get their time before the process is killed.
					TerminationGracePeriodSeconds: pulumi.Int(75),
					TopologySpreadConstraints: corev1.TopologySpreadConstraintArray{&corev1.TopologySpreadConstraintArgs{
						MaxSkew: pulumi.Int(1), TopologyKey: pulumi.String("kubernetes.io/hostname"), WhenUnsatisfiable: pulumi.String("ScheduleAnyway"),
						LabelSelector: &metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(selector)},
					}},
					Containers: corev1.ContainerArray{&corev1.ContainerArgs{
						Name: pulumi.String("gateway"), Image: pulumi.String(image), ImagePullPolicy: pulumi.String("IfNotPresent"),
						Command: pulumi.ToStringArray([]string{"caddy", "run", "--config", configPath + "/Caddyfile", "--adapter", "caddyfile"}),
						Env:     corev1.EnvVarArray{pod.Env("HOME", "/tmp"), pod.Env("XDG_DATA_HOME", "/tmp"), pod.Env("XDG_CONFIG_HOME", "/tmp")},
						Ports:   netpol.ContainerPorts(netpol.Gateway.Ports...),
						// The upstream image's binary carries the file capability for low ports and
						// does not start where the container may not have it
						// (execve(2): EPERM); restricted allows exactly this one.
						SecurityContext: &corev1.SecurityContextArgs{
							AllowPrivilegeEscalation: pulumi.Bool(false), ReadOnlyRootFilesystem: pulumi.Bool(true),
							Capabilities: &corev1.CapabilitiesArgs{
								Drop: pulumi.ToStringArray([]string{"ALL"}), Add: pulumi.ToStringArray([]string{"NET_BIND_SERVICE"}),
							},
						},
						Resources:      pod.Resources("100m", "64Mi", "256Mi"),
						StartupProbe:   probe(1, 30),
						ReadinessProbe: probe(5, 3),
						LivenessProbe:  probe(15, 4),
						Lifecycle: &corev1.LifecycleArgs{PreStop: &corev1.LifecycleHandlerArgs{
							Sleep: &corev1.SleepActionArgs{Seconds: pulumi.Int(10)},
						}},
						VolumeMounts: corev1.VolumeMountArray{
							pod.Mount("config", configPath, true), pod.Mount("users", usersPath, true),
							pod.Mount("tls", tlsPath, true), pod.Mount("tmp", "/tmp", false),
						},
					}},
					Volumes: corev1.VolumeArray{
						pod.ConfigVolume("config", pulumi.String(configMap)),
						pod.SecretVolume("users", pulumi.String(usersSecret)),
						pod.SecretVolume("tls", pulumi.String(tlsSecret)),
						pod.EmptyDir("tmp", "64Mi"),
					},
				},
			},
		},
	}, b.child(pulumi.DependsOn(after))...)
	if err != nil {
		return nil, fmt.Errorf("creating the gateway's Deployment: %w", err)
	}
	return deployment, nil
}

// names are all names the generated certificate is for.
func (b *builder) names() []string {
	ns, svc := b.args.NamespaceName, netpol.Gateway.Name
	all := append([]string{InternalHost(ns), svc, svc + "." + ns, InternalHost(ns) + ".cluster.local"}, b.args.Names...)
	slices.Sort(all[1:])
	return slices.Compact(all)
}

// Package objectstore is a single-node S3-compatible store (MinIO) inside the
// cluster, for local use: one copy of the data, and an upstream that is no
// longer maintained. Settings refuse it in profile production.
package objectstore

import (
	"fmt"

	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

const token = "mlflow:objectstore:Store"

// Args are the inputs of a store.
type Args struct {
	pod.Scope
	// StorageGiB of the volume.
	StorageGiB int
	// Authority signs the store's certificate.
	Authority platform.Authority
	// Protect guards the volume and the key that encrypts it.
	Protect bool
}

// Store is the object store.
type Store struct {
	pulumi.ResourceState
	// Endpoint is its URL inside the cluster.
	Endpoint string
	// AccessKeyID and SecretAccessKey are its credentials; the latter a secret.
	AccessKeyID     string
	SecretAccessKey pulumi.StringOutput
	// Ready must exist before anything uses it.
	Ready []pulumi.Resource
}

// New creates the store.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Store, error) {
	image, err := args.Images.Ref(images.MinIO)
	if err != nil {
		return nil, err
	}
	physical := netpol.ObjectStore.Name
	host := fmt.Sprintf("%s.%s.svc", physical, args.NamespaceName)
	s := &Store{Endpoint: fmt.Sprintf("https://%s:%d", host, netpol.S3.Number), AccessKeyID: "mlflow"}
	if err := ctx.RegisterComponentResource(token, name, s, opts...); err != nil {
		return nil, err
	}
	guard := protect.Options(args.Protect)
	after := pulumi.DependsOn(args.After)
	password, err := random.NewRandomPassword(ctx, name+"-password", &random.RandomPasswordArgs{
		Length: pulumi.Int(40), Special: pulumi.Bool(false),
	}, component.Options(s, guard...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the object store's password: %w", err)
	}
	s.SecretAccessKey = password.Result
	// The key that encrypts every object: without it the volume is unreadable, so
	// it is guarded like the volume.
	key, err := random.NewRandomBytes(ctx, name+"-encryption-key", &random.RandomBytesArgs{Length: pulumi.Int(32)},
		component.Options(s, guard...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the object store's encryption key: %w", err)
	}
	certificate, private, err := args.Authority.Issue(ctx, name+"-tls", []string{host, physical, physical + "." + args.NamespaceName})
	if err != nil {
		return nil, err
	}
	secret, err := corev1.NewSecret(ctx, name+"-secret", &corev1.SecretArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(physical), Namespace: args.Namespace, Labels: pod.Labels(nil, "")},
		StringData: pulumi.StringMap{
			"password": password.Result, "kmsKey": pulumi.Sprintf("mlflow:%s", key.Base64),
			"public.crt": certificate, "private.key": private,
		},
	}, component.Options(s, after)...)
	if err != nil {
		return nil, fmt.Errorf("creating the object store's Secret: %w", err)
	}
	set, err := s.statefulSet(ctx, name, args, image, secret.Metadata.Name().Elem(),
		pod.ChecksumOutput(password.Result, key.Base64, certificate), append(guard, pulumi.DependsOn(append([]pulumi.Resource{secret}, args.After...))))
	if err != nil {
		return nil, err
	}
	service, err := corev1.NewService(ctx, name+"-service", &corev1.ServiceArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(physical), Namespace: args.Namespace, Labels: pod.Labels(netpol.ObjectStore.Labels(), "")},
		Spec: &corev1.ServiceSpecArgs{
			Selector: pulumi.ToStringMap(netpol.ObjectStore.Labels()),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name: pulumi.String(netpol.S3.Name), Port: pulumi.Int(netpol.S3.Number), TargetPort: netpol.S3.Target(),
			}},
		},
	}, component.Options(s, pulumi.DependsOn([]pulumi.Resource{set}))...)
	if err != nil {
		return nil, fmt.Errorf("creating the object store's Service: %w", err)
	}
	s.Ready = []pulumi.Resource{set, service}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"endpoint": pulumi.String(s.Endpoint)})
}

func (s *Store) statefulSet(ctx *pulumi.Context, name string, args Args, image string, secretName, checksum pulumi.StringOutput, own []pulumi.ResourceOption) (*appsv1.StatefulSet, error) {
	claim := &corev1.PersistentVolumeClaimSpecArgs{
		AccessModes: pulumi.ToStringArray([]string{"ReadWriteOnce"}),
		Resources:   &corev1.VolumeResourceRequirementsArgs{Requests: pulumi.StringMap{"storage": pulumi.String(fmt.Sprintf("%dGi", args.StorageGiB))}},
	}
	probe := func(path string) *corev1.ProbeArgs {
		return &corev1.ProbeArgs{
			HttpGet:       &corev1.HTTPGetActionArgs{Path: pulumi.String(path), Port: pulumi.String(netpol.S3.Name), Scheme: pulumi.String("HTTPS")},
			PeriodSeconds: pulumi.Int(5), TimeoutSeconds: pulumi.Int(5), FailureThreshold: pulumi.Int(6),
		}
	}
	labels := netpol.ObjectStore.Labels()
	set, err := appsv1.NewStatefulSet(ctx, name+"-server", &appsv1.StatefulSetArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(netpol.ObjectStore.Name), Namespace: args.Namespace, Labels: pod.Labels(labels, "")},
		Spec: &appsv1.StatefulSetSpecArgs{
			Replicas: pulumi.Int(1), ServiceName: pulumi.String(netpol.ObjectStore.Name),
			Selector: &metav1.LabelSelectorArgs{MatchLabels: pulumi.ToStringMap(labels)},
			Template: &corev1.PodTemplateSpecArgs{
				Metadata: &metav1.ObjectMetaArgs{
					Labels: pod.Labels(labels, images.Version(images.MinIO)),
					// Credentials and certificate are read at start.
					Annotations: pulumi.StringMap{"mlflow-platform/secret": checksum},
				},
				Spec: &corev1.PodSpecArgs{
					AutomountServiceAccountToken: pulumi.Bool(false), EnableServiceLinks: pulumi.Bool(false),
					SecurityContext: pod.Security(), ImagePullSecrets: pod.PullSecrets(args.PullSecrets),
					Containers: corev1.ContainerArray{&corev1.ContainerArgs{
						Name: pulumi.String("minio"), Image: pulumi.String(image), ImagePullPolicy: pulumi.String("IfNotPresent"),
						Args: pulumi.ToStringArray([]string{
							"server", "/data", "--certs-dir", "/certs", "--address", fmt.Sprintf(":%d", netpol.S3.Number), "--quiet",
						}),
						Env: corev1.EnvVarArray{
							pod.Env("MINIO_ROOT_USER", s.AccessKeyID),
							pod.SecretEnv("MINIO_ROOT_PASSWORD", secretName, "password"),
							pod.SecretEnv("MINIO_KMS_SECRET_KEY", secretName, "kmsKey"),
							// No console, no calls home.
							pod.Env("MINIO_BROWSER", "off"), pod.Env("MINIO_UPDATE", "off"), pod.Env("HOME", "/tmp"),
						},
						Ports:           netpol.ContainerPorts(netpol.ObjectStore.Ports...),
						SecurityContext: pod.ContainerSecurity(),
						Resources:       pod.Resources("100m", "256Mi", "1Gi"),
						StartupProbe:    probe("/minio/health/live"),
						ReadinessProbe:  probe("/minio/health/ready"),
						LivenessProbe:   probe("/minio/health/live"),
						VolumeMounts: corev1.VolumeMountArray{
							pod.Mount("data", "/data", false), pod.Mount("certs", "/certs", true), pod.Mount("tmp", "/tmp", false),
						},
					}},
					Volumes: corev1.VolumeArray{pod.SecretVolume("certs", secretName, "public.crt", "private.key"), pod.EmptyDir("tmp", "1Gi")},
				},
			},
			VolumeClaimTemplates: corev1.PersistentVolumeClaimTypeArray{&corev1.PersistentVolumeClaimTypeArgs{
				Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String("data")}, Spec: claim,
			}},
		},
	}, component.Options(s, own...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the object store: %w", err)
	}
	return set, nil
}

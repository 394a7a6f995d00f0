// Package postgres is PostgreSQL inside the cluster, run by CloudNativePG
// (cloudnative-pg.io). It knows no cloud.
package postgres

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apiextensions"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

const token = "mlflow:postgres:Cluster"

// The names of what is inside the database server.
const (
	// DatabaseName is the database.
	DatabaseName = "mlflow"
	// User owns it.
	User = "mlflow"
)

// Args are the inputs of a database.
type Args struct {
	pod.Scope
	// Instances is 1, or 3 for a primary and two replicas.
	Instances int
	// StorageGiB and StorageClass of each instance's volume.
	StorageGiB   int
	StorageClass string
	// MaxConnections is max_connections.
	MaxConnections int
	// CPURequest, MemoryRequest and MemoryLimit of each instance.
	CPURequest, MemoryRequest, MemoryLimit string
	// SharedBuffers is a quarter of the memory request, in MB.
	SharedBuffersMB int
	// Protect guards the database.
	Protect bool
}

// Cluster is the database.
type Cluster struct {
	pulumi.ResourceState
	// Host of the primary.
	Host string
	// Password of User, a secret.
	Password pulumi.StringOutput
	// CASecret names the Secret with the server's authority under ca.crt.
	CASecret string
	// Ready must exist before anything connects.
	Ready []pulumi.Resource
}

// New creates the database and waits until it is healthy.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Cluster, error) {
	image, err := args.Images.Ref(images.PostgreSQL)
	if err != nil {
		return nil, err
	}
	physical := netpol.Database.Name
	c := &Cluster{
		Host:     fmt.Sprintf("%s-rw.%s.svc", physical, args.NamespaceName),
		CASecret: physical + "-ca",
	}
	if err := ctx.RegisterComponentResource(token, name, c, opts...); err != nil {
		return nil, err
	}
	guard := protect.Options(args.Protect)
	password, err := random.NewRandomPassword(ctx, name+"-password", &random.RandomPasswordArgs{
		Length: pulumi.Int(32),
		// The password travels in a URI and in CloudNativePG's SQL; letters and
		// digits need no quoting anywhere.
		Special: pulumi.Bool(false),
	}, component.Options(c, guard...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the database password: %w", err)
	}
	c.Password = password.Result
	credentials, err := corev1.NewSecret(ctx, name+"-credentials", &corev1.SecretArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(physical + "-credentials"), Namespace: args.Namespace,
			// CloudNativePG watches labelled Secrets only, and then sets a changed
			// password in the database without a restart.
			Labels: pulumi.StringMap{"cnpg.io/reload": pulumi.String("true"), "app.kubernetes.io/part-of": pulumi.String(pod.PartOf)},
		},
		Type:       pulumi.String("kubernetes.io/basic-auth"),
		StringData: pulumi.StringMap{"username": pulumi.String(User), "password": password.Result},
	}, component.Options(c, pulumi.DependsOn(args.After))...)
	if err != nil {
		return nil, fmt.Errorf("creating the database credentials: %w", err)
	}
	// The operator is ready before every node's proxy knows its webhook's address: the
	// API server's call is refused for a second or two, and with it the cluster.
	again, err := component.Retry{On: []string{"failed calling webhook"}, Every: 5 * time.Second, Tries: 12}.Option(ctx, name+"-webhook")
	if err != nil {
		return nil, err
	}
	cluster, err := apiextensions.NewCustomResource(ctx, name+"-cluster", &apiextensions.CustomResourceArgs{
		ApiVersion: pulumi.String("postgresql.cnpg.io/v1"),
		Kind:       pulumi.String("Cluster"),
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(physical), Namespace: args.Namespace,
			Annotations: pulumi.StringMap{
				"pulumi.com/waitFor":        pulumi.String("condition=Ready"),
				"pulumi.com/timeoutSeconds": pulumi.String("900"),
			},
		},
		OtherFields: kubernetes.UntypedArgs{"spec": spec(args, image, credentials.Metadata.Name().Elem())},
	}, component.Options(c, append(guard, again, pulumi.DependsOn(append([]pulumi.Resource{credentials}, args.After...)))...)...)
	if err != nil {
		return nil, fmt.Errorf("creating the PostgreSQL cluster: %w", err)
	}
	c.Ready = []pulumi.Resource{cluster}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"host": pulumi.String(c.Host)})
}

func spec(args Args, image string, credentials pulumi.StringOutput) pulumi.Map {
	storage := pulumi.Map{"size": pulumi.String(fmt.Sprintf("%dGi", args.StorageGiB)), "resizeInUseVolumes": pulumi.Bool(true)}
	if args.StorageClass != "" {
		storage["storageClass"] = pulumi.String(args.StorageClass)
	}
	s := pulumi.Map{
		"instances":       pulumi.Int(args.Instances),
		"imageName":       pulumi.String(image),
		"imagePullPolicy": pulumi.String("IfNotPresent"),
		"storage":         storage,
		"bootstrap": pulumi.Map{"initdb": pulumi.Map{
			"database": pulumi.String(DatabaseName), "owner": pulumi.String(User),
			"secret": pulumi.Map{"name": credentials},
			// C.UTF-8 sorts by code point: no glibc upgrade silently corrupts indexes
			// (wiki.postgresql.org/wiki/Locale_data_changes).
			"localeCollate": pulumi.String("C.UTF-8"), "localeCType": pulumi.String("C.UTF-8"),
			"dataChecksums": pulumi.Bool(true),
		}},
		"enableSuperuserAccess": pulumi.Bool(false),
		"postgresql": pulumi.Map{
			"parameters": pulumi.StringMap{
				"max_connections": pulumi.String(fmt.Sprint(args.MaxConnections)),
				"shared_buffers":  pulumi.String(fmt.Sprintf("%dMB", args.SharedBuffersMB)),
				// Slow statements and lock waits are what on-call looks for first.
				"log_min_duration_statement": pulumi.String("1s"),
				"log_lock_waits":             pulumi.String("on"),
			},
			// TLS or nothing, for every client that is not the operator's own.
			"pg_hba": pulumi.ToStringArray([]string{"hostnossl all all all reject", "hostssl all all all scram-sha-256"}),
		},
		"resources": pulumi.Map{
			"requests": pulumi.StringMap{"cpu": pulumi.String(args.CPURequest), "memory": pulumi.String(args.MemoryRequest)},
			"limits":   pulumi.StringMap{"memory": pulumi.String(args.MemoryLimit)},
		},
		"affinity": pulumi.Map{
			"enablePodAntiAffinity": pulumi.Bool(true), "topologyKey": pulumi.String("kubernetes.io/hostname"),
			"podAntiAffinityType": pulumi.String("preferred"),
		},
		"primaryUpdateStrategy": pulumi.String("unsupervised"),
		// The operator's default of 30 minutes leaves a node drain waiting that long.
		"stopDelay": pulumi.Int(120), "smartShutdownTimeout": pulumi.Int(30),
		// With one instance a budget would block every node drain for ever.
		"enablePDB": pulumi.Bool(args.Instances > 1),
		"inheritedMetadata": pulumi.Map{"labels": pulumi.StringMap{
			"app.kubernetes.io/part-of": pulumi.String(pod.PartOf),
		}},
	}
	if len(args.PullSecrets) > 0 {
		var refs pulumi.Array
		for _, n := range args.PullSecrets {
			refs = append(refs, pulumi.Map{"name": pulumi.String(n)})
		}
		s["imagePullSecrets"] = refs
	}
	return s
}

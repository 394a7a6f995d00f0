// Package platform says what MLflow needs from the place it runs on, in terms
// that no cloud owns. The workload knows only these results.
package platform

import (
	"cmp"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// Platform creates what MLflow needs. Something a platform cannot do is an
// error of settings validation, never a silent no-op here.
type Platform interface {
	// Network is where everything lives.
	Network(ctx *pulumi.Context, name string, args NetworkArgs, opts ...pulumi.ResourceOption) (*Network, error)
	// Cluster runs the workload.
	Cluster(ctx *pulumi.Context, name string, args ClusterArgs, opts ...pulumi.ResourceOption) (*Cluster, error)
	// Database is PostgreSQL.
	Database(ctx *pulumi.Context, name string, args DatabaseArgs, opts ...pulumi.ResourceOption) (*Database, error)
	// Bucket holds artifacts and backups.
	Bucket(ctx *pulumi.Context, name string, args BucketArgs, opts ...pulumi.ResourceOption) (*Bucket, error)
	// Identity lets pods use the bucket; keyless wherever the platform can.
	Identity(ctx *pulumi.Context, name string, args IdentityArgs, opts ...pulumi.ResourceOption) (*Identity, error)
	// Budget alerts on spending.
	Budget(ctx *pulumi.Context, name string, args BudgetArgs, opts ...pulumi.ResourceOption) (*Budget, error)
}

// SecretStore is a Platform that keeps secrets outside of the cluster, too.
type SecretStore interface {
	// Copy keeps generated logins in the cloud's own store, by name, each an object:
	// for people, other clusters and the External Secrets Operator, with the cloud's
	// permissions.
	Copy(ctx *pulumi.Context, name string, logins map[string]pulumi.Input, opts ...pulumi.ResourceOption) error
}

// NetworkArgs has no inputs beyond the settings a platform was made with.
type NetworkArgs struct{}

// Network is the result of Platform.Network.
type Network struct {
	pulumi.ResourceState
	// APIServerCIDRs are the addresses of the Kubernetes API server as pods see
	// it; empty when the platform cannot know them.
	APIServerCIDRs []string
	// APIServerPorts are its TCP ports there.
	APIServerPorts []int
	// DNSCIDRs are resolvers that pods use besides the DNS pods of kube-system.
	DNSCIDRs []string
	// GatewayCIDRs are where the cloud's own load balancers of Gateways reach pods from;
	// empty without such.
	GatewayCIDRs []string
	// Store and Database are where the bucket, with what hands out credentials for
	// it, and a managed database answer; empty for those in the cluster.
	Store, Database []netpol.Endpoint
}

// ClusterArgs is what a cluster is built on.
type ClusterArgs struct {
	Network *Network
}

// Cluster is the result of Platform.Cluster.
type Cluster struct {
	pulumi.ResourceState
	// Provider is the Kubernetes provider that every workload resource uses.
	Provider *kubernetes.Provider
	// Creator is a provider for what must not exist yet. Provider applies on the
	// server, which takes over an object that is there, and with the stack that
	// object would go: a namespace with everything that others have in it.
	Creator *kubernetes.Provider
	// KeepsSource is true where a load balancer must hand requests to nodes with a
	// pod of the gateway: where policies do not let pods hear from another node.
	KeepsSource bool
	// LoadBalancerAnnotations ask the cloud for the load balancer that suits long
	// uploads.
	LoadBalancerAnnotations map[string]string
	// LoadBalancerVariant names what cannot change of a load balancer: with another one
	// there is another load balancer, and the old one goes when the new one is there.
	LoadBalancerVariant string
}

// DatabaseArgs is what a database is built on.
type DatabaseArgs struct {
	Network *Network
	Cluster *Cluster
	Scope   pod.Scope
	// StorageClass of a database in the cluster that the platform makes; without one
	// the settings decide.
	StorageClass string
}

// Database is the result of Platform.Database.
type Database struct {
	pulumi.ResourceState
	// Host and Port are where the primary answers.
	Host pulumi.StringOutput
	Port int
	// Name and User of the database.
	Name, User string
	// Password is the generated password of User, a secret.
	Password pulumi.StringOutput
	// CASecret and CAKey name the Kubernetes Secret key with the certificate
	// that signs the server's; connections verify it and the host name.
	CASecret, CAKey string
	// SSLMode is libpq's; empty is verify-full. An authority that signs for this server
	// alone leaves nothing for a name to tell (VerifyCA).
	SSLMode string
	// Ready must exist before anything connects.
	Ready []pulumi.Resource
}

// VerifyCA is the SSLMode that verifies the authority and not the host name.
const VerifyCA = "verify-ca"

// TLS is libpq's sslmode for connections to the database
// (postgresql.org/docs/current/libpq-ssl.html).
func (d *Database) TLS() string { return cmp.Or(d.SSLMode, "verify-full") }

// Login is one of the database's, with the names that AWS' secret rotation and
// most tools read (docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html).
func (d *Database) Login(user string, password pulumi.StringInput) pulumi.Map {
	return pulumi.Map{
		"engine": pulumi.String("postgres"), "host": d.Host, "port": pulumi.Int(d.Port), "dbname": pulumi.String(d.Name),
		"username": pulumi.String(user), "password": password,
	}
}

// BucketArgs is what a bucket is built on.
type BucketArgs struct {
	Cluster *Cluster
	Scope   pod.Scope
	// Authority signs the certificate of an in-cluster store.
	Authority Authority
}

// Authority issues certificates.
type Authority interface {
	// Issue makes a certificate for server names and returns its PEM
	// certificate and private key, the key a secret.
	Issue(ctx *pulumi.Context, name string, names []string, opts ...pulumi.ResourceOption) (certificate, key pulumi.StringOutput, err error)
	// Certificate is the authority's own certificate, PEM.
	Certificate() pulumi.StringOutput
}

// The parts of a bucket.
const (
	// ArtifactPrefix is where MLflow keeps artifacts.
	ArtifactPrefix = "artifacts"
	// BackupPrefix is where database dumps are kept.
	BackupPrefix = "backups"
)

// Bucket is the result of Platform.Bucket.
type Bucket struct {
	pulumi.ResourceState
	// ArtifactRoot is the URI below which MLflow keeps artifacts.
	ArtifactRoot pulumi.StringOutput
	// BackupRoot is the URI below which database dumps are kept.
	BackupRoot pulumi.StringOutput
	// Scheme is what ArtifactRoot begins with: s3, gs for Google's Cloud Storage, or
	// wasbs for Azure's Blob Storage.
	Scheme string
	// Name of the bucket.
	Name string
	// Endpoint is the S3 URL; empty for the cloud's own.
	Endpoint string
	// Region the client signs for.
	Region string
	// Checksum changes with the credentials of the store.
	Checksum pulumi.StringOutput
	// Ready must exist before anything uses the bucket.
	Ready []pulumi.Resource
}

// IdentityArgs is what an identity is built on.
type IdentityArgs struct {
	Cluster *Cluster
	Bucket  *Bucket
	// ServiceAccount is the name of the account whose pods get the identity.
	ServiceAccount string
	// Prefix of Bucket below which the identity reads, writes and deletes. Platforms
	// with roles allow nothing else; with static credentials it is up to the store.
	Prefix string
	// Admin is true for the platform's own jobs. A platform with static
	// credentials gives them others than the server's.
	Admin bool
}

// Identity is the result of Platform.Identity: what a pod needs to use its part
// of the bucket.
type Identity struct {
	pulumi.ResourceState
	// ServiceAccountAnnotations and PodLabels bind a pod to a cloud identity.
	ServiceAccountAnnotations pulumi.StringMapInput
	PodLabels                 map[string]string
	// Env are the variables of the cloud's SDK; secrets by reference only.
	Env corev1.EnvVarArray
	// Volumes and Mounts hold the store's certificate authority, if it has one
	// of its own.
	Volumes corev1.VolumeArray
	Mounts  corev1.VolumeMountArray
	// Checksum changes when a pod must start anew to see new credentials.
	Checksum pulumi.StringOutput
	// Ready must exist before a pod starts.
	Ready []pulumi.Resource
}

// BudgetArgs has no inputs beyond the settings a platform was made with.
type BudgetArgs struct{}

// Budget is the result of Platform.Budget.
type Budget struct{ pulumi.ResourceState }

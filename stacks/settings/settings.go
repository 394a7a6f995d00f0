// Package settings turns a stack's configuration into one validated value.
// It is pure: it reads no environment, registers nothing and knows no cloud
// SDK, so every rule is a table test.
package settings

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/mlflow-platform/mlflow-platform/components/mlflow/connections"
)

// Project is the Pulumi project name and so the namespace of every
// configuration key (mlflow-platform:cluster and so on).
const Project = "mlflow-platform"

// Platform is where the stack runs.
type Platform string

// The platforms a stack can name.
const (
	AWS        Platform = "aws"
	Azure      Platform = "azure"
	GCP        Platform = "gcp"
	Kubernetes Platform = "kubernetes"
)

// Profile selects a set of defaults and how strict validation is.
type Profile string

// The profiles. Dev is small and may be torn down; Production is highly
// available, protected and refuses shortcuts.
const (
	Dev        Profile = "dev"
	Production Profile = "production"
)

// Settings is everything a stack can configure. Every top-level field is one
// configuration key; nested fields are keys of that key's object.
type Settings struct {
	// Stack is the stack's name; it is not configured.
	Stack string `json:"-"`

	// Platform is where everything runs.
	Platform Platform `json:"platform"`
	// Profile selects the defaults: dev or production.
	Profile Profile `json:"profile"`
	// Namespace is the Kubernetes namespace of the workload.
	Namespace string `json:"namespace"`
	// Region is the cloud region. Unused on platform kubernetes.
	Region string `json:"region"`
	// Account is the AWS account (12 digits), the Azure subscription (its id) or the
	// Google Cloud project (its id) that the stack belongs to; with credentials of another
	// one nothing is changed.
	Account string `json:"account"`
	// Tags are put on every cloud resource that can carry them, and as labels
	// on the namespace. On GCP they are labels: small letters, digits, _ and -.
	Tags map[string]string `json:"tags"`

	Network    Network    `json:"network"`
	Cluster    Cluster    `json:"cluster"`
	Database   Database   `json:"database"`
	Artifacts  Artifacts  `json:"artifacts"`
	MLflow     MLflow     `json:"mlflow"`
	Auth       Auth       `json:"auth"`
	Exposure   Exposure   `json:"exposure"`
	Images     Images     `json:"images"`
	Monitoring Monitoring `json:"monitoring"`
	Budget     Budget     `json:"budget"`
	// Protect guards the database, the bucket and their keys against deletion
	// and replacement; `pulumi destroy` then leaves them in place.
	Protect bool `json:"protect"`

	// AuthPasswordHashes is a JSON object from user name to bcrypt hash (secret;
	// `htpasswd -nbBC 10 user password` prints one). Users of auth.users that are
	// not in it get a generated password, readable from the output passwords.
	AuthPasswordHashes Secret `json:"authPasswordHashes"`
	// S3AccessKeyID and S3SecretAccessKey are the tracking server's credentials of
	// an existing S3 endpoint (secrets); required with artifacts.store s3. The
	// server needs to list, read, write and delete below artifacts/ only.
	S3AccessKeyID     Secret `json:"s3AccessKeyId"`
	S3SecretAccessKey Secret `json:"s3SecretAccessKey"`
	// S3AdminAccessKeyID and S3AdminSecretAccessKey are the credentials of the jobs
	// that configure the bucket and keep database dumps in it (secrets). Without
	// them these jobs use the server's, and everybody who may log in can read the
	// dumps: the server reads for its users what it may read itself.
	S3AdminAccessKeyID     Secret `json:"s3AdminAccessKeyId"`
	S3AdminSecretAccessKey Secret `json:"s3AdminSecretAccessKey"`
	// RegistryCredentials is the config.json of a Docker client, with logins for the
	// registries that images come from (secret). Every pod pulls with it.
	RegistryCredentials Secret `json:"registryCredentials"`
	// TLSPrivateKey is the PEM key of exposure.tls.certificate (secret).
	TLSPrivateKey Secret `json:"tlsPrivateKey"`
}

// Secret is a configuration value that must be stored encrypted. It prints as
// [secret] so that no log or error shows it by accident.
type Secret string

// String hides the value.
func (Secret) String() string { return "[secret]" }

// GoString hides the value from %#v.
func (Secret) GoString() string { return "[secret]" }

// MarshalText hides the value from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Network is the network that the stack makes, or one that is there, on clouds.
type Network struct {
	// VPCID is an existing VPC (vpc-0123456789abcdef0). The stack changes nothing in
	// it but what it adds; routes, endpoints and flow logs stay its owner's. Empty
	// makes a VPC. It cannot change later.
	VPCID string `json:"vpcId"`
	// PrivateSubnetIDs are the subnets of nodes and pods in an existing VPC, in three
	// zones. Every pod has an address there.
	PrivateSubnetIDs []string `json:"privateSubnetIds"`
	// DatabaseSubnetIDs are the subnets of a managed database in an existing VPC, in
	// two zones or more; empty takes privateSubnetIds.
	DatabaseSubnetIDs []string `json:"databaseSubnetIds"`
	// LoadBalancerSubnetIDs are the subnets of the load balancer in an existing VPC,
	// one in every zone of the nodes: public ones, unless exposure.annotations ask for
	// an internal one.
	LoadBalancerSubnetIDs []string `json:"loadBalancerSubnetIds"`
	// VNetID is an existing virtual network on Azure, in the same subscription:
	// /subscriptions/.../providers/Microsoft.Network/virtualNetworks/NAME. The stack
	// changes nothing in it but what it adds. Empty makes one. It cannot change later.
	VNetID string `json:"vnetId"`
	// Subnets are those of an existing virtual network on Azure.
	Subnets Subnets `json:"subnets"`
	// BlobDNSZoneID is the private DNS zone privatelink.blob.core.windows.net that an
	// existing virtual network on Azure is linked with: it can have no second one. Empty
	// makes one.
	BlobDNSZoneID string `json:"blobDnsZoneId"`
	// NetworkID is an existing VPC network on GCP, in the same project:
	// projects/PROJECT/global/networks/NAME. The stack changes nothing in it but what it
	// adds. Empty makes one. It cannot change later.
	NetworkID string `json:"networkId"`
	// Ranges are those of an existing network on GCP.
	Ranges Ranges `json:"ranges"`
	// CIDR is its address range, of 16 to 20 bits. It cannot change later.
	CIDR string `json:"cidr"`
	// NATGateways is 1, or 3 for a way out of every zone by itself.
	NATGateways int `json:"natGateways"`
	// ReadableBuckets are buckets of other accounts in the region that pods may read:
	// the endpoint of S3 lets nothing else through than the account's own and the
	// nodes' images and packages.
	ReadableBuckets []string `json:"readableBuckets"`
	// FlowLogs records refused connections, on GCP a tenth of all.
	FlowLogs bool `json:"flowLogs"`
}

// Subnets are names of subnets in network.vnetId.
type Subnets struct {
	// Nodes has a NAT gateway, or a route table with a way out, and room for all nodes;
	// pods have addresses of their own.
	Nodes string `json:"nodes"`
	// APIServer is delegated to Microsoft.ContainerService/managedClusters, a /28 or
	// larger, with nothing else in it.
	APIServer string `json:"apiServer"`
	// Database is delegated to Microsoft.DBforPostgreSQL/flexibleServers, a /28 or larger.
	Database string `json:"database"`
	// Endpoints has the private endpoint of the bucket.
	Endpoints string `json:"endpoints"`
}

// Ranges are parts of network.networkId.
type Ranges struct {
	// Subnet is the name of the nodes' subnet, with Private Google Access.
	Subnet string `json:"subnet"`
	// Pods and Services are the names of its secondary ranges.
	Pods     string `json:"pods"`
	Services string `json:"services"`
	// Database is the name of the range that is set aside for private services access.
	Database string `json:"database"`
	// ControlPlane is a /28 that nothing in the network has, for the API server.
	ControlPlane string `json:"controlPlane"`
}

// Cluster is the Kubernetes cluster.
type Cluster struct {
	// Mode is existing (use the kubeconfig) or managed (created by the stack,
	// clouds only).
	Mode string `json:"mode"`
	// Kubeconfig is the path of the kubeconfig file. Empty: $KUBECONFIG, then
	// ~/.kube/config, as kubectl does.
	Kubeconfig string `json:"kubeconfig"`
	// Context is the kubeconfig context. Required with mode existing, so that
	// a kubeconfig that happens to point elsewhere is never used by accident.
	Context string `json:"context"`
	// APIServerCIDRs are the addresses of the Kubernetes API server, as pods
	// see it (the Service address and the endpoints). Database pods may open
	// connections to these only; empty allows any address, on apiServerPorts.
	APIServerCIDRs []string `json:"apiServerCIDRs"`
	// APIServerPorts are the TCP ports of the API server there: the Service's and
	// the endpoints' (a policy sees the one or the other, by network plugin).
	APIServerPorts []int `json:"apiServerPorts"`
	// DNSCIDRs are resolvers that pods use besides the DNS pods of kube-system, on
	// port 53: 169.254.20.10/32 for NodeLocal DNSCache
	// (kubernetes.io/docs/tasks/administer-cluster/nodelocaldns).
	DNSCIDRs []string `json:"dnsCIDRs"`
	// Version is the Kubernetes version of a managed cluster, on GCP the lowest: its
	// release channel raises it.
	Version string `json:"version"`
	// APIAccessCIDRs may reach the API server of a managed cluster from outside
	// its network: public addresses, among them those of whatever runs pulumi.
	APIAccessCIDRs []string `json:"apiAccessCIDRs"`
	// PrivateAccessCIDRs may reach the API server of a managed cluster at its private
	// address: parts of its network, and networks that are connected with it, as those
	// of a VPN or of a runner. Without apiAccessCIDRs it has no public one.
	PrivateAccessCIDRs []string `json:"privateAccessCIDRs"`
	// ServiceCIDR is the range of the Services' addresses in a managed cluster, of 12
	// to 24 bits (16 on GCP): one that no network has which pods or clients are in. It cannot
	// change later.
	ServiceCIDR string `json:"serviceCIDR"`
	// Admins administer a managed cluster: ARNs of IAM roles and users, on Azure
	// group:, user: or servicePrincipal: and the object id in Entra, on GCP group:, user:
	// or serviceAccount: and the mail address, or a principal:// or principalSet:// of
	// another identity provider. Whoever runs pulumi up must be one of them, on GCP
	// Kubernetes Engine Admin.
	Admins []string `json:"admins"`
	// Viewers look at everything in a managed cluster but Secrets; like admins.
	Viewers []string `json:"viewers"`
	// Addons pins versions of EKS add-ons by name; others get the version that AWS
	// has as its default for the cluster's.
	Addons map[string]string `json:"addons"`
	// Nodes is the node pool of a managed cluster.
	Nodes Nodes `json:"nodes"`
	// SystemNodes keeps the cluster's own pods apart on Azure.
	SystemNodes SystemNodes `json:"systemNodes"`
	// Defender watches a cluster on Azure with Microsoft Defender for Containers, which
	// is billed by the vCPU of the nodes.
	Defender bool `json:"defender"`
	// ImageStreaming lets pods on GCP start before their image is there as a whole, if it
	// is in Artifact Registry.
	ImageStreaming bool `json:"imageStreaming"`
	// AzurePolicy installs the Azure Policy add-on, which lets the subscription's
	// policies look into a cluster on Azure.
	AzurePolicy bool `json:"azurePolicy"`
}

// SystemNodes is AKS' system node pool.
type SystemNodes struct {
	// Count is the number of nodes that run nothing but the cluster's own pods, at least
	// 2; 0 lets these run on cluster.nodes, whose type then cannot change without a new
	// cluster. Count itself does not change between 0 and others, either.
	Count int `json:"count"`
	// Type is their machine type, of at least 4 vCPU.
	Type string `json:"type"`
}

// Nodes is the node pool of a managed cluster. It needs mode managed.
type Nodes struct {
	// Type is the machine type; the default is the platform's 4 vCPU, 16 GiB.
	Type string `json:"type"`
	// Release pins the nodes' image, such as 1.36.1-20261101. Empty takes the one
	// that the cloud recommends, with any update: the nodes are replaced one by one.
	Release string `json:"release"`
	// DiskGiB is the disk of each node, in GiB. It holds images, logs, /tmp of the
	// servers (mlflow.tmpGiB) and a dump of the database while it is uploaded or
	// restored; kubelet evicts pods when it is full.
	DiskGiB int `json:"diskGiB"`
	// Min, Desired and Max bound the number of nodes. Desired is what a cluster begins
	// with on Azure and GCP, there 1, 2 or a multiple of 3.
	Min     int `json:"min"`
	Desired int `json:"desired"`
	Max     int `json:"max"`
}

// Database is PostgreSQL.
type Database struct {
	// Mode is inCluster (CloudNativePG) or managed (clouds only, and their default).
	Mode string `json:"mode"`
	// Instances is 1, or 3 for a primary and two replicas.
	Instances int `json:"instances"`
	// StorageGiB is the volume of each instance, in GiB.
	StorageGiB int `json:"storageGiB"`
	// MaxStorageGiB is how far the storage of a managed database grows by itself.
	MaxStorageGiB int `json:"maxStorageGiB"`
	// InstanceType is the size of a managed database.
	InstanceType string `json:"instanceType"`
	// HighAvailability keeps a standby of a managed database in another zone.
	HighAvailability bool `json:"highAvailability"`
	// IAMAuthentication lets people and accounts of Google Cloud log in to the database
	// besides, by their own names; the server's login stays.
	IAMAuthentication bool `json:"iamAuthentication"`
	// PasswordVersion is raised by one for new passwords of a managed database
	// (docs/operations/rotate.md).
	PasswordVersion int `json:"passwordVersion"`
	// StorageClass of the volumes; empty is the cluster's default class.
	StorageClass string `json:"storageClass"`
	// MaxConnections is PostgreSQL's max_connections. It must cover the sum
	// that the preview prints.
	MaxConnections int `json:"maxConnections"`
	// Resources of each instance.
	Resources Resources `json:"resources"`
	// InstallOperator installs CloudNativePG; false uses the operator the
	// cluster already has.
	InstallOperator bool `json:"installOperator"`
	// OperatorNamespace is where the operator's pods run; only they ask the
	// instances for their state. Another one than the default needs
	// installOperator false.
	OperatorNamespace string `json:"operatorNamespace"`
	// Backup is the scheduled logical backup.
	Backup Backup `json:"backup"`
}

// Backup is a scheduled pg_dump into the artifact bucket.
type Backup struct {
	// Enabled switches the schedule on.
	Enabled bool `json:"enabled"`
	// Schedule in cron syntax, UTC.
	Schedule string `json:"schedule"`
	// RetentionDays is how long a backup is kept; the newest ones are never
	// pruned, however old. On GCP it is the number of Cloud SQL's own daily backups, too.
	RetentionDays int `json:"retentionDays"`
	// PairedRegion keeps the server's own backups in a second region, too: on Azure the
	// one that it pairs with region. It is decided when the server is made.
	PairedRegion string `json:"pairedRegion"`
}

// Resources are container resources in Kubernetes quantities. There is no CPU
// limit: MLflow's start-up is CPU bound and a limit stretches it past probes.
type Resources struct {
	CPURequest    string `json:"cpuRequest"`
	MemoryRequest string `json:"memoryRequest"`
	MemoryLimit   string `json:"memoryLimit"`
}

// Artifacts is the bucket.
type Artifacts struct {
	// Store is inCluster (MinIO, for local use: refused in profile production), s3
	// (an existing S3 endpoint) or managed (the cloud's, clouds only).
	Store string `json:"store"`
	// Endpoint is the URL of the S3 endpoint, with store s3.
	Endpoint string `json:"endpoint"`
	// Region is the S3 region the client signs for.
	Region string `json:"region"`
	// CACertificate is the PEM bundle that signs the endpoint's certificate;
	// empty trusts the public authorities.
	CACertificate string `json:"caCertificate"`
	// CIDRs are the addresses of the endpoint; egress goes to these only. They
	// are required with store s3. In an existing network of a cloud they are those of
	// an interface endpoint of its store, beside the store's own; on GCP those that
	// storage.googleapis.com has there.
	CIDRs []string `json:"cidrs"`
	// Bucket is the name of the bucket; it is created if absent. It is for this
	// stack alone: versioning, encryption and lifecycle rules are the whole bucket's.
	Bucket string `json:"bucket"`
	// StorageGiB is the volume of the in-cluster store, in GiB. It counts when the
	// volume is created: Kubernetes does not resize the claims of a StatefulSet.
	StorageGiB int `json:"storageGiB"`
	// NoncurrentDays is how long deleted and overwritten objects can be brought
	// back.
	NoncurrentDays int `json:"noncurrentDays"`
	// AbortUploadDays is when parts of unfinished uploads are removed.
	AbortUploadDays int `json:"abortUploadDays"`
	// TransitionDays moves artifacts to TransitionClass at this age; 0 is never.
	TransitionDays int `json:"transitionDays"`
	// TransitionClass is the storage class of the transition. AUTOCLASS on GCP decides
	// object by object, and after 30 days without being read.
	TransitionClass string `json:"transitionClass"`
	// MaxUploadMiB is the largest request body the gateway accepts, in MiB.
	MaxUploadMiB int `json:"maxUploadMiB"`
}

// MLflow is the tracking server.
type MLflow struct {
	// Version is the MLflow release, 3.11.0 or later. 3.3.2, which many guides pin,
	// is refused: its basic authentication answers 500, it ignores SIGTERM, proxied
	// uploads keep twice their size in memory, and several published
	// vulnerabilities are open in it.
	Version string `json:"version"`
	// Replicas is the number of server pods.
	Replicas int `json:"replicas"`
	// Workers is the number of processes in a pod.
	Workers int `json:"workers"`
	// PoolSize and MaxOverflow bound the connections of one engine.
	PoolSize    int `json:"poolSize"`
	MaxOverflow int `json:"maxOverflow"`
	// Resources of each pod.
	Resources Resources `json:"resources"`
	// TmpGiB is the size of /tmp, where uploads and downloads are staged.
	TmpGiB int `json:"tmpGiB"`
	// Retention cleans up old runs that no registered model needs.
	Retention Retention `json:"retention"`
}

// Retention is the registry-aware clean-up.
type Retention struct {
	// Enabled switches the schedule on.
	Enabled bool `json:"enabled"`
	// DryRun only reports what would be deleted. It is true until somebody has
	// read such a report.
	DryRun bool `json:"dryRun"`
	// Schedule in cron syntax, UTC.
	Schedule string `json:"schedule"`
	// Days is the age after which a finished run that nothing references is
	// moved to MLflow's trash.
	Days int `json:"days"`
	// TrashDays is how long it stays there before it is removed for good.
	TrashDays int `json:"trashDays"`
	// MaxDeletions is the most that one run of the job removes from the trash and
	// moves to it, together.
	MaxDeletions int `json:"maxDeletions"`
}

// Auth is who may log in.
type Auth struct {
	// Mode is basic, or none in profile dev.
	Mode string `json:"mode"`
	// Users are the names of the people and machines that log in.
	Users []string `json:"users"`
}

// Exposure is how the gateway is reached.
type Exposure struct {
	// Mode is loadBalancer (a Service of that type), ingress, gateway (Gateway
	// API) or none (inside the cluster only).
	Mode string `json:"mode"`
	// Host is the DNS name clients use.
	Host string `json:"host"`
	// Port is the port clients use. The load balancer listens on 443; another port
	// is for something in front of it that forwards, such as the local cluster.
	Port int `json:"port"`
	// SourceCIDRs limits who reaches the gateway; empty allows everybody, who
	// then still has to log in.
	SourceCIDRs []string `json:"sourceCIDRs"`
	// Annotations of the Service, Ingress or HTTPRoute.
	Annotations map[string]string `json:"annotations"`
	// IngressClass is the IngressClass, with mode ingress.
	IngressClass string `json:"ingressClass"`
	// ParentGateway is namespace/name/listener of the Gateway, with mode gateway.
	// Name the HTTPS listener: without it the route answers on plain HTTP too, and
	// passwords cross the network in clear.
	ParentGateway string `json:"parentGateway"`
	// ControllerNamespace is where the ingress or Gateway API controller's pods
	// run; only they reach the gateway, with modes ingress and gateway. On GCP empty
	// with mode gateway is GKE's own controller and a GatewayClass of a global external
	// load balancer.
	ControllerNamespace string `json:"controllerNamespace"`
	// TLS of the gateway; in modes ingress and gateway the controller ends TLS.
	TLS TLS `json:"tls"`
}

// TLS is the certificate of the gateway.
type TLS struct {
	// Source is generated (an authority of the stack, whose certificate is the
	// output caCertificate) or config (certificate here, key in tlsPrivateKey).
	Source string `json:"source"`
	// Certificate is the PEM chain, with source config.
	Certificate string `json:"certificate"`
}

// Images chooses where container images come from.
type Images struct {
	// Source is upstream, or local for images built by `make images` and loaded
	// into the node.
	Source string `json:"source"`
	// Registry mirrors all upstream images: registry.example.com/mirror puts
	// docker.io/library/caddy at registry.example.com/mirror/library/caddy.
	Registry string `json:"registry"`
	// MLflow replaces the MLflow image, for teams with their own.
	MLflow string `json:"mlflow"`
}

// Monitoring is who may read the metrics of the gateway, the database and its
// operator.
type Monitoring struct {
	// Namespace is where Prometheus, or what else scrapes, runs. Empty: nobody
	// reaches the metrics.
	Namespace string `json:"namespace"`
}

// Budget is the monthly spending alert, on clouds.
type Budget struct {
	// Enabled creates the budget. Platform kubernetes has no bill to watch.
	Enabled bool `json:"enabled"`
	// MonthlyUSD is the amount, in US dollars.
	MonthlyUSD int `json:"monthlyUSD"`
	// Emails receive the alerts.
	Emails []string `json:"emails"`
	// EnforceEstimate refuses a configuration whose estimate is above monthlyUSD.
	EnforceEstimate bool `json:"enforceEstimate"`
	// Usage is what the estimate assumes of what no setting decides.
	Usage Usage `json:"usage"`
	// CurrencyPerUSD is what a US dollar costs in the currency of the bill: Azure and GCP
	// compare the budget's number with that bill.
	CurrencyPerUSD float64 `json:"currencyPerUSD"`
	// BillingAccount is where the budget is kept on GCP (0X0X0X-0X0X0X-0X0X0X); empty is
	// the one that pays for the project, if whoever runs pulumi up may see it.
	BillingAccount string `json:"billingAccount"`
	// HourlyUSD are prices of an hour by node or database type: for types that the
	// release has no price of, and for those that you buy for less. On Azure a database
	// type has postgresql/ before it: virtual machines have the same names.
	HourlyUSD map[string]float64 `json:"hourlyUSD"`
}

// Usage is what a month uses, in GiB.
type Usage struct {
	// StoredGiB is the size of the bucket.
	StoredGiB int `json:"storedGiB"`
	// NATGiB goes through the NAT gateways: images, packages, telemetry of others.
	NATGiB int `json:"natGiB"`
	// DownloadedGiB is what clients on the internet download.
	DownloadedGiB int `json:"downloadedGiB"`
	// LoggedGiB is written to the cloud's logs.
	LoggedGiB int `json:"loggedGiB"`
}

// Connections is the input of the connection arithmetic.
func (s *Settings) Connections() connections.Budget {
	return connections.Budget{
		Replicas: s.MLflow.Replicas, Leaving: s.MLflow.Replicas, Workers: s.MLflow.Workers,
		PoolSize: s.MLflow.PoolSize, MaxOverflow: s.MLflow.MaxOverflow,
	}
}

// Port is the TCP port of the S3 endpoint.
func (a Artifacts) Port() (int, error) {
	u, err := url.Parse(a.Endpoint)
	if err != nil {
		return 0, fmt.Errorf("reading artifacts.endpoint: %w", err)
	}
	if u.Port() == "" {
		return 443, nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("reading artifacts.endpoint: port %s is not 1 to 65535", u.Port())
	}
	return int(port), nil
}

package settings

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/blang/semver/v4"
	"github.com/robfig/cron/v3"
	"golang.org/x/crypto/bcrypt"

	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/naming"
)

// DefaultMLflowVersion is the version of the image table.
var DefaultMLflowVersion = images.Version(images.MLflow)

// minMLflow is the oldest release that behaves as the components expect: SIGTERM
// handled, job execution can be switched off, host validation, gc of logged models.
var minMLflow = semver.MustParse("3.11.0")

// rules is every check; each looks at one part and adds what is wrong.
var rules = []func(*Settings, *Problems){
	(*Settings).checkCluster,
	(*Settings).checkDatabase,
	(*Settings).checkArtifacts,
	(*Settings).checkMLflow,
	(*Settings).checkAuth,
	(*Settings).checkExposure,
	(*Settings).checkImages,
	(*Settings).checkRegistryCredentials,
	(*Settings).checkMonitoring,
	(*Settings).checkBudget,
	(*Settings).checkUnused,
}

func (s *Settings) validate() Problems {
	var p Problems
	s.checkPlatform(&p)
	for _, rule := range rules {
		rule(s, &p)
	}
	return p
}

func (s *Settings) checkPlatform(p *Problems) {
	switch s.Platform {
	case Kubernetes, AWS, Azure, GCP:
	case "":
		p.required(false, "platform", "(kubernetes, aws, azure, gcp)")
	default:
		p.Want(false, "platform", s.Platform, "kubernetes, aws, azure or gcp")
	}
	p.Want(s.Profile == Dev || s.Profile == Production, "profile", s.Profile, "dev or production")
	p.Want(naming.Label.Valid(s.Namespace), "namespace", s.Namespace, "%s", naming.Label.Want)
	for _, key := range sortedKeys(s.Tags) {
		p.Want(len(validation.IsQualifiedName(key)) == 0 && len(validation.IsValidLabelValue(s.Tags[key])) == 0, "tags."+key, s.Tags[key],
			"a Kubernetes label: at most 63 letters, digits and -_., starting and ending with a letter or digit")
		p.Want(!strings.Contains(key, "kubernetes.io/"), "tags."+key, s.Tags[key], "a key that is not Kubernetes' own: pod-security labels are set by the platform")
	}
	for _, reserved := range []string{"default", "kube-system", "kube-public", "kube-node-lease", DefaultOperatorNamespace} {
		p.Want(s.Namespace != reserved, "namespace", s.Namespace, "a namespace of its own")
	}
}

func (s *Settings) checkCluster(p *Problems) {
	if s.onCloud() {
		s.checkManagedCluster(p)
	}
	if s.Platform != Kubernetes {
		return
	}
	c := s.Cluster
	p.Want(c.Mode == "existing", "cluster.mode", c.Mode, "existing on platform kubernetes")
	p.required(c.Context != "", "cluster.context", "on platform kubernetes, so that no other cluster is used by accident")
	checkCIDRs(p, "cluster.apiServerCIDRs", c.APIServerCIDRs)
	checkCIDRs(p, "cluster.dnsCIDRs", c.DNSCIDRs)
	for _, cidr := range c.DNSCIDRs {
		prefix, err := netip.ParsePrefix(cidr)
		p.Want(err != nil || prefix.Bits() > 0, "cluster.dnsCIDRs", cidr, "the addresses of resolvers, not the whole internet")
	}
	p.Want(len(c.APIServerPorts) > 0, "cluster.apiServerPorts", c.APIServerPorts, "at least one")
	for _, port := range c.APIServerPorts {
		p.Want(port >= 1 && port <= 65535, "cluster.apiServerPorts", port, "1 to 65535")
	}
}

func (s *Settings) checkDatabase(p *Problems) {
	d := s.Database
	modes := []string{"inCluster"}
	if s.onCloud() {
		modes = []string{"managed", "inCluster"}
	}
	p.Want(slices.Contains(modes, d.Mode), "database.mode", d.Mode, "%s on platform %s", strings.Join(modes, " or "), s.Platform)
	if s.onCloud() && d.Mode != "inCluster" {
		s.checkManagedDatabase(p)
	} else {
		s.checkOwnDatabase(p)
	}
	p.Want(d.StorageGiB >= 1, "database.storageGiB", d.StorageGiB, "at least 1")
	need := s.Connections()
	p.Want(d.MaxConnections >= need.Total(), "database.maxConnections", d.MaxConnections, "at least %s", need)
	checkCron(p, "database.backup.schedule", d.Backup.Schedule)
	p.Want(d.Backup.RetentionDays >= 1, "database.backup.retentionDays", d.Backup.RetentionDays, "at least 1")
	p.Want(s.Profile != Production || d.Backup.Enabled, "database.backup.enabled", d.Backup.Enabled, "true in profile production")
}

// checkOwnDatabase is about a database in the cluster.
func (s *Settings) checkOwnDatabase(p *Problems) {
	d := s.Database
	p.Want(d.Instances == 1 || d.Instances == 3, "database.instances", d.Instances, "1, or 3 for a primary and two replicas")
	p.Want(s.Profile != Production || d.Instances == 3, "database.instances", d.Instances, "3 in profile production")
	p.Want(d.InstallOperator || naming.Label.Valid(d.OperatorNamespace) && d.OperatorNamespace != s.Namespace, "database.operatorNamespace", d.OperatorNamespace,
		"the namespace of the operator's pods, not the workload's")
	p.Want(!d.InstallOperator || d.OperatorNamespace == DefaultOperatorNamespace, "database.operatorNamespace", d.OperatorNamespace,
		"%s with database.installOperator true: the release manifest says so", DefaultOperatorNamespace)
	checkResources(p, "database.resources", d.Resources)
}

func (s *Settings) checkArtifacts(p *Problems) {
	a := s.Artifacts
	if s.onCloud() {
		p.Want(a.Store == "managed", "artifacts.store", a.Store, "managed on platform %s", s.Platform)
		checkCIDRs(p, "artifacts.cidrs", a.CIDRs)
	} else {
		s.checkStore(p)
	}
	p.Want(a.NoncurrentDays >= 1, "artifacts.noncurrentDays", a.NoncurrentDays, "at least 1")
	p.Want(a.AbortUploadDays >= 1, "artifacts.abortUploadDays", a.AbortUploadDays, "at least 1")
	p.Want(a.TransitionDays == 0 || a.TransitionDays >= 30, "artifacts.transitionDays", a.TransitionDays, "0, or at least 30 (cheap classes bill 30 days)")
	// Classes from which objects are read at once; archives would fail every read.
	classes := []string{"STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}
	switch s.Platform {
	case Azure:
		classes = azureTiers
	case GCP:
		classes = gcpClasses
		p.Want(a.TransitionClass != GCPAutoclass || a.TransitionDays == 0 || a.TransitionDays == gcpAutoclassDays, "artifacts.transitionDays", a.TransitionDays, "%d with AUTOCLASS, which decides by itself, or 0 for none", gcpAutoclassDays)
	case AWS, Kubernetes:
	}
	p.Want(slices.Contains(classes, a.TransitionClass), "artifacts.transitionClass", a.TransitionClass, "%s", strings.Join(classes, ", "))
	p.Want(a.MaxUploadMiB >= 1, "artifacts.maxUploadMiB", a.MaxUploadMiB, "at least 1")
}

// checkStore is about a bucket outside of a cloud's care.
func (s *Settings) checkStore(p *Problems) {
	a := s.Artifacts
	p.Want(naming.Bucket.Valid(a.Bucket), "artifacts.bucket", a.Bucket, "%s", naming.Bucket.Want)
	switch a.Store {
	case "inCluster":
		p.Want(s.Profile == Dev, "artifacts.store", a.Store, "s3 in profile production: the in-cluster store has one copy of the data")
		p.Want(a.StorageGiB >= 1, "artifacts.storageGiB", a.StorageGiB, "at least 1")
	case "s3":
		s.checkEndpoint(p)
	default:
		p.Want(false, "artifacts.store", a.Store, "inCluster or s3 on platform kubernetes")
	}
}

// checkEndpoint is about an existing S3 endpoint.
func (s *Settings) checkEndpoint(p *Problems) {
	a := s.Artifacts
	u, err := url.Parse(a.Endpoint)
	_, portErr := a.Port()
	p.Want(err == nil && u.Scheme == "https" && u.Hostname() != "" && portErr == nil, "artifacts.endpoint", a.Endpoint, "an https URL with store s3")
	p.Want(err != nil || u.User == nil, "artifacts.endpoint", a.Endpoint, "a URL without a login: set s3AccessKeyId and s3SecretAccessKey")
	p.Want(len(a.CIDRs) > 0, "artifacts.cidrs", a.CIDRs, "the addresses of the endpoint with store s3: egress goes nowhere else")
	checkCIDRs(p, "artifacts.cidrs", a.CIDRs)
	p.requiredSecret(s.S3AccessKeyID != "", "s3AccessKeyId", "with artifacts.store s3")
	p.requiredSecret(s.S3SecretAccessKey != "", "s3SecretAccessKey", "with artifacts.store s3")
	p.requiredSecret((s.S3AdminAccessKeyID == "") || s.S3AdminSecretAccessKey != "", "s3AdminSecretAccessKey", "with s3AdminAccessKeyId")
	p.requiredSecret((s.S3AdminSecretAccessKey == "") || s.S3AdminAccessKeyID != "", "s3AdminAccessKeyId", "with s3AdminSecretAccessKey")
	p.Want(s.S3AdminAccessKeyID == "" || s.S3AdminAccessKeyID != s.S3AccessKeyID, "s3AdminAccessKeyId", s.S3AdminAccessKeyID,
		"another key than s3AccessKeyId: with the server's everybody who may log in can read the dumps")
	if a.CACertificate != "" {
		p.Want(x509.NewCertPool().AppendCertsFromPEM([]byte(a.CACertificate)), "artifacts.caCertificate", "not PEM", "a PEM certificate bundle")
	}
}

func (s *Settings) checkMLflow(p *Problems) {
	m := s.MLflow
	v, err := semver.Parse(m.Version)
	// Upstream spells a pre-release in another way (3.18.0rc1): the tag of this one
	// does not exist.
	p.Want(err == nil && v.GTE(minMLflow) && len(v.Pre) == 0 && len(v.Build) == 0, "mlflow.version", m.Version, "a release, %s or later", minMLflow)
	p.Want(m.Replicas >= 1, "mlflow.replicas", m.Replicas, "at least 1")
	p.Want(s.Profile != Production || m.Replicas >= 2, "mlflow.replicas", m.Replicas, "at least 2 in profile production")
	p.Want(m.Workers >= 1 && m.Workers <= 16, "mlflow.workers", m.Workers, "1 to 16")
	p.Want(m.PoolSize >= 1, "mlflow.poolSize", m.PoolSize, "at least 1")
	p.Want(m.MaxOverflow >= 1, "mlflow.maxOverflow", m.MaxOverflow, "at least 1: MLflow ignores 0 and opens 10 more")
	p.Want(m.TmpGiB >= 1, "mlflow.tmpGiB", m.TmpGiB, "at least 1")
	checkResources(p, "mlflow.resources", m.Resources)
	r := m.Retention
	checkCron(p, "mlflow.retention.schedule", r.Schedule)
	p.Want(r.Days >= 1, "mlflow.retention.days", r.Days, "at least 1")
	p.Want(r.TrashDays >= 1, "mlflow.retention.trashDays", r.TrashDays, "at least 1")
	p.Want(r.MaxDeletions >= 1, "mlflow.retention.maxDeletions", r.MaxDeletions, "at least 1")
}

// userName is what goes into a Secret key, the gateway's configuration and HTTP
// basic authentication unchanged; RFC 7617 forbids the colon.
var userName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9._]{0,61}[a-z0-9])?$`)

// RetentionUser is the login of the clean-up job.
const RetentionUser = "mlflow-retention"

// ServiceUsers are the logins of the platform's own jobs.
var ServiceUsers = []string{RetentionUser}

func (s *Settings) checkAuth(p *Problems) {
	switch s.Auth.Mode {
	case "basic":
		p.Want(len(s.Auth.Users) > 0, "auth.users", s.Auth.Users, "at least one user with auth.mode basic")
	case "none":
		p.Want(s.Profile == Dev, "auth.mode", s.Auth.Mode, "basic in profile production")
	default:
		p.Want(false, "auth.mode", s.Auth.Mode, "basic, or none in profile dev")
	}
	seen := map[string]bool{}
	for _, user := range s.Auth.Users {
		p.Want(userName.MatchString(user), "auth.users", user, "lower-case letters, digits and -._, at most 63")
		// The gateway reads the names from a file in which this word includes another.
		p.Want(user != "import", "auth.users", user, "another name: the gateway's configuration reserves it")
		p.Want(!seen[user], "auth.users", user, "every user once")
		p.Want(!slices.Contains(ServiceUsers, user), "auth.users", user, "another name: the platform's own job uses it")
		seen[user] = true
	}
	if s.Auth.Mode == "basic" {
		s.checkPasswordHashes(p)
	}
}

func (s *Settings) checkPasswordHashes(p *Problems) {
	hashes, err := s.PasswordHashes()
	p.Want(err == nil, "authPasswordHashes", s.AuthPasswordHashes, `a JSON object of hashes such as {"user": "$2y$10$..."}`)
	for _, user := range sortedKeys(hashes) {
		p.Want(slices.Contains(s.Auth.Users, user), "authPasswordHashes."+user, Secret(""), "a user of auth.users")
		// Each step doubles the work: 12 is a quarter of a second of CPU for every
		// login that is not cached, 10 is 50 ms.
		cost, err := bcrypt.Cost([]byte(hashes[user]))
		p.Want(err == nil && cost >= 10 && cost <= 12, "authPasswordHashes."+user, Secret(""), "a bcrypt hash of cost 10 to 12")
	}
}

// PasswordHashes decodes authPasswordHashes.
func (s *Settings) PasswordHashes() (map[string]string, error) {
	if s.AuthPasswordHashes == "" {
		return nil, nil
	}
	var m map[string]string
	err := json.Unmarshal([]byte(s.AuthPasswordHashes), &m)
	return m, err
}

func (s *Settings) checkExposure(p *Problems) {
	e := s.Exposure
	modes := []string{"loadBalancer", "ingress", "gateway", "none"}
	p.Want(slices.Contains(modes, e.Mode), "exposure.mode", e.Mode, "%s", strings.Join(modes, ", "))
	if e.Mode != "none" {
		p.required(e.Host != "", "exposure.host", "unless exposure.mode is none")
	}
	if e.Host != "" {
		_, notAddress := netip.ParseAddr(e.Host)
		p.Want(dnsName.MatchString(e.Host) && notAddress != nil, "exposure.host", e.Host, "a DNS name without scheme or port")
	}
	p.Want(e.Port >= 1 && e.Port <= 65535, "exposure.port", e.Port, "1 to 65535")
	p.Want(s.Profile == Dev || e.Port == 443, "exposure.port", e.Port, "443 in profile production: the load balancer listens there")
	checkCIDRs(p, "exposure.sourceCIDRs", e.SourceCIDRs)
	if s.onCloud() {
		checkIPv4(p, "exposure.sourceCIDRs", e.SourceCIDRs)
	}
	if e.Mode == "ingress" || e.Mode == "gateway" && s.Platform != GCP {
		p.required(e.ControllerNamespace != "", "exposure.controllerNamespace", "with exposure.mode "+e.Mode)
	}
	if e.Mode == "gateway" {
		parts := strings.Split(e.ParentGateway, "/")
		valid := !slices.ContainsFunc(parts, func(s string) bool { return !naming.Label.Valid(s) })
		p.Want(len(parts) == 3 && valid, "exposure.parentGateway", e.ParentGateway, "namespace/name/listener of a Gateway's HTTPS listener")
	}
	switch e.TLS.Source {
	case "generated":
	case "config":
		p.requiredSecret(s.TLSPrivateKey != "", "tlsPrivateKey", "with exposure.tls.source config")
		s.checkCertificate(p)
	default:
		p.Want(false, "exposure.tls.source", e.TLS.Source, "generated or config")
	}
}

// dnsName is a host name of RFC 1123 labels.
var dnsName = regexp.MustCompile(`^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// renewalDays before the end of a certificate the preview starts to warn: the
// third of a 90-day certificate in which public authorities renew it
// (letsencrypt.org/docs/faq).
const renewalDays = 30

// leaf is the first certificate of exposure.tls.certificate, or what is wrong
// with it.
func (s *Settings) leaf() (leaf *x509.Certificate, problem string) {
	block, _ := pem.Decode([]byte(s.Exposure.TLS.Certificate))
	if block == nil {
		return nil, "not PEM"
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, "not a certificate"
	}
	return leaf, ""
}

func (s *Settings) checkCertificate(p *Problems) {
	leaf, problem := s.leaf()
	if problem != "" {
		p.Want(false, "exposure.tls.certificate", problem, "a PEM certificate chain")
		return
	}
	now := time.Now()
	p.Want(now.Before(leaf.NotAfter), "exposure.tls.certificate", "ended on "+leaf.NotAfter.UTC().Format(time.DateOnly), "one that is valid")
	p.Want(now.After(leaf.NotBefore), "exposure.tls.certificate", "starting on "+leaf.NotBefore.UTC().Format(time.DateOnly), "one that is valid")
	if s.Exposure.Host != "" {
		p.Want(leaf.VerifyHostname(s.Exposure.Host) == nil, "exposure.tls.certificate", "for "+strings.Join(leaf.DNSNames, ", "), "one for %s", s.Exposure.Host)
	}
	if s.TLSPrivateKey != "" {
		_, err := tls.X509KeyPair([]byte(s.Exposure.TLS.Certificate), []byte(s.TLSPrivateKey))
		p.Want(err == nil, "tlsPrivateKey", s.TLSPrivateKey, "the key of exposure.tls.certificate")
	}
}

func (s *Settings) checkImages(p *Problems) {
	i := s.Images
	p.Want(i.Source == "upstream" || i.Source == "local", "images.source", i.Source, "upstream or local")
	p.Want(i.Source != "local" || s.Profile == Dev && !s.onCloud(), "images.source", i.Source,
		"upstream in profile production and on clouds: nobody loads images into their nodes")
	p.Want(i.Source != "local" || i.MLflow != "" || s.MLflow.Version == DefaultMLflowVersion, "mlflow.version", s.MLflow.Version,
		"%s with images.source local: it is the one that is built", DefaultMLflowVersion)
	if i.MLflow != "" {
		_, tag, _ := strings.Cut(i.MLflow[strings.LastIndex(i.MLflow, "/")+1:], ":")
		p.Want(tag != "" && tag != "latest", "images.mlflow", i.MLflow, "a reference with an exact tag or digest")
	}
}

// checkRegistryCredentials finds out what a kubelet would not understand: it pulls
// without a login then, and fails with an error that names none.
func (s *Settings) checkRegistryCredentials(p *Problems) {
	if s.RegistryCredentials == "" {
		return
	}
	var file struct {
		Auths map[string]struct{ Auth, Username, Password string } `json:"auths"`
	}
	err := json.Unmarshal([]byte(s.RegistryCredentials), &file)
	complete := len(file.Auths) > 0
	for _, login := range file.Auths {
		complete = complete && (login.Auth != "" || login.Username != "" && login.Password != "")
	}
	p.Want(err == nil && complete, "registryCredentials", s.RegistryCredentials,
		"a Docker client's config.json with a login in each of its auths; one with credsStore keeps them elsewhere")
}

func (s *Settings) checkMonitoring(p *Problems) {
	ns := s.Monitoring.Namespace
	p.Want(ns == "" || naming.Label.Valid(ns), "monitoring.namespace", ns, "%s", naming.Label.Want)
	p.Want(ns == "" || ns != s.Namespace, "monitoring.namespace", ns, "another namespace than the workload's")
}

func (s *Settings) checkBudget(p *Problems) {
	if !s.onCloud() {
		return
	}
	p.Want(s.Budget.MonthlyUSD >= 1, "budget.monthlyUSD", s.Budget.MonthlyUSD, "at least 1")
	p.Want(len(s.Budget.Emails) > 0, "budget.emails", s.Budget.Emails, "at least one address: budget and alarms are of use to nobody without")
	for _, e := range s.Budget.Emails {
		address, err := mail.ParseAddress(e)
		p.Want(err == nil && address.Address == e, "budget.emails", e, "an e-mail address, without a name")
	}
	// AWS takes no more subscribers of one alert (docs.aws.amazon.com/cost-management/latest/userguide/management-limits.html).
	p.Want(len(s.Budget.Emails) <= 10, "budget.emails", s.Budget.Emails, "at most 10: a list has room for more people")
	p.Want(s.Budget.CurrencyPerUSD > 0, "budget.currencyPerUSD", s.Budget.CurrencyPerUSD, "more than 0")
	s.checkEstimate(p)
}

func checkCIDRs(p *Problems, key string, cidrs []string) {
	for _, c := range cidrs {
		prefix, err := netip.ParsePrefix(c)
		p.Want(err == nil && prefix == prefix.Masked(), key, c, "an address range such as 10.0.0.0/16")
	}
}

func checkResources(p *Problems, key string, r Resources) {
	cpu, err := resource.ParseQuantity(r.CPURequest)
	p.Want(err == nil && cpu.Sign() > 0, key+".cpuRequest", r.CPURequest, "a quantity such as 500m")
	request, errRequest := resource.ParseQuantity(r.MemoryRequest)
	p.Want(errRequest == nil && request.Sign() > 0, key+".memoryRequest", r.MemoryRequest, "a quantity such as 2Gi")
	limit, errLimit := resource.ParseQuantity(r.MemoryLimit)
	p.Want(errLimit == nil && limit.Sign() > 0, key+".memoryLimit", r.MemoryLimit, "a quantity such as 4Gi")
	if errRequest == nil && errLimit == nil {
		p.Want(limit.Cmp(request) >= 0, key+".memoryLimit", r.MemoryLimit, "at least the request, %s", r.MemoryRequest)
	}
}

// checkCron uses the parser of the CronJob controller.
func checkCron(p *Problems, key, schedule string) {
	_, err := cron.ParseStandard(schedule)
	p.Want(err == nil, key, schedule, "a cron schedule such as 17 2 * * *")
}

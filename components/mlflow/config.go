package mlflow

import (
	"fmt"
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

const (
	databaseSecret = "mlflow-database"
	keysSecret     = "mlflow-keys"
	databaseCA     = "/etc/database"
)

// secrets are the Secrets of the server and a hash that changes with them.
type secrets struct {
	all      []pulumi.Resource
	checksum pulumi.StringOutput
}

// secrets creates the database URI and the keys with which MLflow encrypts
// webhook secrets and gateway credentials in the database. Without a key of
// ours MLflow uses a random one per process, or a public constant.
func (b *builder) secrets() (*secrets, error) {
	db := b.args.Database
	// The driver is named because SQLAlchemy 2.1's default for postgresql:// is
	// psycopg 3, which the image does not have. verify-full checks the
	// certificate and the host name.
	uri := pulumi.Sprintf("postgresql+psycopg2://%s:%s@%s:%d/%s?sslmode=%s&sslrootcert=%s/%s&connect_timeout=10",
		db.User, db.Password, db.Host, db.Port, db.Name, db.TLS(), databaseCA, db.CAKey)
	database, err := corev1.NewSecret(b.ctx, b.name+"-database", &corev1.SecretArgs{
		Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(databaseSecret), Namespace: b.args.Namespace, Labels: pod.Labels(nil, "")},
		// User and password are for pg_dump and psql, which take no such URI.
		StringData: pulumi.StringMap{"uri": uri, "user": pulumi.String(db.User), "password": db.Password},
		// Pods that start during a rotation get a login that is there.
	}, b.child(pulumi.DependsOn(pod.Join(b.args.After, b.args.Database.Ready)))...)
	if err != nil {
		return nil, fmt.Errorf("creating the database Secret: %w", err)
	}
	data := pulumi.StringMap{}
	var values []pulumi.StringInput
	for _, key := range []string{"webhook", "crypto"} {
		bytes, err := random.NewRandomBytes(b.ctx, b.name+"-"+key+"-key", &random.RandomBytesArgs{Length: pulumi.Int(32)},
			b.child(protect.Options(b.args.Protect)...)...)
		if err != nil {
			return nil, fmt.Errorf("creating the %s key: %w", key, err)
		}
		// A Fernet key is base64 in the URL-safe alphabet.
		data[key] = bytes.Base64.ApplyT(func(s string) string {
			return strings.NewReplacer("+", "-", "/", "_").Replace(s)
		}).(pulumi.StringOutput)
		values = append(values, bytes.Base64)
	}
	keys, err := corev1.NewSecret(b.ctx, b.name+"-keys", &corev1.SecretArgs{
		Metadata:   &metav1.ObjectMetaArgs{Name: pulumi.String(keysSecret), Namespace: b.args.Namespace, Labels: pod.Labels(nil, "")},
		StringData: data,
	}, b.child(pulumi.DependsOn(b.args.After))...)
	if err != nil {
		return nil, fmt.Errorf("creating the keys Secret: %w", err)
	}
	return &secrets{
		all:      []pulumi.Resource{database, keys},
		checksum: pod.ChecksumOutput(append(values, uri)...),
	}, nil
}

// databaseEnv is what a process needs to use the database through MLflow.
func databaseEnv() *corev1.EnvVarArgs {
	return pod.SecretEnv("MLFLOW_BACKEND_STORE_URI", pulumi.String(databaseSecret), "uri")
}

// DatabaseAccess is what a script needs to use the database through MLflow.
func DatabaseAccess(db *platform.Database) (corev1.EnvVarArray, corev1.VolumeArray, corev1.VolumeMountArray) {
	return corev1.EnvVarArray{databaseEnv()},
		corev1.VolumeArray{pod.SecretVolume("database-ca", pulumi.String(db.CASecret), db.CAKey)},
		corev1.VolumeMountArray{pod.Mount("database-ca", databaseCA, true)}
}

// LibpqEnv are the variables that PostgreSQL's own programs read.
func LibpqEnv(db *platform.Database) corev1.EnvVarArray {
	return corev1.EnvVarArray{
		&corev1.EnvVarArgs{Name: pulumi.String("PGHOST"), Value: db.Host},
		pod.Env("PGPORT", fmt.Sprint(db.Port)), pod.Env("PGDATABASE", db.Name),
		// Both from one Secret: a pod that starts during a rotation has a pair that
		// belongs together, and no Job changes, which would stop the server.
		pod.SecretEnv("PGUSER", pulumi.String(databaseSecret), "user"),
		pod.SecretEnv("PGPASSWORD", pulumi.String(databaseSecret), "password"),
		pod.Env("PGSSLMODE", db.TLS()), pod.Env("PGSSLROOTCERT", databaseCA+"/"+db.CAKey),
		pod.Env("PGCONNECT_TIMEOUT", "10"),
	}
}

// env is the server's environment. Everything that MLflow can read from the
// environment is here and not in the arguments, which every process on the
// node can see.
func (b *builder) env() corev1.EnvVarArray {
	c := b.args.Connections
	env := corev1.EnvVarArray{
		databaseEnv(),
		&corev1.EnvVarArgs{Name: pulumi.String("MLFLOW_ARTIFACTS_DESTINATION"), Value: b.args.Bucket.ArtifactRoot},
		pod.Env("MLFLOW_SERVER_ALLOWED_HOSTS", b.server.Host),
		pod.Env("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", strings.Join(b.args.Origins, ",")),
		pod.Env("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", fmt.Sprint(c.PoolSize)),
		pod.Env("MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW", fmt.Sprint(c.MaxOverflow)),
		// Managed databases and firewalls cut idle connections after an hour or less.
		pod.Env("MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE", "1800"),
		// Seven more processes and 1 GB a pod; on by default since 3.9.
		pod.Env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false"),
		pod.Env("MLFLOW_DISABLE_TELEMETRY", "true"), pod.Env("DO_NOT_TRACK", "true"),
		pod.SecretEnv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", pulumi.String(keysSecret), "webhook"),
		pod.SecretEnv("MLFLOW_CRYPTO_KEK_PASSPHRASE", pulumi.String(keysSecret), "crypto"),
		pod.Env("MLFLOW_UVICORN_OPTS", b.uvicorn()),
		// Only the gateway reaches the server, and it sets these headers itself.
		pod.Env("FORWARDED_ALLOW_IPS", "*"),
		pod.Env("HOME", "/tmp"), pod.Env("PYTHONDONTWRITEBYTECODE", "1"),
	}
	return append(env, b.args.Identity.Env...)
}

// shutdownSeconds is how long an upload may go on after SIGTERM.
const shutdownSeconds = 50

// uvicorn is the HTTP server's options. With two workers or more, each is
// replaced after many requests, which bounds slow memory growth; with one that
// would end the pod's only process.
func (b *builder) uvicorn() string {
	opts := fmt.Sprintf("--timeout-keep-alive 75 --timeout-graceful-shutdown %d", shutdownSeconds)
	if b.args.Connections.Workers > 1 {
		opts += " --limit-max-requests 20000 --limit-max-requests-jitter 5000"
	}
	return opts
}

// Package mlflow is the MLflow tracking server. It knows no cloud: the
// database, the bucket and the identity come as cloud-neutral results.
package mlflow

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/backup"
	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/images"
	"github.com/mlflow-platform/mlflow-platform/components/mlflow/connections"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

const token = "mlflow:mlflow:Server"

// Args are the inputs of the server.
type Args struct {
	pod.Scope
	// Version is the MLflow release.
	Version string
	// Connections is the validated connection arithmetic; replicas,
	// workers and pools come from it.
	Connections connections.Budget
	// CPURequest, MemoryRequest and MemoryLimit of a pod.
	CPURequest, MemoryRequest, MemoryLimit string
	// TmpGiB is the size of /tmp.
	TmpGiB int
	// Origins are the URLs browsers use, scheme://host[:port].
	Origins []string
	// Database, Bucket and Identity are the platform's.
	Database *platform.Database
	Bucket   *platform.Bucket
	Identity *platform.Identity
	// Backups is how the dump before a migration reaches the bucket.
	Backups *backup.Access
	// Protect guards the encryption keys.
	Protect bool
}

// Server is the tracking server.
type Server struct {
	pulumi.ResourceState
	// Host is the one Host header the server answers to, with the port.
	Host string
	// DatabaseSecret names the Secret with the database URI.
	DatabaseSecret string
	// Ready must exist before a client connects.
	Ready []pulumi.Resource
}

// Host is the Host header for a namespace. The server accepts exactly this
// one: MLflow matches exactly, port included, and its wildcards also match
// foreign names (10.* matches 10.attacker.example).
func Host(namespace string) string {
	return fmt.Sprintf("%s.%s.svc:%d", netpol.MLflow.Name, namespace, netpol.MLflowHTTP.Number)
}

// New creates the server: Secrets, the checks of image and schema, the Deployment, its
// Service and its disruption budget.
func New(ctx *pulumi.Context, name string, args Args, opts ...pulumi.ResourceOption) (*Server, error) {
	image, err := args.Images.Ref(images.MLflow)
	if err != nil {
		return nil, err
	}
	postgres, err := args.Images.Ref(images.PostgreSQL)
	if err != nil {
		return nil, err
	}
	s := &Server{Host: Host(args.NamespaceName), DatabaseSecret: databaseSecret}
	if err := ctx.RegisterComponentResource(token, name, s, opts...); err != nil {
		return nil, err
	}
	b := &builder{ctx: ctx, name: name, args: args, server: s, image: image, postgres: postgres}
	account, err := pod.NewServiceAccount(ctx, name+"-account", netpol.MLflow.Name, args.Scope, args.Identity.ServiceAccountAnnotations, component.Options(s)...)
	if err != nil {
		return nil, err
	}
	b.account = account
	secrets, err := b.secrets()
	if err != nil {
		return nil, err
	}
	checked, err := b.checkImage()
	if err != nil {
		return nil, err
	}
	migration, err := b.migration(secrets, checked)
	if err != nil {
		return nil, err
	}
	deployment, err := b.deployment(secrets, migration)
	if err != nil {
		return nil, err
	}
	service, err := b.service(deployment)
	if err != nil {
		return nil, err
	}
	if err := b.disruption(); err != nil {
		return nil, err
	}
	s.Ready = []pulumi.Resource{deployment, service}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"host": pulumi.String(s.Host)})
}

// builder carries what every file of this package needs.
type builder struct {
	ctx             *pulumi.Context
	name            string
	args            Args
	server          *Server
	image, postgres string
	account         pulumi.StringOutput
}

func (b *builder) child(own ...pulumi.ResourceOption) []pulumi.ResourceOption {
	return component.Options(b.server, own...)
}

package postgres

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

const (
	// Major is PostgreSQL's major version, of the images and of the clouds' servers;
	// clouds upgrade the minor one.
	Major = "17"
	// Admin is the role that a cloud makes; the server uses one with fewer rights.
	Admin = "platform_admin"

	managedCA    = "database-ca"
	managedCAKey = "ca.crt"
)

// Managed is the database of a cloud's server before it is registered.
func Managed() *platform.Database {
	return &platform.Database{Port: netpol.PostgreSQL.Number, Name: DatabaseName, CASecret: managedCA, CAKey: managedCAKey}
}

// ManagedArgs are a cloud's server and how to log in there.
type ManagedArgs struct {
	pod.Scope
	// Provider is the cluster's.
	Provider pulumi.ProviderResource
	// Host of the server; Server must be there before anything connects.
	Host   pulumi.StringOutput
	Server []pulumi.Resource
	// Authority signs the server's certificate, PEM.
	Authority pulumi.StringInput
	// AdminPassword is Admin's.
	AdminPassword pulumi.StringInput
	// PasswordVersion and Protect are those of RoleArgs.
	PasswordVersion int
	Protect         bool
}

// Complete makes what the workload needs of a cloud's server, the authority's Secret
// and the role, as children of d, and fills d in.
func Complete(ctx *pulumi.Context, name string, d *platform.Database, args ManagedArgs) error {
	inCluster := pulumi.Provider(args.Provider)
	ca, err := corev1.NewSecret(ctx, name+"-ca", &corev1.SecretArgs{
		Metadata:   &metav1.ObjectMetaArgs{Name: pulumi.String(d.CASecret), Namespace: args.Namespace, Labels: pod.Labels(nil, "")},
		StringData: pulumi.StringMap{d.CAKey: args.Authority},
	}, component.Options(d, inCluster, pulumi.DependsOn(args.After))...)
	if err != nil {
		return fmt.Errorf("creating the Secret of the database's authority: %w", err)
	}
	scope := args.Scope
	scope.After = append(pod.Join(scope.After, args.Server), ca)
	role, err := NewRole(ctx, name+"-role", RoleArgs{
		Scope: scope, Host: args.Host, Port: d.Port, Database: d.Name, Owner: User,
		Admin: Admin, AdminPassword: args.AdminPassword, CASecret: d.CASecret, CAKey: d.CAKey, TLS: d.TLS(),
		PasswordVersion: args.PasswordVersion, Protect: args.Protect,
	}, component.Options(d, inCluster)...)
	if err != nil {
		return err
	}
	d.Host, d.User, d.Password, d.Ready = args.Host, role.User, role.Password, append(role.Ready, ca)
	return nil
}

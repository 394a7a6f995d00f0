package stacks

import (
	"reflect"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// ContractVersion is the major version of the outputs. A rename or removal
// raises it, and keeps the old name for one release.
const ContractVersion = 1

// Outputs is the contract with other teams: what a StackReference can read.
// Nothing in it but Passwords is secret, and Passwords is marked so.
type Outputs struct {
	// ContractVersion is the version of this contract.
	ContractVersion pulumi.IntInput `pulumi:"contractVersion"`
	// TrackingURL is where clients outside the cluster reach MLflow; empty without
	// exposure.host.
	TrackingURL pulumi.StringInput `pulumi:"trackingUrl"`
	// InternalTrackingURL is where pods of the same cluster reach it.
	InternalTrackingURL pulumi.StringInput `pulumi:"internalTrackingUrl"`
	// Address is what the cluster assigned to the load balancer: the target of
	// the DNS record for exposure.host.
	Address pulumi.StringInput `pulumi:"address"`
	// CACertificate is the PEM certificate that signs the gateway's; save it and
	// set MLFLOW_TRACKING_SERVER_CERT_PATH to the file. Empty when
	// exposure.tls.source is config or a controller ends TLS.
	CACertificate pulumi.StringInput `pulumi:"caCertificate"`
	// InternalCACertificate signs the gateway's certificate for pods of the
	// cluster.
	InternalCACertificate pulumi.StringInput `pulumi:"internalCaCertificate"`
	// Namespace of the workload.
	Namespace pulumi.StringInput `pulumi:"namespace"`
	// ArtifactRoot is the URI below which artifacts are kept.
	ArtifactRoot pulumi.StringInput `pulumi:"artifactRoot"`
	// BackupRoot is the URI below which database dumps are kept.
	BackupRoot pulumi.StringInput `pulumi:"backupRoot"`
	// DatabaseHost and DatabaseName are where the metadata is kept.
	DatabaseHost pulumi.StringInput `pulumi:"databaseHost"`
	DatabaseName pulumi.StringInput `pulumi:"databaseName"`
	// DatabaseSecretName names the Secret with the database URI.
	DatabaseSecretName pulumi.StringInput `pulumi:"databaseSecretName"`
	// PasswordsSecretName names the Secret with the generated passwords.
	PasswordsSecretName pulumi.StringInput `pulumi:"passwordsSecretName"`
	// MLflowVersion is the release that runs.
	MLflowVersion pulumi.StringInput `pulumi:"mlflowVersion"`
	// MonthlyEstimateUSD is what the preview estimated, by item and in total, in US
	// dollars; empty where the release has no prices.
	MonthlyEstimateUSD pulumi.Float64MapInput `pulumi:"monthlyEstimateUsd"`
	// Passwords are the generated passwords by user. Secret.
	Passwords pulumi.StringMapInput `pulumi:"passwords"`
}

func (b *build) outputs() *Outputs {
	s := b.settings
	o := &Outputs{
		ContractVersion:       pulumi.Int(ContractVersion),
		TrackingURL:           pulumi.String(publicURL(s.Exposure)),
		InternalTrackingURL:   pulumi.String(b.gateway.InternalURL),
		Address:               b.exposure.Address,
		CACertificate:         b.authority.Certificate(),
		InternalCACertificate: b.authority.Certificate(),
		Namespace:             b.scope.Namespace,
		ArtifactRoot:          b.bucket.ArtifactRoot,
		BackupRoot:            b.bucket.BackupRoot,
		DatabaseHost:          b.database.Host,
		DatabaseName:          pulumi.String(b.database.Name),
		DatabaseSecretName:    pulumi.String(b.server.DatabaseSecret),
		PasswordsSecretName:   pulumi.String(b.gateway.PasswordsSecret),
		MLflowVersion:         pulumi.String(s.MLflow.Version),
		MonthlyEstimateUSD:    monthlyEstimate(s),
		Passwords:             b.gateway.Passwords,
	}
	if s.Exposure.TLS.Source == "config" || s.Exposure.Mode == "ingress" || s.Exposure.Mode == "gateway" {
		o.CACertificate = pulumi.String("")
	}
	return o
}

func monthlyEstimate(s *settings.Settings) pulumi.Float64Map {
	if e := s.Estimate(); e != nil {
		return pulumi.ToFloat64Map(e.ByItem())
	}
	return pulumi.Float64Map{}
}

// export exports every field under the name of its tag.
func (o *Outputs) export(ctx *pulumi.Context) {
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		if output, ok := v.Field(i).Interface().(pulumi.Input); ok {
			ctx.Export(v.Type().Field(i).Tag.Get("pulumi"), output)
		}
	}
}

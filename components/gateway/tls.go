package gateway

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// certificate creates the TLS Secret. The generated certificate is always
// there, because jobs inside the cluster use the Service's name; a public one
// is served beside it, and the client's SNI chooses.
func (b *builder) certificate() (pulumi.Resource, pulumi.StringOutput, error) {
	names := b.names()
	if b.args.Certificate != "" {
		names = (&builder{args: Args{Scope: b.args.Scope}}).names()
	}
	certificate, key, err := b.args.Authority.Issue(b.ctx, b.name+"-tls", names)
	if err != nil {
		return nil, pulumi.StringOutput{}, err
	}
	data := pulumi.StringMap{
		"internal.crt": certificate, "internal.key": key, CAKey: b.args.Authority.Certificate(),
	}
	if b.args.Certificate != "" {
		data["public.crt"] = pulumi.String(b.args.Certificate)
		data["public.key"] = pulumi.ToSecret(pulumi.String(b.args.PrivateKey)).(pulumi.StringOutput)
	}
	secret, err := corev1.NewSecret(b.ctx, b.name+"-certificates", &corev1.SecretArgs{
		Metadata: b.metadata(tlsSecret), StringData: data,
	}, b.child(pulumi.DependsOn(b.args.After))...)
	if err != nil {
		return nil, pulumi.StringOutput{}, fmt.Errorf("creating the TLS Secret: %w", err)
	}
	return secret, checksum(certificate, pulumi.String(b.args.Certificate)), nil
}

func checksum(values ...pulumi.StringInput) pulumi.StringOutput { return pod.ChecksumOutput(values...) }

// Package pki is a certificate authority of the stack. It signs what only the
// stack and its clients need to trust: the gateway without a public
// certificate, and the in-cluster object store.
package pki

import (
	"fmt"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
)

const token = "mlflow:pki:Authority"

const (
	// caHours is ten years: clients store the authority's certificate, so it
	// outlives every server certificate.
	caHours = 10 * 365 * 24
	// leafHours is one year, below the 398 days that clients accept at most
	// (CA/Browser Forum, ballot SC-31).
	leafHours = 365 * 24
	// renewHours is when `pulumi up` replaces a server certificate: 60 days
	// before it ends, so that a monthly run is enough.
	renewHours = 60 * 24
)

// Authority is a certificate authority whose key stays in the stack's state,
// encrypted.
type Authority struct {
	pulumi.ResourceState
	key  *tls.PrivateKey
	cert *tls.SelfSignedCert
}

// New creates an authority.
func New(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (*Authority, error) {
	a := &Authority{}
	if err := ctx.RegisterComponentResource(token, name, a, opts...); err != nil {
		return nil, err
	}
	var err error
	if a.key, err = privateKey(ctx, name+"-key", a); err != nil {
		return nil, err
	}
	a.cert, err = tls.NewSelfSignedCert(ctx, name+"-certificate", &tls.SelfSignedCertArgs{
		PrivateKeyPem:       a.key.PrivateKeyPem,
		IsCaCertificate:     pulumi.Bool(true),
		ValidityPeriodHours: pulumi.Int(caHours),
		AllowedUses:         pulumi.ToStringArray([]string{"cert_signing", "crl_signing", "digital_signature"}),
		Subject:             &tls.SelfSignedCertSubjectArgs{CommonName: pulumi.String(ctx.Project() + " " + ctx.Stack())},
	}, component.Options(a)...)
	if err != nil {
		return nil, fmt.Errorf("creating the authority's certificate: %w", err)
	}
	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{"certificate": a.cert.CertPem})
}

// Certificate is the authority's own certificate, PEM.
func (a *Authority) Certificate() pulumi.StringOutput { return a.cert.CertPem }

// Issue makes a server certificate and its key. Both are children of the
// authority unless opts say otherwise.
func (a *Authority) Issue(ctx *pulumi.Context, name string, names []string, opts ...pulumi.ResourceOption) (certificate, key pulumi.StringOutput, err error) {
	k, err := privateKey(ctx, name+"-key", a)
	if err != nil {
		return certificate, key, err
	}
	request, err := tls.NewCertRequest(ctx, name+"-request", &tls.CertRequestArgs{
		PrivateKeyPem: k.PrivateKeyPem,
		DnsNames:      pulumi.ToStringArray(names),
		Subject:       &tls.CertRequestSubjectArgs{CommonName: pulumi.String(names[0])},
	}, component.Options(a, opts...)...)
	if err != nil {
		return certificate, key, fmt.Errorf("requesting certificate %s: %w", name, err)
	}
	signed, err := tls.NewLocallySignedCert(ctx, name+"-certificate", &tls.LocallySignedCertArgs{
		CaCertPem:           a.cert.CertPem,
		CaPrivateKeyPem:     a.key.PrivateKeyPem,
		CertRequestPem:      request.CertRequestPem,
		ValidityPeriodHours: pulumi.Int(leafHours),
		EarlyRenewalHours:   pulumi.Int(renewHours),
		AllowedUses:         pulumi.ToStringArray([]string{"server_auth", "digital_signature", "key_encipherment"}),
	}, component.Options(a, opts...)...)
	if err != nil {
		return certificate, key, fmt.Errorf("signing certificate %s: %w", name, err)
	}
	return signed.CertPem, k.PrivateKeyPem, nil
}

func privateKey(ctx *pulumi.Context, name string, parent pulumi.Resource) (*tls.PrivateKey, error) {
	key, err := tls.NewPrivateKey(ctx, name, &tls.PrivateKeyArgs{
		Algorithm: pulumi.String("ECDSA"), EcdsaCurve: pulumi.String("P256"),
	}, component.Options(parent)...)
	if err != nil {
		return nil, fmt.Errorf("creating key %s: %w", name, err)
	}
	return key, nil
}

package gcp

import (
	"fmt"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// roleEncryption lets an account use a key, and nothing else of it.
const roleEncryption = "roles/cloudkms.cryptoKeyEncrypterDecrypter"

// newKeys makes the ring of the stack's keys. Rings are never deleted, so its name
// is one that no earlier stack has had.
func (p *Platform) newKeys(ctx *pulumi.Context, name string, parent pulumi.Resource) error {
	k := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(keysToken, name, k, component.Options(parent)...); err != nil {
		return err
	}
	ring, err := kms.NewKeyRing(ctx, name+"-ring", &kms.KeyRingArgs{
		Name: p.unique(), Location: pulumi.String(p.settings.Region),
	}, p.child(k, append(protect.Options(p.settings.Protect), pulumi.DependsOn(p.made.enabled))...)...)
	if err != nil {
		return fmt.Errorf("creating the key ring: %w", err)
	}
	p.made.ring = ring.ID().ToStringOutput()
	return ctx.RegisterResourceOutputs(k, pulumi.Map{})
}

// key makes a key that a service uses by its account, and returns its id when the
// account may. What it encrypts is lost with it.
func (p *Platform) key(ctx *pulumi.Context, parent pulumi.Resource, name, purpose string, user pulumi.StringInput) (pulumi.StringOutput, []pulumi.Resource, error) {
	key, err := kms.NewCryptoKey(ctx, name+"-key", &kms.CryptoKeyArgs{
		Name: pulumi.String(purpose), KeyRing: p.made.ring, Purpose: pulumi.String("ENCRYPT_DECRYPT"),
		// Every service here goes on to decrypt with the older versions, each of which is
		// billed: a year, as on the other clouds.
		RotationPeriod: pulumi.String("31536000s"),
		// Google's longest time in which a destroyed version can be brought back is 120 days,
		// its own choice 30 (cloud.google.com/kms/docs/destroy-restore).
		DestroyScheduledDuration: pulumi.String("2592000s"),
		Labels:                   p.labels(),
	}, p.child(parent, protect.Options(p.settings.Protect)...)...)
	if err != nil {
		return pulumi.StringOutput{}, nil, fmt.Errorf("creating the %s key: %w", purpose, err)
	}
	use, err := kms.NewCryptoKeyIAMMember(ctx, name+"-key-use", &kms.CryptoKeyIAMMemberArgs{
		CryptoKeyId: key.ID(), Role: pulumi.String(roleEncryption), Member: member(user),
	}, p.child(parent, append(protect.Options(p.settings.Protect), p.granted)...)...)
	if err != nil {
		return pulumi.StringOutput{}, nil, fmt.Errorf("letting the %s key be used: %w", purpose, err)
	}
	return key.ID().ToStringOutput(), []pulumi.Resource{use}, nil
}

package postgres

import (
	"fmt"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
	"github.com/mlflow-platform/mlflow-platform/components/protect"
)

// PasswordArgs are the generated passwords of a login.
type PasswordArgs struct {
	// Version is database.passwordVersion.
	Version int
	// Protect makes the engine refuse to replace the newest one.
	Protect bool
	// Mixed puts a digit, a small and a capital letter into each: one of 280 has no
	// digit by chance. An existing password would be another one.
	Mixed bool
}

// NewPasswords generates the password of a version, from 1, beside the one before
// it: newest first. The odd versions share one resource and the even ones another,
// so the password that is in use stays as it is whether the version goes up or
// back by one. By two it would be replaced under the running pods: the guard makes
// the engine refuse that.
func NewPasswords(ctx *pulumi.Context, name string, a PasswordArgs, parent pulumi.Resource) ([]pulumi.StringOutput, error) {
	var passwords []pulumi.StringOutput
	for v := a.Version; v >= max(1, a.Version-1); v-- {
		child, args := name, &random.RandomPasswordArgs{
			// Letters and digits need no quoting in a URI or in SQL.
			Length: pulumi.Int(32), Special: pulumi.Bool(false),
		}
		if a.Mixed {
			args.MinNumeric, args.MinLower, args.MinUpper = pulumi.Int(1), pulumi.Int(1), pulumi.Int(1)
		}
		if v%2 == 0 {
			child += "-alternate"
		}
		if v > 1 {
			args.Keepers = pulumi.StringMap{"version": pulumi.String(fmt.Sprint(v))}
		}
		opts := protect.Options(a.Protect && v == a.Version)
		if v != a.Version {
			opts = append(opts, pulumi.IgnoreChanges([]string{"keepers"}))
		}
		password, err := random.NewRandomPassword(ctx, child, args, component.Options(parent, opts...)...)
		if err != nil {
			return nil, fmt.Errorf("creating %s: %w", child, err)
		}
		passwords = append(passwords, password.Result)
	}
	return passwords, nil
}

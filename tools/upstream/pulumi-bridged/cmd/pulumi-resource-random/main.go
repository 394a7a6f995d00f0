// Command pulumi-resource-random is the Pulumi provider "random": the Terraform
// provider of that name behind Pulumi's Terraform bridge, built from modules.
//
// It serves Go programs. Its schema holds only the name and version, because
// the Go SDK has its own copy of the types.
package main

import (
	"context"
	"fmt"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/terraform-providers/terraform-provider-random/shim"
)

// version is that of the Go SDK the program uses; the linker sets it.
var version string

func main() {
	info := tfbridge.ProviderInfo{
		P:            pf.ShimProvider(shim.New()),
		Name:         "random",
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	// The published provider's tokens carry the prefix twice: random_password
	// is random:index/randomPassword:RandomPassword.
	info.MustComputeTokens(tokens.SingleModule("random_", "index", func(_, name string) (string, error) {
		return "random:index/random" + name + ":Random" + name, nil
	}))
	pf.Main(context.Background(), info.Name, info, pf.ProviderMetadata{
		PackageSchema: fmt.Appendf(nil, `{"name":%q,"version":%q}`, info.Name, version),
	})
}

// Command pulumi-resource-tls is the Pulumi provider "tls": the Terraform
// provider of that name behind Pulumi's Terraform bridge, built from modules.
//
// It serves Go programs. Its schema holds only the name and version, because
// the Go SDK has its own copy of the types.
package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-provider-tls/shim"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
)

// version is that of the Go SDK the program uses; the linker sets it.
var version string

func main() {
	info := tfbridge.ProviderInfo{
		P:            pf.ShimProvider(shim.New()),
		Name:         "tls",
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	info.MustComputeTokens(tokens.SingleModule("tls_", "index", tokens.MakeStandard("tls")))
	pf.Main(context.Background(), info.Name, info, pf.ProviderMetadata{
		PackageSchema: fmt.Appendf(nil, `{"name":%q,"version":%q}`, info.Name, version),
	})
}

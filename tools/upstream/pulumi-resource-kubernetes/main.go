// Command pulumi-resource-kubernetes is the official Pulumi Kubernetes provider,
// built from its published Go module instead of downloaded as a binary.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

// The embedded files come from the provider's module; they are not in the
// repository because they are large and follow from the pin in go.mod.
//
//go:generate go run ./gen

//go:embed schema-embed.json
var schema []byte

//go:embed terraform-mapping-embed.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}

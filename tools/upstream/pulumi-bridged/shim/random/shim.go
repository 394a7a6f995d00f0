// Package shim reaches the Terraform provider, which its module keeps internal:
// Go allows the import because the shim module has a path below the provider's,
// and the go.mod that uses it replaces that path with this directory.
package shim

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"
	random "github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// New returns the Terraform provider.
func New() provider.Provider { return random.New() }

// Command program is the Pulumi program of stacks on Google Cloud; the one in the
// repository's root builds and runs it.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/gcp"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

func main() {
	program := &stacks.Program{Platforms: stacks.Platforms{settings.GCP: gcp.New}}
	pulumi.Run(program.Run, program.Configure)
}

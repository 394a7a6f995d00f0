// Command program is the Pulumi program of stacks on Azure; the one in the
// repository's root builds and runs it.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/azure"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

func main() {
	program := &stacks.Program{Platforms: stacks.Platforms{settings.Azure: azure.New}}
	pulumi.Run(program.Run, program.Configure)
}

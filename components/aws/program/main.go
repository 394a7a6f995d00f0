// Command program is the Pulumi program of stacks on AWS; the one in the
// repository's root builds and runs it.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/aws"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

func main() {
	program := &stacks.Program{Platforms: stacks.Platforms{settings.AWS: aws.New}}
	pulumi.Run(program.Run, program.Configure)
}

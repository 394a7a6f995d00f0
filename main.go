// Command mlflow-platform is the Pulumi program: one stack is one environment.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/stacks"
)

func main() {
	program := &stacks.Program{}
	pulumi.Run(program.Run, program.Configure)
}

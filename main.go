// Command mlflow-platform is the Pulumi program: one stack is one environment.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/kubernetes"
	"github.com/mlflow-platform/mlflow-platform/stacks"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// clouds are the platforms with a program in a module of their own. A cloud's
// SDK takes minutes and gigabytes to compile, and a module that requires one
// makes every stack fetch its plugin (docs/decisions/0009).
var clouds = map[settings.Platform]string{settings.AWS: "aws", settings.Azure: "azure", settings.GCP: "gcp"}

func main() {
	if cloud, ok := clouds[configured(os.Getenv(pulumi.EnvConfig))]; ok {
		os.Exit(delegate(cloud))
	}
	program := &stacks.Program{Platforms: stacks.Platforms{settings.Kubernetes: kubernetes.New}}
	pulumi.Run(program.Run, program.Configure)
}

// configured is the platform in the configuration that the engine hands over.
func configured(config string) settings.Platform {
	var values map[string]string
	if err := json.Unmarshal([]byte(config), &values); err != nil {
		return "" // pulumi.Run reports it.
	}
	return settings.Platform(values[settings.Project+":platform"])
}

// delegate builds a cloud's program, which takes a second when nothing changed,
// and lets it do the work of this one: the engine is found by the environment.
func delegate(cloud string) int {
	program := filepath.Join("bin", "mlflow-platform-"+cloud)
	build := exec.Command("go", "build", "-C", filepath.Join("components", cloud), "-o", filepath.Join("..", "..", program), "./program")
	for _, command := range []*exec.Cmd{build, exec.Command(program)} {
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
		err := command.Run()
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			return exit.ExitCode()
		case err != nil:
			fmt.Fprintf(os.Stderr, "running the program of platform %s: %v\n", cloud, err)
			return 1
		}
	}
	return 0
}

package graph

import (
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// StackFile is a run of the project of a Pulumi.yaml with the configuration of a
// Pulumi.<stack>.yaml, both read the way the CLI reads them. What the file keeps
// encrypted stays so.
func StackFile(project, file string) (Run, error) {
	p, err := workspace.LoadProject(project)
	if err != nil {
		return Run{}, err
	}
	stack, err := workspace.LoadProjectStack(nil, p, file)
	if err != nil {
		return Run{}, err
	}
	values, err := stack.Config.Decrypt(config.NopDecrypter)
	if err != nil {
		return Run{}, err
	}
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
	r := Run{Project: string(p.Name), Stack: name, Config: map[string]string{}}
	for key, value := range values {
		r.Config[key.String()] = value
	}
	for _, key := range stack.Config.SecureKeys() {
		r.SecretKeys = append(r.SecretKeys, key.String())
	}
	return r, nil
}

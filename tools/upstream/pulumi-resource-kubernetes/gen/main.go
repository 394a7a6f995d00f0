// Command gen writes the two files that the provider embeds, from the
// provider's module in the module cache, to the working directory.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	provider = "github.com/pulumi/pulumi-kubernetes/provider/v4"
	// The provider's module has no version tags; the SDK released with it does.
	sdk = "github.com/pulumi/pulumi-kubernetes/sdk/v4"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatalf("generating the embedded files: %v", err)
	}
}

func run() error {
	source, err := download(provider)
	if err != nil {
		return err
	}
	released, err := download(sdk)
	if err != nil {
		return err
	}
	for _, name := range []string{"schema", "terraform-mapping"} {
		text, err := os.ReadFile(filepath.Join(source.Dir, "cmd", "pulumi-resource-kubernetes", name+".json"))
		if err != nil {
			return err
		}
		if name == "schema" {
			if text, err = setVersion(text, strings.TrimPrefix(released.Version, "v")); err != nil {
				return fmt.Errorf("%s.json: %w", name, err)
			}
		}
		var small bytes.Buffer
		if err := json.Compact(&small, text); err != nil {
			return fmt.Errorf("%s.json: %w", name, err)
		}
		if err := os.WriteFile(name+"-embed.json", small.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// setVersion writes the version into the schema, which has none in the module.
func setVersion(schema []byte, version string) ([]byte, error) {
	var spec map[string]json.RawMessage
	if err := json.Unmarshal(schema, &spec); err != nil {
		return nil, err
	}
	quoted, err := json.Marshal(version)
	if err != nil {
		return nil, err
	}
	spec["version"] = quoted
	return json.Marshal(spec)
}

// module is a module of the build, in the module cache. Download and not list:
// list knows no directory of a module that nothing has downloaded yet, and says
// so with an empty one.
type module struct{ Dir, Version string }

func download(path string) (module, error) {
	var m module
	cmd := exec.Command("go", "mod", "download", "-json", path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("go mod download %s: %w", path, err)
	}
	return m, json.Unmarshal(out, &m)
}

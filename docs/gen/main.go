// Command gen writes docs/configuration.md and docs/outputs.md from the doc
// comments of the settings and the outputs. Run it in the repository's root.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/mlflow-platform/mlflow-platform/docs/gen/reference"
)

func main() {
	pages, err := reference.Pages(".")
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range pages {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			log.Fatal(fmt.Errorf("writing %s: %w", name, err))
		}
	}
}

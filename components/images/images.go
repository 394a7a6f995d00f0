// Package images is the one table of container images. Every image has an
// upstream reference with an exact version and a local name, under which the
// tools build it for clusters that reach no registry. A local build
// never claims an upstream name or digest.
package images

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed images.json
var table []byte

// The images of the platform.
const (
	MLflow        = "mlflow"
	PostgreSQL    = "postgresql"
	CloudNativePG = "cloudnative-pg"
	Caddy         = "caddy"
	MinIO         = "minio"
)

// Image is one row of the table.
type Image struct {
	// Upstream is the reference in the registry of the project that makes it.
	Upstream string `json:"upstream"`
	// Local is the reference of the image that the tools build.
	Local string `json:"local"`
}

// Table returns every image by name.
func Table() (map[string]Image, error) {
	var t map[string]Image
	if err := json.Unmarshal(table, &t); err != nil {
		return nil, fmt.Errorf("reading the image table: %w", err)
	}
	return t, nil
}

// Version is the release of an image: the tag of its local name. It is empty
// for a name that is not in the table.
func Version(name string) string {
	t, err := Table()
	if err != nil {
		return ""
	}
	_, version, _ := strings.Cut(t[name].Local, ":")
	return version
}

// Set resolves names to references the way a stack wants them.
type Set struct {
	// Local uses the locally built images.
	Local bool
	// Registry mirrors all upstream registries.
	Registry string
	// MLflowVersion replaces the table's MLflow version.
	MLflowVersion string
	// Override replaces whole references by name.
	Override map[string]string
}

// Ref is the reference of an image. An unknown name is an error.
func (s Set) Ref(name string) (string, error) {
	if ref := s.Override[name]; ref != "" {
		return ref, nil
	}
	t, err := Table()
	if err != nil {
		return "", err
	}
	image, ok := t[name]
	if !ok {
		return "", fmt.Errorf("image %q is not in the image table", name)
	}
	ref := image.Upstream
	if s.Local {
		ref = image.Local
	}
	if name == MLflow && s.MLflowVersion != "" {
		ref = strings.Replace(ref, Version(MLflow), s.MLflowVersion, 1)
	}
	if s.Registry != "" && !s.Local {
		_, path, _ := strings.Cut(ref, "/")
		ref = strings.TrimSuffix(s.Registry, "/") + "/" + path
	}
	return ref, nil
}

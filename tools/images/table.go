package images

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

// localPrefix begins the local name of the images that only the local cluster
// needs: they are no part of the platform and so not in its table of images.
const localPrefix = "localhost/mlflow-platform/"

// Names returns the names of all images.
func Names() []string {
	return []string{"coredns", "pause", "caddy", "minio", "cloudnative-pg", "postgresql", "mlflow"}
}

// LocalRef returns the local name of an image, such as
// localhost/mlflow-platform/caddy:2.11.9: from components/images/images.json, or
// for coredns and pause from the version of the program.
func LocalRef(name string) (string, error) {
	root, err := toolchain.Root()
	if err != nil {
		return "", err
	}
	refs, err := localRefs(root)
	if err != nil {
		return "", err
	}
	ref, ok := refs[name]
	if !ok {
		return "", fmt.Errorf("no image is called %q", name)
	}
	return ref, nil
}

// localRefs returns the local names of all images.
func localRefs(root string) (map[string]string, error) {
	path := filepath.Join(root, "components", "images", "images.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the table of images: %w", err)
	}
	var entries map[string]struct{ Local string }
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("reading the table of images %s: %w", path, err)
	}
	refs := make(map[string]string, len(entries))
	for name, entry := range entries {
		refs[name] = entry.Local
	}
	for _, name := range []string{"coredns", "pause"} {
		version, err := toolchain.Version(name)
		if err != nil {
			return nil, err
		}
		refs[name] = localPrefix + name + ":" + version
	}
	return refs, nil
}

// table returns all images of the checkout.
func table(root string) ([]image, error) {
	refs, err := localRefs(root)
	if err != nil {
		return nil, err
	}
	images := make([]image, 0, len(Names()))
	for _, name := range Names() {
		ref, ok := refs[name]
		if !ok {
			return nil, fmt.Errorf("the table of images has no entry %q", name)
		}
		var img image
		var err error
		switch name {
		case "postgresql":
			img, err = postgresqlImage(ref)
		case "mlflow":
			img, err = mlflowImage(root, ref)
		default:
			img, err = programImage(programs[name])
		}
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", name, err)
		}
		img.name, img.ref = name, ref
		images = append(images, img)
	}
	return images, nil
}

// Package archive reads what images an archive holds, without unpacking it.
package archive

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// refAnnotations name an image in an OCI layout, the full name first.
var refAnnotations = []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"}

// Read returns the images of a tar archive as `docker save` writes it, or of
// an OCI layout in a tar file: for every reference something that changes
// whenever the image does. It reads the headers and the index only.
func Read(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading image archive: %w", err)
	}
	defer f.Close()
	var docker, oci []byte
	entries := tar.NewReader(f) // seeks over contents, the file being a file
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading image archive %s: %w; it must be a tar file that is not compressed", path, err)
		}
		switch header.Name {
		case "manifest.json":
			docker, err = io.ReadAll(entries)
		case "index.json":
			oci, err = io.ReadAll(entries)
		}
		if err != nil {
			return nil, fmt.Errorf("reading image archive %s: %w", path, err)
		}
	}
	var images map[string]string
	switch {
	case oci != nil: // newer docker archives hold both, and containerd prefers this one
		images, err = readOCI(oci)
	case docker != nil:
		images, err = readDocker(docker)
	default:
		err = errors.New("it has neither manifest.json nor index.json")
	}
	if err == nil && len(images) == 0 {
		err = errors.New("no image in it has a name")
	}
	if err != nil {
		return nil, fmt.Errorf("reading image archive %s: %w", path, err)
	}
	return images, nil
}

// readDocker identifies an image by the name of its configuration, a digest
// that covers the digests of all layers.
func readDocker(manifest []byte) (map[string]string, error) {
	var all []struct {
		Config   string
		RepoTags []string
	}
	if err := json.Unmarshal(manifest, &all); err != nil {
		return nil, err
	}
	images := map[string]string{}
	for _, image := range all {
		for _, ref := range image.RepoTags {
			images[ref] = image.Config
		}
	}
	return images, nil
}

// readOCI identifies an image by the digest of its manifest.
func readOCI(index []byte) (map[string]string, error) {
	var all struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	if err := json.Unmarshal(index, &all); err != nil {
		return nil, err
	}
	images := map[string]string{}
	for _, image := range all.Manifests {
		for _, key := range refAnnotations {
			if ref := image.Annotations[key]; ref != "" {
				images[ref] = image.Digest
				break
			}
		}
	}
	return images, nil
}

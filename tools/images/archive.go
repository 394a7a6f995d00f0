package images

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// epoch is the time stamp of what has no better one: a fixed time makes the same
// input give the same bytes.
var epoch = time.Unix(0, 0).UTC()

// tarLayer is a layer that is a tar file on disk and stays uncompressed, which
// the tarball package cannot make.
type tarLayer struct {
	path   string
	digest v1.Hash
	size   int64
}

func newLayer(path string) (v1.Layer, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	digest, size, err := v1.SHA256(file)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("hashing the layer %s: %w", path, err)
	}
	return tarLayer{path: path, digest: digest, size: size}, file.Close()
}

// Digest is the hash of the layer as it is stored.
func (l tarLayer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID is the hash of the uncompressed layer, which is how it is stored.
func (l tarLayer) DiffID() (v1.Hash, error) { return l.digest, nil }

// Compressed returns the layer as it is stored.
func (l tarLayer) Compressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Uncompressed returns the tar stream.
func (l tarLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Size is the number of bytes as stored.
func (l tarLayer) Size() (int64, error) { return l.size, nil }

// MediaType says that the layer is not compressed.
func (l tarLayer) MediaType() (types.MediaType, error) { return types.DockerUncompressedLayer, nil }

// writeArchive writes an image of these layers to a file.
func writeArchive(path string, img image, layers []v1.Layer) error {
	built, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return err
	}
	config, err := built.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = img.config
	config.Created = v1.Time{Time: epoch}
	if built, err = mutate.ConfigFile(built, config); err != nil {
		return err
	}
	ref, err := name.NewTag(img.ref)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(path, ref, built)
}

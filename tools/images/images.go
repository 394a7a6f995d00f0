// Package images builds the container images of the local platform, for
// machines that reach no image registry: the same programs at the same upstream
// versions as the upstream images, under local names, as archives that
// `ctr --namespace k8s.io images import` and `docker load` read.
//
// Images of Go programs hold one static binary that package toolchain builds;
// the same input gives the same bytes. Images of Debian packages are root file
// systems that mmdebstrap makes from the archive in the host's own apt
// configuration, with signatures checked. Layers are not compressed: they never
// cross a network, and importing an image is what a cluster's start waits for.
//
// Archives are in the cache at images/<name>-<version>-<key>.tar. The key covers
// what the image is made of: the keys of its programs, package lists, Python
// requirements and the steps of the build. A newer Debian package alone does not
// change it; `toolchain clean -all` starts afresh.
package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mlflow-platform/mlflow-platform/tools/internal/files"
	"github.com/mlflow-platform/mlflow-platform/tools/internal/once"
	"github.com/mlflow-platform/mlflow-platform/tools/internal/progress"
	"github.com/mlflow-platform/mlflow-platform/tools/toolchain"
)

const (
	// keyLength is the number of hexadecimal digits of a key in a file name.
	keyLength = 12
	// format is part of every key: it is raised when the way archives are
	// written changes in a way that no other part of a key shows.
	format = 1
)

// image is one image and how it is built.
type image struct {
	name, ref string
	config    v1.Config
	// tools are the programs of package toolchain it holds.
	tools []string
	// needs are the host programs of the build.
	needs []need
	// inputs writes what the image is made of, besides tools and config, to the
	// hash that becomes its key.
	inputs func(io.Writer) error
	// layers builds the layers below tmp, the lowest first. dirs says where the
	// binaries of each tool are.
	layers func(ctx context.Context, b build) ([]v1.Layer, error)
}

// build is what the layers of one image are built with.
type build struct {
	tmp  string            // an empty directory
	log  string            // a file for the output of other programs
	dirs map[string]string // tool name to the directory of its binaries
	say  func(doing string)
}

// Ensure builds the named images that are absent, with progress on out, and
// returns for each name the path of its archive. Programs an absent image needs
// are built first. It checks what all builds need from the host before the
// first one and reports every problem at once.
func Ensure(ctx context.Context, out io.Writer, names ...string) (map[string]string, error) {
	p, err := newPlan(ctx, names)
	if err != nil || len(p.absent) == 0 {
		return p.paths, err
	}
	if err := errors.Join(preflight(ctx, p.absent), toolchain.Preflight(ctx, p.tools...)); err != nil {
		return nil, err
	}
	dirs, err := toolchain.Ensure(ctx, out, p.tools...)
	if err != nil {
		return nil, err
	}
	for i, img := range p.absent {
		title := fmt.Sprintf("[%d/%d] image %s", i+1, len(p.absent), img.name)
		if err := ensure(ctx, out, p.cache, img, p.paths[img.name], title, dirs); err != nil {
			return nil, fmt.Errorf("building the image %s: %w", img.name, err)
		}
	}
	return p.paths, nil
}

// Installed are the images of Debian's and Python's packages; the others are of
// programs that are built first.
var Installed = []string{"postgresql", "mlflow"}

// workload are the images that the stack runs.
var workload = slices.Concat(Installed, []string{"cloudnative-pg", "caddy", "minio"})

// Workload builds the images that the stack runs, as far as they are absent, and
// returns their archives.
func Workload(ctx context.Context, out io.Writer) ([]string, error) {
	built, err := Ensure(ctx, out, workload...)
	return slices.Sorted(maps.Values(built)), err
}

// Preflight checks what the builds of the named images that are absent need from
// the host, and reports every problem at once; what their programs need is for
// [toolchain.Preflight]. [Ensure] does both; a caller that wants to know before
// anything starts asks here.
func Preflight(ctx context.Context, names ...string) error {
	p, err := newPlan(ctx, names)
	if err != nil {
		return err
	}
	return preflight(ctx, p.absent)
}

// Absent are the named images that [Ensure] would build, and the programs that it
// would need for them.
func Absent(ctx context.Context, names ...string) (absent, programs []string, err error) {
	p, err := newPlan(ctx, names)
	for _, img := range p.absent {
		absent = append(absent, img.name)
	}
	return absent, p.tools, err
}

// plan says what is to be built.
type plan struct {
	cache  string
	paths  map[string]string // image name to the path of its archive
	absent []image
	tools  []string // what the absent images need
}

func newPlan(ctx context.Context, names []string) (plan, error) {
	root, err := toolchain.Root()
	if err != nil {
		return plan{}, err
	}
	cache, err := toolchain.CacheDir()
	if err != nil {
		return plan{}, err
	}
	found, err := find(root, names)
	if err != nil {
		return plan{}, err
	}
	p := plan{cache: cache, paths: make(map[string]string, len(found))}
	for _, img := range found {
		path, err := archivePath(ctx, cache, img)
		if err != nil {
			return plan{}, fmt.Errorf("planning the image %s: %w", img.name, err)
		}
		p.paths[img.name] = path
		if _, err := os.Stat(path); err != nil {
			p.absent = append(p.absent, img)
			p.tools = append(p.tools, img.tools...)
		}
	}
	return p, nil
}

// archivePath is where the archive of an image is or will be.
func archivePath(ctx context.Context, cache string, img image) (string, error) {
	digest := sha256.New()
	fmt.Fprintf(digest, "%d %s %+v\n", format, img.ref, img.config)
	if len(img.tools) > 0 {
		builds, err := toolchain.Lookup(ctx, img.tools...)
		if err != nil {
			return "", err
		}
		for _, b := range builds {
			fmt.Fprintln(digest, b.Name, b.Key)
		}
	}
	if err := img.inputs(digest); err != nil {
		return "", err
	}
	key := hex.EncodeToString(digest.Sum(nil))[:keyLength]
	_, version, _ := strings.Cut(filepath.Base(img.ref), ":")
	return filepath.Join(cache, "images", img.name+"-"+version+"-"+key+".tar"), nil
}

// ensure builds one image, or waits for another process that does.
func ensure(ctx context.Context, out io.Writer, cache string, img image, path, title string, dirs map[string]string) error {
	entry := once.Entry{
		Path:    path,
		Lock:    filepath.Join(cache, "locks", "image-"+img.name+".lock"),
		Waiting: func() { fmt.Fprintf(out, "%s: waiting for another process that builds it\n", title) },
	}
	log := filepath.Join(cache, "logs", "image-"+img.name+".log")
	_, err := entry.Build(ctx, func(tmp string) (string, error) {
		if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
			return "", err
		}
		if err := os.Truncate(log, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		doing := &phase{}
		step := progress.Start(out, title, doing.String)
		defer step.Stop()
		layers, err := img.layers(ctx, build{tmp: tmp, log: log, dirs: dirs, say: doing.set})
		if err != nil {
			return "", err
		}
		doing.set("writing the archive")
		archive := filepath.Join(tmp, "image.tar")
		if err := writeArchive(archive, img, layers); err != nil {
			return "", err
		}
		info, err := os.Stat(archive)
		if err != nil {
			return "", err
		}
		step.Stop()
		fmt.Fprintf(out, "%s: %s built in %s, %s\n", title, img.ref, step.Elapsed(), files.SizeText(info.Size()))
		return archive, nil
	})
	if errors.Is(err, context.Canceled) {
		return ctx.Err()
	}
	return err
}

// find returns the named images in the order of the table, without duplicates.
func find(root string, names []string) ([]image, error) {
	all, err := table(root)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(i image) bool { return i.name == name }) {
			return nil, fmt.Errorf("unknown image %q: it is one of %s", name, strings.Join(Names(), ", "))
		}
	}
	return slices.DeleteFunc(all, func(i image) bool { return !slices.Contains(names, i.name) }), nil
}

package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// alwaysDropped is in no image of Debian packages: files of the running system,
// caches, and documentation other than licences.
var alwaysDropped = []string{
	"dev/*", "proc/*", "sys/*", "run/*", "tmp/*", "var/tmp/*", "var/cache/*", "var/log/*", "var/lib/apt/*",
	"var/lib/dpkg/*-old", "etc/machine-id", "etc/hostname", "etc/resolv.conf", "etc/.pwd.lock",
	"usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "usr/share/bug",
	"usr/share/doc/*/[^c]*", "usr/share/doc/*/c[^o]*",
}

// splitter turns the tar file of a root file system into layers.
type splitter struct {
	// stamp replaces the time of every file: installing gives each run its own.
	stamp time.Time
	drop  []string
	// upper is a directory whose contents become a layer of their own; empty
	// means one layer.
	upper string
}

// split writes the layers below tmp, the lowest first.
func (s splitter) split(rootfs, tmp string) ([]v1.Layer, error) {
	in, err := os.Open(rootfs)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	names := []string{"lower.tar"}
	if s.upper != "" {
		names = append(names, "upper.tar")
	}
	var outs []*tar.Writer
	for i, name := range names {
		names[i] = filepath.Join(tmp, name)
		file, err := os.Create(names[i])
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		outs = append(outs, tar.NewWriter(file))
	}
	if err := s.copy(tar.NewReader(in), outs); err != nil {
		return nil, err
	}
	var layers []v1.Layer
	for i, out := range outs {
		if err := out.Close(); err != nil {
			return nil, err
		}
		layer, err := newLayer(names[i])
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// copy copies every entry that is not dropped to the layer it belongs to.
func (s splitter) copy(in *tar.Reader, outs []*tar.Writer) error {
	patterns := append(append([]string{}, alwaysDropped...), s.drop...)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Clean(header.Name)
		drop, err := dropped(name, patterns)
		if err != nil {
			return err
		}
		if drop || name == "." {
			continue
		}
		if header.Typeflag == tar.TypeLink {
			// A hard link without its first name could not be unpacked.
			if gone, err := dropped(path.Clean(header.Linkname), patterns); err != nil || gone {
				return errors.Join(err, fmt.Errorf("/%s is dropped but has a second name /%s", header.Linkname, name))
			}
		}
		header.ModTime, header.AccessTime, header.ChangeTime = s.stamp, time.Time{}, time.Time{}
		// Names of users differ between hosts; numbers are what counts.
		header.Uname, header.Gname = "", ""
		out := outs[0]
		if s.upper != "" && strings.HasPrefix(name, s.upper+"/") {
			out = outs[1]
		}
		if err := out.WriteHeader(header); err != nil {
			return fmt.Errorf("adding /%s: %w", name, err)
		}
		if _, err := io.Copy(out, in); err != nil {
			return fmt.Errorf("adding /%s: %w", name, err)
		}
	}
}

// dropped reports whether a pattern of [path.Match] matches the path or a
// directory above it.
func dropped(name string, patterns []string) (bool, error) {
	segments := strings.Split(name, "/")
	for _, pattern := range patterns {
		depth := strings.Count(pattern, "/") + 1
		if depth > len(segments) {
			continue
		}
		match, err := path.Match(pattern, strings.Join(segments[:depth], "/"))
		if match || err != nil {
			return match, err
		}
	}
	return false, nil
}

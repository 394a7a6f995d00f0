package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// entry is a file, directory or symbolic link of a layer.
type entry struct {
	// path has no leading slash; a directory's ends with one.
	path string
	// mode are the permission bits; 0 means 0755 for directories and sources,
	// 0644 for text.
	mode int64
	// uid owns the entry, with the group of the same number.
	uid int
	// A file has either text or a source file on disk; a symbolic link has link.
	text, source, link string
}

// writeTar writes the entries, in their order, as a tar file.
func writeTar(path string, stamp time.Time, entries []entry) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	out := tar.NewWriter(file)
	for _, e := range entries {
		if err = e.write(out, stamp); err != nil {
			err = fmt.Errorf("adding /%s: %w", e.path, err)
			break
		}
	}
	if err == nil {
		err = out.Close()
	}
	return errors.Join(err, file.Close())
}

// write adds the entry to a tar stream.
func (e entry) write(out *tar.Writer, stamp time.Time) error {
	header := &tar.Header{Name: e.path, Mode: e.mode, Uid: e.uid, Gid: e.uid, ModTime: stamp}
	var content io.Reader
	switch {
	case strings.HasSuffix(e.path, "/"):
		header.Typeflag, header.Mode = tar.TypeDir, orMode(e.mode, 0o755)
	case e.link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, e.link, 0o777
	case e.source != "":
		file, err := os.Open(e.source)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		header.Typeflag, header.Size, header.Mode = tar.TypeReg, info.Size(), orMode(e.mode, 0o755)
		content = file
	default:
		header.Typeflag, header.Size, header.Mode = tar.TypeReg, int64(len(e.text)), orMode(e.mode, 0o644)
		content = bytes.NewBufferString(e.text)
	}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	if content == nil {
		return nil
	}
	_, err := io.Copy(out, content)
	return err
}

func orMode(mode, otherwise int64) int64 {
	if mode == 0 {
		return otherwise
	}
	return mode
}

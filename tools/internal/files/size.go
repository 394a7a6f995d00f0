// Package files measures and hashes directory trees.
package files

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Size returns the bytes of all files below a directory, without those that
// vanish meanwhile. A directory that does not exist has size 0.
func Size(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		size += info.Size()
		return nil
	})
	return size, err
}

// SizeText writes a number of bytes in decimal units, such as 145 MB.
func SizeText(bytes int64) string {
	switch {
	case bytes < 1e6:
		return fmt.Sprintf("%d kB", (bytes+999)/1e3)
	case bytes < 1e9:
		return fmt.Sprintf("%d MB", (bytes+5e5)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

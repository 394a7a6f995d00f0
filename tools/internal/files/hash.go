package files

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Hash writes the names and contents of all files below a directory to a
// hash, in a fixed order.
func Hash(digest io.Writer, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(digest, "%s %d\n%s\n", filepath.ToSlash(name), len(text), text)
		return err
	})
}

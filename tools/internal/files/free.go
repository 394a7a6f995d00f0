package files

import (
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Free is the space in bytes that the file system of a directory has left for
// users; the directory need not exist yet.
func Free(dir string) (uint64, error) {
	var stat unix.Statfs_t
	err := unix.Statfs(dir, &stat)
	if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		return Free(filepath.Dir(dir))
	}
	return stat.Bavail * uint64(stat.Bsize), err
}

//go:build linux

package box

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lookPath finds a program on the PATH of [Environment] as seen by this
// thread; [exec.LookPath] would use the caller's PATH.
func lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path := strings.TrimPrefix(Environment()[0], "PATH=")
	for _, dir := range filepath.SplitList(path) {
		candidate := filepath.Join(dir, name)
		if unix.Access(candidate, unix.X_OK) == nil {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%q is neither a program of the node nor on %s", name, path)
}

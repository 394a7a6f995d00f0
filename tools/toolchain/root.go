package toolchain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// RootEnv names the environment variable that says where the checkout is, for
// a binary that runs outside it.
const RootEnv = "MLFLOW_PLATFORM_ROOT"

// Root returns the directory of the checkout: $MLFLOW_PLATFORM_ROOT, or the
// nearest directory at or above the working directory that holds
// tools/upstream.
func Root() (string, error) {
	if dir := os.Getenv(RootEnv); dir != "" {
		return filepath.Abs(dir)
	}
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the checkout: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(filepath.Join(dir, "tools", "upstream"))
		if err == nil && info.IsDir() {
			return dir, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("finding the checkout: %w", err)
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("finding the checkout: no directory at or above %s holds tools/upstream; run inside the checkout or set %s", start, RootEnv)
		}
	}
}

package toolchain

import (
	"fmt"
	"os"
	"path/filepath"
)

// CacheEnv names the environment variable that moves the cache.
const CacheEnv = "MLFLOW_PLATFORM_CACHE"

// CacheDir returns the directory that holds everything this project builds
// outside the checkout: $MLFLOW_PLATFORM_CACHE, or mlflow-platform in the
// user's cache directory. It is created if absent.
func CacheDir() (string, error) {
	dir := os.Getenv(CacheEnv)
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding the cache directory: %w; set %s to a directory", err, CacheEnv)
		}
		dir = filepath.Join(base, "mlflow-platform")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding the cache directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("creating the cache directory: %w; set %s to a writable directory", err, CacheEnv)
	}
	return dir, nil
}

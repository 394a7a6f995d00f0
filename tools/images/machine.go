package images

import (
	"fmt"
	"runtime"
)

// machine is the host's architecture as Python's package tags call it.
func machine() (string, error) {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64", nil
	case "arm64":
		return "aarch64", nil
	}
	return "", fmt.Errorf("there are no Python packages for %s: build on amd64 or arm64", runtime.GOARCH)
}

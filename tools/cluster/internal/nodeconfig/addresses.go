package nodeconfig

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

// FreeAddresses frees the addresses of the Pods of an earlier start, whose
// sandboxes are gone. The address that was given last stays recorded, so that
// the next Pods get others: for some seconds after a start the API server still
// shows the old addresses, and a Pod that got the address of another one would
// be treated as that one by Services and NetworkPolicies.
func FreeAddresses(state layout.State) error {
	dir := state.Data("addresses")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("freeing Pod addresses: %w", err)
	}
	// The host-local plugin keeps one file per address, named by it.
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("freeing Pod addresses: %w", err)
		}
		if _, err := netip.ParseAddr(entry.Name()); err != nil || entry.IsDir() {
			return nil
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("freeing Pod addresses: %w", err)
		}
		return nil
	})
}

package nodeconfig

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tools/cluster/internal/layout"
)

func TestFreeAddressesKeepsTheLastOne(t *testing.T) {
	state := layout.State(t.TempDir())
	require.NoError(t, FreeAddresses(state), "there is nothing yet")
	dir := filepath.Join(state.Data("addresses"), "local")
	require.NoError(t, os.Mkdir(dir, 0o700))
	for _, name := range []string{"10.244.0.2", "10.244.0.3", "last_reserved_ip.0", "lock"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	require.NoError(t, FreeAddresses(state))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range left {
		names = append(names, entry.Name())
	}
	assert.Equal(t, []string{"last_reserved_ip.0", "lock"}, names)
}

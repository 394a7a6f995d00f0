package graph

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// Overlapping lists subnets, with their ranges at a path, that are no part of their
// network's range or have addresses of each other.
func Overlapping(network string, subnets []Node, path string) []string {
	var bad []string
	whole := netip.MustParsePrefix(network)
	for i, n := range subnets {
		a := netip.MustParsePrefix(Text(n, path))
		if !whole.Contains(a.Addr()) || a.Bits() < whole.Bits() || a != a.Masked() {
			bad = append(bad, n.Name+" is not a part of the network")
		}
		for _, m := range subnets[:i] {
			if a.Overlaps(netip.MustParsePrefix(Text(m, path))) {
				bad = append(bad, n.Name+" overlaps "+m.Name)
			}
		}
	}
	return bad
}

// CheckSubnets is about the arithmetic: every range that the settings accept is cut
// into parts that do not touch each other.
func (s *Stacks) CheckSubnets(t *testing.T, overlaps func(*Graph) []string, twins map[string]func(*Graph)) {
	t.Helper()
	for _, cidr := range []string{"10.20.0.0/16", "172.16.128.0/17", "10.255.192.0/18", "192.168.224.0/19", "10.0.240.0/20"} {
		r := s.Run(t, s.Prod)
		r.Config[settings.Project+":network"] = `{"cidr": "` + cidr + `"}`
		g, err := Record(r, s.Program())
		require.NoError(t, err)
		assert.Empty(t, overlaps(g), cidr)
	}
	s.CheckTwins(t, overlaps, twins)
}

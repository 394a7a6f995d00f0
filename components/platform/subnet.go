package platform

import "net/netip"

// Subnet is the n-th part of an IPv4 range, counted from zero, with bits bits.
func Subnet(of netip.Prefix, bits, n int) netip.Prefix {
	a := of.Addr().As4()
	value := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	value += uint32(n) << (32 - bits)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), bits)
}

package table

// Mix64 is the finalizer of splitmix64: a bijection of 64-bit integers in which
// every input bit moves every output bit with probability one half. It is the
// hash of integer keys, decides their key group, and is therefore part of the
// snapshot format: it must never change.
func Mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Package toolchain builds the programs this project runs from their pinned
// Go modules and keeps them in a cache outside the checkout.
//
// Every program has a directory tools/upstream/<name> that is a Go module of
// its own: its go.mod is the one place that pins the version, its go.sum makes
// the download verifiable. A build is keyed by the Go version, the build flags
// and the files of that directory; it is repeated only when the key changes.
// Processes that need the same program at the same time build it once.
//
// Layout of the cache (see [CacheDir]):
//
//	tools/<name>-<version>-<key>/   the binaries of one build
//	locks/<name>.lock               held while a program is built
//	logs/<name>.log                 output of the last build
//	pulumi-home/                    PULUMI_HOME of the pinned Pulumi, see [Pulumi]
package toolchain

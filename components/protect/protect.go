// Package protect guards what cannot be made again: databases, buckets, keys
// and volumes.
package protect

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// Options guard a stateful resource against deletion and replacement while on
// is true. Protect alone is not enough: somebody who turns it off in the same
// change as an edit that forces a replacement would get the replacement
// silently, so the resource is retained as well.
func Options(on bool) []pulumi.ResourceOption {
	return []pulumi.ResourceOption{pulumi.Protect(on), pulumi.RetainOnDelete(on)}
}

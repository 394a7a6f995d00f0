// Package naming holds the limits of physical names and shortens names to fit
// them without collisions.
package naming

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// Limit is what a service accepts as a name.
type Limit struct {
	// Max is the length in characters.
	Max int
	// Pattern is what a whole name must match.
	Pattern *regexp.Regexp
	// Want describes the rule to a person.
	Want string
}

// The limits in use, with their sources.
var (
	// Label is an RFC 1123 label: namespaces, Services and most Kubernetes names
	// (kubernetes.io/docs/concepts/overview/working-with-objects/names).
	Label = Limit{63, regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`),
		"lower-case letters, digits and -, at most 63, starting and ending with a letter or digit"}
	// CronJob names lose 11 characters to the Job's suffix
	// (kubernetes.io/docs/concepts/workloads/controllers/cron-jobs).
	CronJob = Limit{52, Label.Pattern, "lower-case letters, digits and -, at most 52"}
	// IAM is a role of AWS (docs.aws.amazon.com/IAM: reference_iam-quotas), and
	// short enough for aliases, topics, alarms and launch templates too.
	IAM = Limit{64, Label.Pattern, "lower-case letters, digits and -, at most 64"}
	// EKS is a cluster's name (docs.aws.amazon.com/eks/latest/APIReference).
	EKS = Limit{100, Label.Pattern, "lower-case letters, digits and -, at most 100"}
	// RDS is the name of an instance or group: 63, and no two hyphens in a row
	// (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html).
	RDS = Limit{63, regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`), "lower-case letters, digits and single -, at most 63, starting with a letter"}
	// Tag is a tag's value in AWS (docs.aws.amazon.com/tag-editor).
	Tag = Limit{256, Label.Pattern, "lower-case letters, digits and -, at most 256"}
	// AzureResource is what clusters, networks and most of a resource group take
	// (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules),
	// short enough for a database server with a suffix of 7 characters.
	AzureResource = Limit{54, regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`), "lower-case letters, digits and single -, at most 54, starting with a letter"}
	// GKE is a cluster's name (cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters),
	// shorter than networks, buckets and database instances with a suffix of 7 characters.
	GKE = Limit{40, regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`), "lower-case letters, digits and -, at most 40, starting with a letter"}
	// ServiceAccount is the id of an account of Google Cloud (cloud.google.com/iam/docs/service-accounts-create).
	ServiceAccount = Limit{30, regexp.MustCompile(`^[a-z][-a-z0-9]{4,28}[a-z0-9]$`), "6 to 30 lower-case letters, digits and -, starting with a letter"}
	// Bucket is the S3 rule (docs.aws.amazon.com/AmazonS3: bucketnamingrules),
	// without dots, which break TLS host names.
	Bucket = Limit{63, regexp.MustCompile(`^[a-z0-9][-a-z0-9]{1,61}[a-z0-9]$`),
		"3 to 63 lower-case letters, digits and -, starting and ending with a letter or digit"}
)

// Valid says whether a name obeys the limit.
func (l Limit) Valid(name string) bool {
	return len(name) <= l.Max && l.Pattern.MatchString(name)
}

var other = regexp.MustCompile(`[^a-z0-9]+`)

// Fit makes a valid name of any parts: joined by -, folded to lower case and,
// where characters were lost or the result is too long, ended by a hash of the
// parts, so that two different inputs do not meet.
func (l Limit) Fit(parts ...string) string {
	plain := strings.Join(parts, "-")
	name := strings.Trim(other.ReplaceAllString(strings.ToLower(plain), "-"), "-")
	if name == plain && l.Valid(name) {
		return name
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	hash := hex.EncodeToString(sum[:])[:8]
	if name == "" || !l.Pattern.MatchString(name+"-"+hash) {
		// Some services want a letter first.
		name = "x" + name
	}
	if keep := l.Max - len(hash) - 1; len(name) > keep {
		name = strings.TrimRight(name[:keep], "-")
	}
	return name + "-" + hash
}

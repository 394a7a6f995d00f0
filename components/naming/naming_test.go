package naming_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mlflow-platform/mlflow-platform/components/naming"
)

var limits = map[string]naming.Limit{"label": naming.Label, "cronjob": naming.CronJob, "bucket": naming.Bucket, "azure": naming.AzureResource,
	"iam": naming.IAM, "eks": naming.EKS, "rds": naming.RDS, "tag": naming.Tag}

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{
		"mlflow": true, "a-b-c": true, "0": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a-": false, "A": false, "a_b": false, "a.b": false, "ä": false, "a\n": false, strings.Repeat("a", 64): false,
	} {
		assert.Equal(t, want, naming.Label.Valid(name), "label %q", name)
	}
	for name, want := range map[string]bool{
		"abc": true, strings.Repeat("a", 63): true, "ab": false, "a.b": false, strings.Repeat("a", 64): false, "-ab": false,
	} {
		assert.Equal(t, want, naming.Bucket.Valid(name), "bucket %q", name)
	}
	assert.True(t, naming.CronJob.Valid(strings.Repeat("a", 52)))
	assert.False(t, naming.CronJob.Valid(strings.Repeat("a", 53)))
}

func TestFit(t *testing.T) {
	assert.Equal(t, "mlflow-migration-3-17-2-", naming.Label.Fit("mlflow-migration", "3.17.2")[:24], "what is lost is replaced by a hash")
	assert.Equal(t, "a-b", naming.Label.Fit("a", "b"), "what fits stays as it is")
	assert.Len(t, naming.CronJob.Fit(strings.Repeat("a", 100)), 52, "what is too long is cut to the limit")
	assert.NotEqual(t, naming.Label.Fit("3.17.2"), naming.Label.Fit("3-17.2"), "folding does not make names meet")
	assert.NotEqual(t, naming.Label.Fit("Prod"), naming.Label.Fit("prod"))
}

func FuzzFit(f *testing.F) {
	for _, seed := range []string{"", "-", "mlflow", "Ümläut", "a.b.c", "3.17.2", strings.Repeat("long", 40), "a--b", "\x00", "x" + strings.Repeat("-", 80)} {
		f.Add(seed, "prod")
		f.Add("stack", seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for name, limit := range limits {
			got := limit.Fit(a, b)
			assert.True(t, limit.Valid(got), "%s: %q from %q, %q", name, got, a, b)
			assert.Equal(t, got, limit.Fit(a, b), "%s: the same every time", name)
			assert.True(t, limit.Valid(limit.Fit(a)), "%s: one part", name)
		}
	})
}

// TestFitDoesNotCollide samples names that differ in one character only, which
// folding and cutting would make equal.
func TestFitDoesNotCollide(t *testing.T) {
	for name, limit := range limits {
		seen := map[string]string{}
		long := strings.Repeat("very-long-project-name-", 4)
		for _, prefix := range []string{"", "Stack-", long} {
			for _, c := range "abcABC012._-@ äé/" {
				for _, d := range "abcABC012._-@ äé/" {
					in := prefix + string(c) + "x" + string(d)
					got := limit.Fit(in)
					other, taken := seen[got]
					assert.False(t, taken, "%s: %q and %q are both %q", name, in, other, got)
					seen[got] = in
				}
			}
		}
	}
}

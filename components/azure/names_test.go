package azure

import (
	"regexp"
	"testing"
)

// FuzzGlobalName: whatever a stack is called, its storage account and its vault
// have a name that Azure takes
// (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules).
func FuzzGlobalName(f *testing.F) {
	for _, stack := range []string{"prod", "Prod-2", "a-very-long-name-of-a-stack-that-goes-on", "", "日本", "42"} {
		f.Add(stack)
	}
	// A vault's name begins with a letter, too.
	taken := regexp.MustCompile(`^[a-z][a-z0-9]{2,23}$`)
	const suffix = "0a1b2c"
	f.Fuzz(func(t *testing.T, stack string) {
		if name := plain(stack) + suffix; !taken.MatchString(name) || len(suffix) != 2*suffixBytes {
			t.Errorf("stack %q has a storage account %q", stack, name)
		}
	})
}

package tests

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// link is a relative link or picture of a Markdown page, without its anchor.
var link = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)

// dangling lists the links of a page to files that are not there.
func dangling(dir, page string) []string {
	var bad []string
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join(dir, m[1])); err != nil {
			bad = append(bad, m[1])
		}
	}
	return bad
}

func TestLinksLeadSomewhere(t *testing.T) {
	pages := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		pages++
		assert.Empty(t, dangling(filepath.Dir(path), string(text)), path)
		return err
	}))
	assert.Greater(t, pages, 20)
	assert.Equal(t, []string{"gone.md", "no.png"}, dangling("..", "[a](README.md) [b](gone.md#there) ![c](no.png) [d](https://example.com) [e](#here)"))
}

package toolchain

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCompileProgramSpeaksOfWhatItCompiles(t *testing.T) {
	b, out := checkout(t, nil)
	write(t, b.root, map[string]string{
		"go.mod": "module example.com/program\n\ngo 1.26.0\n", "components/kubernetes/kubernetes.go": "package kubernetes\n",
		// The directory is new, and so is the package's build.
		"stacks/stacks.go": "package stacks\n\nconst Root = \"" + b.root + "\"\n",
	})
	require.NoError(t, b.compileProgram(t.Context()))
	assert.Contains(t, out.String(), "Pulumi program: ")
	assert.Contains(t, out.String(), "packages compiled in ")
	said := out.String()
	require.NoError(t, b.compileProgram(t.Context()))
	assert.Equal(t, said, out.String(), "what is compiled is not worth a line")

	write(t, b.root, map[string]string{"stacks/stacks.go": "package stacks\n\nvar _ = undefined\n"})
	err := b.compileProgram(t.Context())
	require.ErrorContains(t, err, "compiling the Pulumi program: go build: ")
	assert.ErrorContains(t, err, "undefined: undefined")
	assert.ErrorContains(t, err, "next: ")
}

// TestCompilersCollectNothingWhereThereIsMemory is about machines of 2 cores with 8
// GiB, as firmware leaves them, and of 16 with as much.
func TestCompilersCollectNothingWhereThereIsMemory(t *testing.T) {
	assert.Equal(t, []string{"GOGC=off", "GOMEMLIMIT=3221225472"}, collector(7800<<20, 2))
	assert.Equal(t, []string{"GOGC=200"}, collector(7800<<20, 16))
	t.Setenv("GOGC", "50")
	assert.Empty(t, thisMachine(), "the user's own")
}

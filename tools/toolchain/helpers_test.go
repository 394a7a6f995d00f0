package toolchain

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// buffer is a writer for several goroutines.
type buffer struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// hello is a program that imports nothing, so that it builds in a moment.
var hello = Tool{
	Name: "hello", Version: "1.2.3", Packages: []string{"."},
	LDFlags: []string{"-X main.version={version}/{major}/{minor}"},
}

const helloMain = "package main\n\nvar version string\n\nfunc main() { println(version) }\n"

// checkout returns a builder whose checkout has the program hello with these
// files besides go.mod.
func checkout(t *testing.T, contents map[string]string) (*builder, *buffer) {
	t.Helper()
	b := &builder{root: t.TempDir(), cache: t.TempDir()}
	out := &buffer{}
	b.out = out
	write(t, b.moduleDir(hello), map[string]string{"go.mod": "module example.com/hello\n\ngo 1.26.0\n"})
	write(t, b.moduleDir(hello), contents)
	return b, out
}

func write(t *testing.T, dir string, contents map[string]string) {
	t.Helper()
	for name, text := range contents {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

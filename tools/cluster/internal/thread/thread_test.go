//go:build linux

package thread

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"
)

func TestRunUsesAThreadOfItsOwn(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		Run(func() {
			tid := unix.Gettid()
			assert.NotEqual(t, unix.Getpid(), tid, "it is the first thread")
			seen[tid] = true
			runtime.Gosched()
			assert.Equal(t, tid, unix.Gettid(), "it changed threads")
		})
	}
	assert.Len(t, seen, 200, "every call has a new thread")
}

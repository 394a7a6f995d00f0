//go:build linux

// Package thread runs functions on a thread of their own, which they may move
// into other namespaces.
package thread

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Run calls f on a thread that ends when f returns, and waits for it. The
// thread is never the process's first one: that one cannot end, and its
// namespaces are what /proc/self shows of the whole process.
func Run(f func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// This goroutine keeps the first thread busy: the next one
			// gets another.
			Run(f)
			runtime.UnlockOSThread()
			close(done)
			return
		}
		defer close(done)
		f()
	}()
	<-done
}

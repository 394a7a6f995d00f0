package images

import "sync/atomic"

// phase is what a build is doing, said from one goroutine to another.
type phase struct{ text atomic.Value }

func (p *phase) set(doing string) { p.text.Store(doing) }

// String returns what the build is doing, or nothing before it began.
func (p *phase) String() string {
	text, _ := p.text.Load().(string)
	return text
}

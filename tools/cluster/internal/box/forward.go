//go:build linux

package box

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	// acceptPause keeps a failing accept, as when descriptors run out, from
	// spinning.
	acceptPause = 100 * time.Millisecond
	// lingerTimeout is how long one direction may go on after the other broke,
	// as in nginx's lingering_close.
	lingerTimeout = 30 * time.Second
)

// serve accepts connections until the listener is closed and connects each
// with the target.
func serve(ctx context.Context, listener net.Listener, target string) {
	for {
		client, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			slog.Error("accepting a connection", "target", target, "error", err)
			time.Sleep(acceptPause)
			continue
		}
		go func() {
			defer client.Close()
			dialer := net.Dialer{Timeout: dialTimeout}
			server, err := dialer.DialContext(ctx, "tcp", target)
			if err != nil {
				slog.Debug("connecting", "target", target, "error", err)
				return
			}
			defer server.Close()
			join(client, server)
		}()
	}
}

// join copies both ways until both sides have finished. The end of one
// direction is passed on and leaves the other one open: a client may close its
// half once the request is sent and still wait for the answer.
//
// A direction that breaks leaves the other one open as well, for lingerTimeout:
// a server that refuses an upload answers, stops to read and resets. What the
// client still sends is then read and dropped, so that it gets to the answer.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			from, to := pair[0], pair[1]
			if _, err := io.Copy(to, from); err != nil {
				// Fails on a connection that is closed, which ends the copies anyway.
				deadline := time.Now().Add(lingerTimeout)
				_, _ = a.SetDeadline(deadline), b.SetDeadline(deadline)
				_, _ = io.Copy(io.Discard, from) // ends at once if from is the broken one
			}
			if half, ok := to.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite() // fails if the peer is gone, which the other direction notices
			}
		})
	}
	both.Wait()
}

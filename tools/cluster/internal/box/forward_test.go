//go:build linux

package box

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// dialThrough starts a forwarder to a server that runs handle, and connects.
func dialThrough(t *testing.T, handle func(*net.TCPConn)) *net.TCPConn {
	t.Helper()
	server, forwarder := listen(t), listen(t)
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go handle(c.(*net.TCPConn))
		}
	}()
	go serve(t.Context(), forwarder, server.Addr().String())
	c, err := net.Dial("tcp", forwarder.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	return c.(*net.TCPConn)
}

func TestForwardPassesOnTheEndOfARequestAndThenTheAnswer(t *testing.T) {
	client := dialThrough(t, func(c *net.TCPConn) {
		defer c.Close()
		request, _ := io.ReadAll(c) // returns when the client has closed its half
		_, _ = c.Write(append([]byte("answer to "), request...))
	})
	_, err := client.Write([]byte("request"))
	require.NoError(t, err)
	require.NoError(t, client.CloseWrite())
	answer, err := io.ReadAll(client)
	require.NoError(t, err)
	assert.Equal(t, "answer to request", string(answer))
}

func TestForwardPassesOnTheEndOfAnAnswerAndThenTheRequest(t *testing.T) {
	received := make(chan string, 1)
	client := dialThrough(t, func(c *net.TCPConn) {
		defer c.Close()
		_, _ = c.Write([]byte("greeting"))
		_ = c.CloseWrite()
		request, _ := io.ReadAll(c)
		received <- string(request)
	})
	greeting, err := io.ReadAll(client)
	require.NoError(t, err)
	assert.Equal(t, "greeting", string(greeting))
	_, err = client.Write([]byte("late request"))
	require.NoError(t, err)
	require.NoError(t, client.Close())
	assert.Equal(t, "late request", <-received)
}

func TestForwardClosesWhenNothingListens(t *testing.T) {
	gone := listen(t)
	target := gone.Addr().String()
	require.NoError(t, gone.Close())
	forwarder := listen(t)
	go serve(t.Context(), forwarder, target)
	c, err := net.Dial("tcp", forwarder.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	_, err = io.ReadAll(c)
	assert.NoError(t, err, "the connection is closed and does not hang")
}

func TestForwardEndsWithTheServer(t *testing.T) {
	client := dialThrough(t, func(c *net.TCPConn) {
		_ = c.SetLinger(0) // resets the connection
		_ = c.Close()
	})
	_, err := io.ReadAll(client)
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is closed and does not hang")
}

func TestForwardDeliversTheAnswerOfAServerThatStopsReading(t *testing.T) {
	client := dialThrough(t, func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 1024))
		_, _ = c.Write([]byte("too large"))
		time.Sleep(100 * time.Millisecond)
		_ = c.SetLinger(0) // resets the connection
		_ = c.Close()
	})
	// More than all buffers on the way hold.
	_, err := client.Write(make([]byte, 64<<20))
	require.NoError(t, err)
	require.NoError(t, client.CloseWrite())
	answer, err := io.ReadAll(client)
	require.NoError(t, err)
	assert.Equal(t, "too large", string(answer))
}

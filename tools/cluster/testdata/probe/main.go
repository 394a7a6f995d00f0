// Command probe is both ends of the cluster's tests: "probe serve" is an HTTP
// server on port 8080 that says its host name, "probe get URL" and "probe
// lookup NAME" are clients, "probe write FILE TEXT" and "probe read FILE" use a
// volume. A client that fails exits with status 1.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// timeout bounds a client: a blocked connection may hang.
const timeout = 3 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch args[0] {
	case "serve":
		return http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			name, _ := os.Hostname()
			fmt.Fprintln(w, "hello from", name)
		}))
	case "get":
		response, err := (&http.Client{Timeout: timeout}).Get(args[1])
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = io.Copy(os.Stdout, response.Body)
		return err
	case "lookup":
		addresses, err := net.LookupHost(args[1])
		fmt.Println(addresses)
		return err
	case "write":
		return os.WriteFile(args[1], []byte(args[2]), 0o600)
	case "read":
		text, err := os.ReadFile(args[1])
		os.Stdout.Write(text)
		return err
	}
	return fmt.Errorf("unknown command %q", args[0])
}

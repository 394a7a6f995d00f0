package toolchain

import "strings"

// advice maps what the go command says to what the user can do about it. The
// first match counts.
var advice = []struct{ symptom, step string }{
	{"no space left on device", "free disk space (make list-cache shows what takes it) and run the same command again"},
	{"signal: killed", "the kernel ended the compiler, most likely for memory: provide 6 GB of free memory or set GOMAXPROCS=1, and run the same command again"},
	{"missing go.sum entry", "run `go mod tidy` in the program's directory below tools/upstream and commit its go.mod and go.sum"},
	{"updates to go.mod needed", "run `go mod tidy` in the program's directory below tools/upstream and commit its go.mod and go.sum"},
	{"checksum mismatch", "the download differs from the committed go.sum: find out why before anything else; do not delete go.sum"},
	{"dial tcp", "check that the Go module proxy is reachable (go env GOPROXY) and run the same command again"},
	{"403 Forbidden", "the Go module proxy does not serve a module: check `go env GOPROXY` and run the same command again"},
	{"requires go >=", "install the Go version it names and run the same command again"},
}

// nextStep returns what to do after a build failed with this output.
func nextStep(output string) string {
	for _, a := range advice {
		if strings.Contains(output, a.symptom) {
			return a.step
		}
	}
	return "fix what the log says and run the same command again: what is compiled is kept"
}

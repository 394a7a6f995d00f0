package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const (
	// suite is the Debian release of the images: the first with PostgreSQL 17 and
	// Python 3.13.
	suite = "trixie"
	// keyring holds the keys that sign Debian's archive, from the Debian package
	// debian-archive-keyring.
	keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// MirrorEnv names the environment variable with the URL of a Debian archive, for
// hosts whose own apt configuration has none. Without it, that one is used.
const MirrorEnv = "MLFLOW_PLATFORM_DEBIAN_MIRROR"

// aptSources returns the lines of a sources.list for the suite.
func aptSources(ctx context.Context) ([]string, error) {
	if mirror := os.Getenv(MirrorEnv); mirror != "" {
		return sourceLines(mirror, ""), nil
	}
	// The origin is what the signed Release file says, not a guess from the URL.
	cmd := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking apt for its sources: %w", err)
	}
	archive, security := debianArchive(string(out))
	if archive == "" {
		return nil, errors.New("apt knows no Debian archive: run apt-get update on a Debian host, or set " + MirrorEnv + " to the URL of one")
	}
	return sourceLines(archive, security), nil
}

// debianArchive finds the URLs of the Debian archive and of its security updates
// in apt's list of index files.
func debianArchive(targets string) (archive, security string) {
	for line := range strings.Lines(targets) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) != 4 || fields[0] != "Debian" || fields[2] != "main" {
			continue
		}
		switch {
		case fields[1] == "Debian" && archive == "":
			archive = fields[3]
		case fields[1] == "Debian-Security" && security == "":
			security = fields[3]
		}
	}
	return archive, security
}

// sourceLines are the suite's lines for an archive and, if there is one, its
// security updates.
func sourceLines(archive, security string) []string {
	lines := []string{
		fmt.Sprintf("deb %s %s main", archive, suite),
		fmt.Sprintf("deb %s %s-updates main", archive, suite),
	}
	if security != "" {
		lines = append(lines, fmt.Sprintf("deb %s %s-security main", security, suite))
	}
	return lines
}

// aptProxy returns apt's proxy settings in the form of its configuration files.
func aptProxy(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, "apt-config", "dump", "--format", `%f "%v";%n`, "Acquire::http::Proxy", "Acquire::https::Proxy")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking apt for its proxy: %w", err)
	}
	var settings []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasSuffix(line, `"";`) {
			settings = append(settings, line)
		}
	}
	return settings, nil
}

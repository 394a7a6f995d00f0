package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// nonroot is the user of images whose upstream runs as nobody in particular.
const nonroot = 65532

// defaultPath is PATH in every image.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// program is the image of one static binary. Paths, user and command are those
// of the upstream image, so that one pod specification fits both.
type program struct {
	// tool is the program's name in package toolchain, binary its file there.
	tool, binary string
	// path is the binary's place in the image.
	path string
	// more are further entries, such as directories and links. They come before
	// the binary.
	more   []entry
	config v1.Config
}

// programs are the images of Go programs by name.
var programs = map[string]program{
	"coredns": {
		tool: "coredns", binary: "coredns", path: "coredns",
		config: v1.Config{User: user(nonroot), WorkingDir: "/", Entrypoint: []string{"/coredns"}},
	},
	"pause": {
		tool: "pause", binary: "pause", path: "pause",
		config: v1.Config{User: "65535:65535", WorkingDir: "/", Entrypoint: []string{"/pause"}},
	},
	"caddy": {
		tool: "caddy", binary: "caddy", path: "usr/bin/caddy",
		more: dirs("config/", "config/caddy/", "data/", "data/caddy/", "etc/caddy/", "srv/"),
		config: v1.Config{
			Env:        []string{"XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"},
			WorkingDir: "/srv",
			Cmd:        []string{"caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"},
		},
	},
	"minio": {
		tool: "minio", binary: "minio", path: "usr/bin/minio",
		config: v1.Config{WorkingDir: "/", Entrypoint: []string{"/usr/bin/minio"}},
	},
	"cloudnative-pg": {
		// The operator looks for its binary of each architecture in operator/, to
		// compare it with the copies in the pods of the database.
		tool: "cloudnative-pg", binary: "manager", path: "operator/manager_" + runtime.GOARCH,
		more:   []entry{{path: "operator/"}, {path: "manager", link: "operator/manager_" + runtime.GOARCH}},
		config: v1.Config{User: user(nonroot), WorkingDir: "/", Entrypoint: []string{"/manager"}},
	},
}

// certificates are the places of the host's trusted certificate authorities, in
// the order of Go's crypto/x509.
var certificates = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// programImage turns a program into an image of two layers: what all programs
// share, and the binary.
func programImage(p program) (image, error) {
	trusted, err := trustedCertificates()
	if err != nil {
		return image{}, err
	}
	shared := base(trusted)
	p.config.Env = append([]string{defaultPath}, p.config.Env...)
	return image{
		config: p.config,
		tools:  []string{p.tool},
		inputs: func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%+v %s %+v\n", shared, p.path, p.more)
			return err
		},
		layers: func(_ context.Context, b build) ([]v1.Layer, error) {
			binary := entry{path: p.path, source: filepath.Join(b.dirs[p.tool], p.binary)}
			var layers []v1.Layer
			for i, entries := range [][]entry{shared, slices.Concat(p.more, []entry{binary})} {
				path := filepath.Join(b.tmp, fmt.Sprintf("layer%d.tar", i))
				if err := writeTar(path, epoch, entries); err != nil {
					return nil, err
				}
				layer, err := newLayer(path)
				if err != nil {
					return nil, err
				}
				layers = append(layers, layer)
			}
			return layers, nil
		},
	}, nil
}

// base are the entries that static programs expect of a root file system.
func base(trusted string) []entry {
	entries := dirs("etc/", "etc/ssl/", "etc/ssl/certs/", "home/", "tmp/", "usr/", "usr/bin/")
	for i := range entries {
		if entries[i].path == "tmp/" {
			entries[i].mode = 0o1777
		}
	}
	return append(entries,
		entry{path: "home/nonroot/", mode: 0o700, uid: nonroot},
		entry{path: "etc/passwd", text: "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"},
		entry{path: "etc/group", text: "root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n"},
		entry{path: "etc/nsswitch.conf", text: "hosts: files dns\n"},
		entry{path: "etc/ssl/certs/ca-certificates.crt", text: trusted},
	)
}

// trustedCertificates returns the host's trusted certificate authorities.
func trustedCertificates() (string, error) {
	for _, path := range certificates {
		if text, err := os.ReadFile(path); err == nil {
			return string(text), nil
		}
	}
	return "", errors.New("this host has no list of trusted certificate authorities; run: apt-get install ca-certificates")
}

// user names a user and the group of the same number.
func user(uid int) string { return fmt.Sprintf("%d:%d", uid, uid) }

// dirs returns directories that belong to root.
func dirs(paths ...string) []entry {
	entries := make([]entry, len(paths))
	for i, path := range paths {
		entries[i] = entry{path: path}
	}
	return entries
}

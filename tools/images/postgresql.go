package images

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// postgresUID is the user that CloudNativePG runs PostgreSQL as.
const postgresUID = 26

// postgresqlImage is PostgreSQL from Debian as CloudNativePG requires it: the
// executables on PATH, locales, and no entry point, because the operator brings
// its instance manager. The major version is the tag of the image, which is also
// where the operator reads it.
func postgresqlImage(ref string) (image, error) {
	_, tag, _ := strings.Cut(ref[strings.LastIndex(ref, "/"):], ":")
	major, err := strconv.Atoi(tag)
	if err != nil {
		return image{}, fmt.Errorf("the tag of %s is not a major version of PostgreSQL", ref)
	}
	bin := fmt.Sprintf("/usr/lib/postgresql/%d/bin", major)
	system := rootfs{
		packages: []string{fmt.Sprintf("postgresql-%d", major), "ca-certificates", "locales", "tzdata"},
		// The package would create a user with a number of its own choice, and a
		// database cluster.
		before: fmt.Sprintf(`set -e
echo 'postgres:x:999:' >> "$1/etc/group"
echo 'postgres:*:19000::::::' >> "$1/etc/shadow"
echo 'postgres:x:%d:999:PostgreSQL administrator:/var/lib/postgresql:/bin/bash' >> "$1/etc/passwd"
mkdir -p "$1/etc/postgresql-common/createcluster.d"
echo 'create_main_cluster = false' > "$1/etc/postgresql-common/createcluster.d/none.conf"`, postgresUID),
		after: `set -e
# ssl-cert made a private key, which would be the same in every pod.
rm "$1"/etc/ssl/private/* "$1"/etc/ssl/certs/ssl-cert-snakeoil.pem
chroot "$1" find /etc/ssl/certs -xtype l -delete
chroot "$1" localedef -i en_US -c -f UTF-8 -A /usr/share/locale/locale.alias en_US.UTF-8
chroot "$1" ` + bin + `/postgres --version`,
		drop: []string{
			// The sources of locales that exist compiled.
			"usr/share/i18n",
			// Just-in-time compilation: PostgreSQL does without if the library is not
			// there, and the compiler is half of the image.
			"usr/lib/*/libLLVM*", "usr/lib/*/libz3*", "usr/lib/llvm-*", "usr/lib/postgresql/*/lib/bitcode", "usr/lib/postgresql/*/lib/llvmjit*",
			// Debian's Perl scripts around PostgreSQL, which the operator does not use.
			"usr/share/perl", "usr/share/perl5", "usr/lib/*/perl", "usr/lib/*/libperl*",
		},
	}
	return image{
		config: v1.Config{
			User:       fmt.Sprintf("%d", postgresUID),
			WorkingDir: "/",
			Env:        []string{strings.Replace(defaultPath, "=", "="+bin+":", 1), "LANG=C.UTF-8"},
		},
		needs:  debianNeeds(),
		inputs: func(w io.Writer) error { return system.write(w) },
		layers: func(ctx context.Context, b build) ([]v1.Layer, error) {
			b.say("installing Debian packages")
			path, err := system.build(ctx, b)
			if err != nil {
				return nil, err
			}
			b.say("writing layers")
			return splitter{stamp: epoch, drop: system.drop}.split(path, b.tmp)
		},
	}, nil
}

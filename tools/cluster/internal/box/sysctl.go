//go:build linux

package box

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// pretended are the sysctls of the whole machine that the kubelet demands and
// would change. It is shown files with the values it wants instead; it reads
// them, is content and writes nothing. The values are those of the kubelet's
// container manager.
var pretended = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// mountSysctls makes the machine's sysctls read-only, leaves those of the
// network namespace writable, and covers the pretended ones.
func mountSysctls() error {
	for _, dir := range []string{"/proc/sys", "/proc/sys/net"} {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	readOnly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/proc/sys", 0, readOnly); err != nil {
		return fmt.Errorf("making /proc/sys read-only: %w", err)
	}
	dir := "/run/pretended-sysctls"
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, value := range pretended {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "."))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, filepath.Join("/proc/sys", name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("covering sysctl %s: %w", name, err)
		}
	}
	return nil
}

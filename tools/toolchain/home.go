package toolchain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// layOutHome links the built plugins into a PULUMI_HOME and returns it.
//
// The CLI finds a plugin in plugins/resource-<name>-v<version>/; it accepts a
// symbolic link there only for the file, not for the directory.
func layOutHome(cache string, builds []Build) (string, error) {
	home := filepath.Join(cache, "pulumi-home")
	for _, build := range builds {
		name, isPlugin := strings.CutPrefix(build.Name, "pulumi-resource-")
		if !isPlugin {
			continue
		}
		dir := filepath.Join(home, "plugins", "resource-"+name+"-v"+build.Version)
		if err := place(os.Symlink, filepath.Join(build.Dir, build.Name), filepath.Join(dir, build.Name)); err != nil {
			return "", err
		}
	}
	return home, nil
}

// layOutCLI puts the CLI and the Go language host side by side: the CLI looks
// for the host in the directory of its own executable, and because the kernel
// resolves symbolic links there, both are hard links.
func layOutCLI(home string, builds []Build) (PulumiCommand, error) {
	var key, version string
	for _, build := range builds {
		switch build.Name {
		case "pulumi":
			key += build.Key
			version = build.Version
		case "pulumi-language-go":
			key += build.Key
		}
	}
	// The directory is named after both keys, so that checkouts with different
	// pins do not exchange each other's CLI.
	root := filepath.Join(home, "cli", version+"-"+key)
	bin := filepath.Join(root, "bin")
	for _, build := range builds {
		if build.Name != "pulumi" && build.Name != "pulumi-language-go" {
			continue
		}
		if err := place(os.Link, filepath.Join(build.Dir, build.Name), filepath.Join(bin, build.Name)); err != nil {
			return PulumiCommand{}, err
		}
	}
	return PulumiCommand{Root: root, Bin: bin, Version: version}, nil
}

// place links path to target, in one step even where a link exists: another
// process may be using it.
func place(link func(target, path string) error, target, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if same(target, path) {
		return nil
	}
	tmp := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := link(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// same reports whether both paths lead to one file.
func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// need is something the build of an image needs from the host, and the Debian
// package it is in.
type need struct {
	// what names it in a message.
	what string
	// met reports whether the host has it.
	met func(context.Context) bool
	pkg string
}

// debianNeeds are the needs of every image of Debian packages.
func debianNeeds() []need {
	return []need{
		command("mmdebstrap", "mmdebstrap"),
		command("gpgv", "gpgv"),
		command("apt-get", "apt"),
		{
			what: "the keys of the Debian archive", pkg: "debian-archive-keyring",
			met: func(context.Context) bool {
				_, err := os.Stat(keyring)
				return err == nil
			},
		},
	}
}

// command is the need of a program on PATH.
func command(name, pkg string) need {
	return need{what: "the program " + name, pkg: pkg, met: func(context.Context) bool {
		_, err := exec.LookPath(name)
		return err == nil
	}}
}

// preflight checks what the images need from the host and reports all problems
// at once.
func preflight(ctx context.Context, images []image) error {
	var problems []error
	var packages []string
	for _, img := range images {
		for _, n := range img.needs {
			if slices.Contains(packages, n.pkg) || n.met(ctx) {
				continue
			}
			problems = append(problems, fmt.Errorf("the image %s needs %s", img.name, n.what))
			packages = append(packages, n.pkg)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	slices.Sort(packages)
	problems = append(problems, fmt.Errorf("run: apt-get install --no-install-recommends %s", strings.Join(packages, " ")))
	return fmt.Errorf("this host cannot build the images yet:\n%w", errors.Join(problems...))
}

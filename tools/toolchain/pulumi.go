package toolchain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// MinPulumi is the oldest Pulumi CLI that is used from PATH. It knows every
// engine feature the program's SDK asks for before it uses it (error hooks and
// the version check came last, between 3.215 and 3.220), and it is the first
// that obeys requiredPulumiVersion in Pulumi.yaml. A newer major version is not
// used: it may speak another protocol.
const MinPulumi = "v3.220.0"

// OfflineEnv names the environment variable that, set to a true value, keeps
// [Pulumi] from asking a CLI on PATH to download provider plugins.
const OfflineEnv = "MLFLOW_PLATFORM_OFFLINE"

// installTimeout is how long a CLI on PATH may take to install one plugin. The
// biggest is a few dozen megabytes; a network that drops packets would otherwise
// hold up the user for longer than a build takes.
const installTimeout = 3 * time.Minute

// plugins are the resource plugins the Pulumi program needs on the local
// platform; each is built by the tool pulumi-resource-<name>.
var plugins = []string{"kubernetes", "random", "tls"}

// PulumiCommand is a Pulumi CLI that is ready to run the program.
type PulumiCommand struct {
	// Root is the directory whose bin/pulumi is the pinned CLI; it is what
	// auto.PulumiCommandOptions.Root of the Automation API expects. It is empty
	// for a CLI from PATH, as the Automation API expects as well.
	Root string
	// Bin is the directory of the pulumi binary: put it first on PATH.
	Bin string
	// Version is the CLI's version without its leading v.
	Version string
	// Home is the PULUMI_HOME with the provider plugins. It is empty when the
	// user's own is used.
	Home string
	// Env are the variables the CLI needs besides its backend and passphrase,
	// as NAME=value. It is empty when the user's own PULUMI_HOME is used.
	Env []string
}

// Pulumi returns a Pulumi CLI with the provider plugins the program needs.
//
// A CLI on PATH is used if it is compatible (see [MinPulumi]), otherwise the
// pinned one is built. Plugins come from the user's PULUMI_HOME if they are
// installed there, or if the CLI on PATH can install them now; that is not tried
// when $MLFLOW_PLATFORM_OFFLINE is true. Otherwise they are built from their
// modules, for a PULUMI_HOME in the cache that is ours alone. The pinned CLI
// always has built plugins: building must not depend on anything but module
// registries.
func Pulumi(ctx context.Context, out io.Writer) (PulumiCommand, error) {
	b, err := newBuilder(out)
	if err != nil {
		return PulumiCommand{}, err
	}
	command, found := pulumiOnPath(ctx, out)
	if found {
		ready, err := b.officialPlugins(ctx)
		if err != nil {
			return PulumiCommand{}, err
		}
		if ready {
			return command, nil
		}
	}
	tools := programs(found)
	if _, err := Ensure(ctx, out, tools...); err != nil {
		return PulumiCommand{}, err
	}
	builds, err := Lookup(ctx, tools...)
	if err != nil {
		return PulumiCommand{}, err
	}
	home, err := layOutHome(b.cache, builds)
	if err != nil {
		return PulumiCommand{}, fmt.Errorf("laying out PULUMI_HOME: %w", err)
	}
	command.Home = home
	command.Env = []string{
		"PULUMI_HOME=" + home,
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
	}
	if !found {
		cli, err := layOutCLI(home, builds)
		if err != nil {
			return PulumiCommand{}, fmt.Errorf("laying out the Pulumi CLI: %w", err)
		}
		command.Root, command.Bin, command.Version = cli.Root, cli.Bin, cli.Version
	}
	return command, nil
}

// PulumiPrograms are the programs that [Pulumi] is to build: none where a
// compatible CLI is installed, which has its plugins or can install them.
func PulumiPrograms(ctx context.Context) ([]string, error) {
	_, found := pulumiOnPath(ctx, io.Discard)
	if !found {
		return programs(found), nil
	}
	if !offline() {
		return nil, nil
	}
	absent, err := absentPlugins()
	if err != nil || len(absent) == 0 {
		return nil, err
	}
	return programs(found), nil
}

// programs are those to build, without the CLI where one was found.
func programs(found bool) []string {
	var names []string
	for _, name := range plugins {
		names = append(names, "pulumi-resource-"+name)
	}
	if !found {
		names = append(names, "pulumi", "pulumi-language-go")
	}
	return names
}

// pulumiOnPath returns the CLI on PATH if there is a compatible one.
func pulumiOnPath(ctx context.Context, out io.Writer) (PulumiCommand, bool) {
	path, err := exec.LookPath("pulumi")
	if err != nil {
		return PulumiCommand{}, false
	}
	cmd := exec.CommandContext(ctx, path, "version")
	cmd.Env = append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true")
	text, err := cmd.Output()
	if err != nil {
		fmt.Fprintf(out, "pulumi on PATH (%s) does not start: %v; the pinned one is used\n", path, err)
		return PulumiCommand{}, false
	}
	version := strings.TrimSpace(string(text))
	if !compatible(version) {
		fmt.Fprintf(out, "pulumi on PATH is %s, %s or newer within %s is needed; the pinned one is used\n",
			version, MinPulumi, semver.Major(MinPulumi))
		return PulumiCommand{}, false
	}
	return PulumiCommand{Bin: filepath.Dir(path), Version: strings.TrimPrefix(version, "v")}, true
}

// compatible reports whether a CLI of this version can run the program.
func compatible(version string) bool {
	return semver.IsValid(version) && semver.Major(version) == semver.Major(MinPulumi) &&
		semver.Compare(version, MinPulumi) >= 0
}

// officialPlugins reports whether all plugins are in the user's PULUMI_HOME,
// where the CLI on PATH puts them if it can.
func (b *builder) officialPlugins(ctx context.Context) (bool, error) {
	absent, err := absentPlugins()
	if err != nil {
		return false, err
	}
	for _, plugin := range absent {
		if offline() || !b.installPlugin(ctx, plugin.name, plugin.version) {
			return false, ctx.Err()
		}
	}
	return true, nil
}

// plugin is a resource plugin of the program.
type plugin struct{ name, version string }

// absentPlugins are those that the user's PULUMI_HOME does not have.
func absentPlugins() ([]plugin, error) {
	home, err := userPulumiHome()
	if err != nil {
		return nil, err
	}
	var absent []plugin
	for _, name := range plugins {
		version, err := Version("pulumi-resource-" + name)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(home, "plugins", "resource-"+name+"-v"+version)); err != nil {
			absent = append(absent, plugin{name, version})
		}
	}
	return absent, nil
}

// installPlugin asks the CLI on PATH to install a plugin and reports whether it
// could.
func (b *builder) installPlugin(ctx context.Context, name, version string) bool {
	fmt.Fprintf(b.out, "pulumi on PATH installs its plugin %s %s\n", name, version)
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "pulumi", "plugin", "install", "resource", name, "v"+version)
	if text, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(b.out, "it cannot (%v), so the plugins are built from their modules; set %s=true to skip this attempt\n%s\n",
			err, OfflineEnv, tail(text))
		return false
	}
	return true
}

// offline reports whether the user forbids downloads by a CLI from PATH.
func offline() bool {
	value, err := strconv.ParseBool(os.Getenv(OfflineEnv))
	return err == nil && value
}

// userPulumiHome is the PULUMI_HOME that a CLI uses by default.
func userPulumiHome() (string, error) {
	if home := os.Getenv("PULUMI_HOME"); home != "" {
		return home, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.Join(errors.New("finding PULUMI_HOME"), err)
	}
	return filepath.Join(home, ".pulumi"), nil
}

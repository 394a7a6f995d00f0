package images

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// mlflowUID runs the server.
	mlflowUID = 1000
	// python is the version of Python in the suite, for which wheels are chosen.
	python = "3.13"
	// glibc is the minor version of the suite's C library 2.x: wheels for older
	// ones fit.
	glibc = 41
	// venv is where MLflow and its packages are.
	venv = "opt/mlflow"
)

// installMLflow installs the uploaded wheels into a virtual environment and
// compiles everything to bytecode that is valid whatever the time stamps of the
// sources: the image has others, and a server with a read-only root file system
// would compile on each start. The hash seed gives sets in bytecode one order.
const installMLflow = `set -e
export MLFLOW_DISABLE_TELEMETRY=true
chroot "$1" /bin/sh -ec '
python3 -m venv /opt/mlflow
/opt/mlflow/bin/pip install --no-index --find-links /tmp/wheels --no-deps --no-compile --require-hashes -r /tmp/wheels/requirements.txt
/opt/mlflow/bin/pip uninstall --yes pip
dpkg --purge python3-venv python3.13-venv python3-pip-whl
find /opt/mlflow/lib -type d -name tests -prune -exec rm -rf {} +
PYTHONHASHSEED=0 python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /usr/lib/python3.13 /opt/mlflow/lib
HOME=/tmp /opt/mlflow/bin/mlflow --version'
rm -rf "$1/tmp/wheels"
echo 'mlflow:x:1000:1000:MLflow:/home/mlflow:/usr/sbin/nologin' >> "$1/etc/passwd"
echo 'mlflow:x:1000:' >> "$1/etc/group"
mkdir -m 0750 "$1/home/mlflow"
chown 1000:1000 "$1/home/mlflow"`

// mlflowImage is the MLflow server on Debian's Python, with exactly the packages
// of images/mlflow/requirements.txt.
func mlflowImage(root, ref string) (image, error) {
	requirements := filepath.Join(root, "images", "mlflow", "requirements.txt")
	lock, err := os.ReadFile(requirements)
	if err != nil {
		return image{}, err
	}
	system := rootfs{
		packages: []string{"python3", "python3-venv", "libstdc++6", "ca-certificates", "tzdata"},
		after:    installMLflow,
	}
	return image{
		config: v1.Config{
			User:       user(mlflowUID),
			WorkingDir: "/home/mlflow",
			Env: []string{
				"PATH=/" + venv + "/bin:" + defaultPath[len("PATH="):],
				"LANG=C.UTF-8",
				"PYTHONUNBUFFERED=1",
				// The root file system is read-only where it counts.
				"PYTHONDONTWRITEBYTECODE=1",
				"MLFLOW_DISABLE_TELEMETRY=true",
				// MLflow looks for git and logs a warning without it.
				"GIT_PYTHON_REFRESH=quiet",
			},
			Cmd: []string{"mlflow", "server", "--host", "0.0.0.0"},
		},
		needs: append(debianNeeds(), need{what: "pip, Python's package installer", pkg: "python3-pip", met: hasPip}),
		inputs: func(w io.Writer) error {
			if err := system.write(w); err != nil {
				return err
			}
			_, err := w.Write(lock)
			return err
		},
		layers: func(ctx context.Context, b build) ([]v1.Layer, error) {
			wheels := filepath.Join(b.tmp, "wheels")
			b.say("downloading Python packages")
			if err := downloadWheels(ctx, b, requirements, wheels); err != nil {
				return nil, err
			}
			stamp, err := newestFile(wheels, "mlflow-[0-9]*.whl")
			if err != nil {
				return nil, err
			}
			system.upload = []upload{{from: wheels, to: "/tmp"}}
			b.say("installing Debian and Python packages")
			path, err := system.build(ctx, b)
			if err != nil {
				return nil, err
			}
			b.say("writing layers")
			return splitter{stamp: stamp, upper: venv}.split(path, b.tmp)
		},
	}, nil
}

// hasPip reports whether the host's Python has pip.
func hasPip(ctx context.Context) bool {
	return exec.CommandContext(ctx, "python3", "-m", "pip", "--version").Run() == nil
}

// downloadWheels downloads the locked packages into a directory, for the image's
// Python instead of the host's. The host's pip does it because it knows the
// user's index, proxy and certificates; hashes are checked.
func downloadWheels(ctx context.Context, b build, requirements, dir string) error {
	args := []string{
		"-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:",
		"--implementation=cp", "--python-version=" + python, "--dest=" + dir, "--requirement=" + requirements,
	}
	machine, err := machine()
	if err != nil {
		return err
	}
	for minor := glibc; minor >= 17; minor-- {
		args = append(args, fmt.Sprintf("--platform=manylinux_2_%d_%s", minor, machine))
	}
	args = append(args, "--platform=manylinux2014_"+machine)
	if err := runLogged(ctx, b.log, "python3", args...); err != nil {
		return err
	}
	lock, err := os.ReadFile(requirements)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "requirements.txt"), lock, 0o644)
}

// newestFile returns the time of the newest file in the one zip archive that
// matches: the day a wheel was made. MLflow's web server tells browsers by time
// and size whether a page has changed, so that images of two versions must not
// have the same time.
func newestFile(dir, pattern string) (time.Time, error) {
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		return time.Time{}, fmt.Errorf("looking for %s: found %d files instead of one (%v)", pattern, len(found), err)
	}
	archive, err := zip.OpenReader(found[0])
	if err != nil {
		return time.Time{}, err
	}
	var newest time.Time
	for _, file := range archive.File {
		if file.Modified.After(newest) {
			newest = file.Modified
		}
	}
	return newest.UTC(), archive.Close()
}

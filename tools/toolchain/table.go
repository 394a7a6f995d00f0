package toolchain

import (
	"fmt"
	"slices"
	"strings"
)

// Tool describes how one program is built from its upstream module.
type Tool struct {
	// Name is what callers of [Ensure] ask for.
	Name string
	// Dir is the directory below tools/upstream that holds the go.mod; empty
	// means Name.
	Dir string
	// Module is the required module whose version is the program's version.
	Module string
	// SDK is the module in the root go.mod whose version is the program's
	// version instead: a provider plugin has the version of the SDK the Pulumi
	// program uses.
	SDK string
	// Version is the version of a program of our own, which no module pins.
	// It is empty when Module or SDK is set.
	Version string
	// Packages are the main packages to build, one binary each, named after
	// the last element of its path. They are import paths or paths relative
	// to the module directory.
	Packages []string
	// Tags are Go build tags.
	Tags []string
	// CGO builds with the C compiler; without it binaries are static.
	CGO bool
	// LDFlags are linker flags besides -s -w. {version}, {major} and {minor}
	// stand for the parts of the version without its leading v.
	LDFlags []string
	// Generate is a main package of the module that runs in a copy of the
	// module directory before the build and writes files that are embedded.
	Generate string
	// Apart is true for a program that no platform runs: it is built only when it
	// is named.
	Apart bool
	// Needs are the host programs and libraries beyond Go.
	Needs []Need
	// Minutes is the time of its build on two idle cores, measured in a make up with
	// empty caches: after the programs above it, with what these have compiled.
	Minutes float64
}

// Need is a program or C library of the host and the Debian package it is in.
type Need struct {
	// Command is looked up on PATH.
	Command string
	// Library is a pkg-config name; it needs Command pkg-config as well.
	Library string
	// Package is the Debian package that provides it.
	Package string
}

const (
	pulumiVersion     = "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}"
	containerdModule  = "github.com/containerd/containerd/v2"
	cniPlugins        = "github.com/containernetworking/plugins"
	kubeVersionPrefix = "-X k8s.io/component-base/version."
	clientGoPrefix    = "-X k8s.io/client-go/pkg/version."
)

// tools is the table of all programs, in the order in which they are built.
var tools = []Tool{
	{
		Name: "kubernetes", Module: "k8s.io/kubernetes", Packages: []string{"./cmd/kube"},
		LDFlags: []string{
			kubeVersionPrefix + "gitVersion=v{version}", kubeVersionPrefix + "gitMajor={major}", kubeVersionPrefix + "gitMinor={minor}",
			clientGoPrefix + "gitVersion=v{version}", clientGoPrefix + "gitMajor={major}", clientGoPrefix + "gitMinor={minor}",
		},
		Minutes: 6,
	},
	{
		Name: "containerd", Module: containerdModule,
		Packages: []string{
			containerdModule + "/cmd/containerd", containerdModule + "/cmd/containerd-shim-runc-v2", containerdModule + "/cmd/ctr",
		},
		Tags:    []string{"no_btrfs", "no_zfs", "no_devmapper", "no_aufs", "static_build", "netgo", "osusergo"},
		LDFlags: []string{"-X " + containerdModule + "/version.Version=v{version}"},
		Minutes: 1,
	},
	{
		Name: "runc", Module: "github.com/opencontainers/runc", Packages: []string{"github.com/opencontainers/runc"},
		Tags: []string{"seccomp"}, CGO: true,
		LDFlags: []string{"-X main.version={version}", "-extldflags -static"},
		Needs: []Need{
			{Command: "gcc", Package: "gcc"},
			{Command: "pkg-config", Package: "pkg-config"},
			{Library: "libseccomp", Package: "libseccomp-dev"},
		},
		Minutes: 0.3,
	},
	{
		Name: "cni", Module: cniPlugins,
		Packages: []string{
			cniPlugins + "/plugins/main/bridge", cniPlugins + "/plugins/ipam/host-local",
			cniPlugins + "/plugins/main/loopback", cniPlugins + "/plugins/meta/portmap",
		},
		Minutes: 0.1,
	},
	{
		Name: "coredns", Module: "github.com/coredns/coredns", Packages: []string{"."},
		Minutes: 0.8,
	},
	{
		Name: "pulumi", Module: "github.com/pulumi/pulumi/pkg/v3",
		Packages: []string{"github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
		LDFlags:  []string{pulumiVersion}, Minutes: 2.5,
	},
	{
		// The host is published without version tags: it carries the version of
		// the SDK it is built with.
		Name: "pulumi-language-go", Module: "github.com/pulumi/pulumi/sdk/v3",
		Packages: []string{"github.com/pulumi/pulumi/sdk/go/pulumi-language-go/v3"},
		LDFlags:  []string{pulumiVersion}, Minutes: 0.5,
	},
	{
		// The plugin's version is that of the SDK released with it: the
		// provider's own module is published without version tags.
		Name: "pulumi-resource-kubernetes", Module: "github.com/pulumi/pulumi-kubernetes/sdk/v4",
		Packages: []string{"."}, Generate: "./gen",
		LDFlags: []string{"-X github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version={version}"},
		Minutes: 5,
	},
	{
		Name: "pulumi-resource-random", Dir: "pulumi-bridged", SDK: "github.com/pulumi/pulumi-random/sdk/v4",
		Packages: []string{"./cmd/pulumi-resource-random"},
		LDFlags:  []string{"-X main.version={version}"}, Minutes: 1.5,
	},
	{
		Name: "pulumi-resource-tls", Dir: "pulumi-bridged", SDK: "github.com/pulumi/pulumi-tls/sdk/v5",
		Packages: []string{"./cmd/pulumi-resource-tls"},
		LDFlags:  []string{"-X main.version={version}"}, Minutes: 0.1,
	},
	{
		Name: "pulumi-resource-aws", Module: "github.com/hashicorp/terraform-provider-aws",
		Packages: []string{"."}, Generate: "./gen", Apart: true, Minutes: 5,
	},
	{
		Name: "pulumi-resource-gcp", Module: "github.com/hashicorp/terraform-provider-google",
		Packages: []string{"."}, Apart: true, Minutes: 3,
	},
	{
		Name: "caddy", Module: "github.com/caddyserver/caddy/v2",
		Packages: []string{"github.com/caddyserver/caddy/v2/cmd/caddy"},
		LDFlags:  []string{"-X github.com/caddyserver/caddy/v2.CustomVersion=v{version}"}, Minutes: 1,
	},
	{
		Name: "minio", Module: "github.com/minio/minio",
		Packages: []string{"github.com/minio/minio"}, Minutes: 1.5,
	},
	{
		Name: "fake-gcs-server", Module: "github.com/fsouza/fake-gcs-server",
		Packages: []string{"github.com/fsouza/fake-gcs-server"}, Apart: true, Minutes: 0.5,
	},
	{
		Name: "cloudnative-pg", Module: "github.com/cloudnative-pg/cloudnative-pg",
		Packages: []string{"github.com/cloudnative-pg/cloudnative-pg/cmd/manager"}, Minutes: 1.5,
	},
	{
		Name: "pause", Version: "1.0.0", Packages: []string{"."}, Minutes: 0.1,
	},
}

// Names returns the names of the programs that the platforms run, in the order
// in which they are built.
func Names() []string {
	var names []string
	for _, t := range tools {
		if !t.Apart {
			names = append(names, t.Name)
		}
	}
	return names
}

// all returns the names of all programs.
func all() []string {
	names := make([]string, len(tools))
	for i, t := range tools {
		names[i] = t.Name
	}
	return names
}

// find returns the named tools in the order of the table, without duplicates.
func find(names []string) ([]Tool, error) {
	for _, name := range names {
		if !slices.ContainsFunc(tools, func(t Tool) bool { return t.Name == name }) {
			return nil, fmt.Errorf("unknown tool %q: it is one of %s", name, strings.Join(all(), ", "))
		}
	}
	var found []Tool
	for _, t := range tools {
		if slices.Contains(names, t.Name) {
			found = append(found, t)
		}
	}
	return found, nil
}

// moduleDir is the tool's directory below tools/upstream.
func (t Tool) moduleDir() string {
	if t.Dir != "" {
		return t.Dir
	}
	return t.Name
}

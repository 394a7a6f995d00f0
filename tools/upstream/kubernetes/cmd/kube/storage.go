package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	provisioner "sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// storage provisions volumes of the default StorageClass as directories below
// --root and removes a directory when its volume is deleted.
//
// Limits, the same as those of other host-path provisioners: the requested
// capacity is recorded and not enforced, a volume may grow until the disk is
// full, and fsGroup is not applied, which is why the directory is writable for
// everybody. The root directory itself is private to root.
func storage(flags *flag.FlagSet) func(context.Context, kubernetes.Interface) error {
	root := flags.String("root", "/var/lib/volumes", "directory that holds the volumes")
	name := flags.String("provisioner", "localcluster/host-path", "provisioner that the StorageClass names")
	return func(ctx context.Context, client kubernetes.Interface) error {
		provisioner.NewProvisionController(ctx, client, *name, hostPath{*root}, provisioner.LeaderElection(false)).Run(ctx)
		return nil
	}
}

// hostPath provisions directories below root.
type hostPath struct{ root string }

// Provision creates the volume's directory, named after volume, namespace and
// claim so that a person finds it.
func (p hostPath) Provision(_ context.Context, o provisioner.ProvisionOptions) (*corev1.PersistentVolume, provisioner.ProvisioningState, error) {
	dir := filepath.Join(p.root, o.PVName+"_"+o.PVC.Namespace+"_"+o.PVC.Name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, provisioner.ProvisioningFinished, fmt.Errorf("creating the volume: %w", err)
	}
	// Not left to MkdirAll, whose mode the umask reduces.
	if err := os.Chmod(dir, 0o777); err != nil {
		return nil, provisioner.ProvisioningFinished, fmt.Errorf("creating the volume: %w", err)
	}
	typ := corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: o.PVName},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *o.StorageClass.ReclaimPolicy,
			AccessModes:                   o.PVC.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: o.PVC.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: dir, Type: &typ}},
		},
	}, provisioner.ProvisioningFinished, nil
}

// Delete removes the volume's directory; volumes outside root are not ours.
func (p hostPath) Delete(_ context.Context, pv *corev1.PersistentVolume) error {
	if pv.Spec.HostPath == nil || filepath.Dir(pv.Spec.HostPath.Path) != p.root {
		return &provisioner.IgnoredError{Reason: "the volume is not a directory of this provisioner"}
	}
	return os.RemoveAll(pv.Spec.HostPath.Path)
}

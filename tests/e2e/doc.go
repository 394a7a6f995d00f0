// Package e2e takes the platform through its life on a real local cluster, with
// the real Pulumi engine, the real images and the real MLflow client: up, use,
// failure, upgrade gate, retention, backup, restore, destroy, down. It needs
// Linux and root, and is behind the build tag e2e; `make e2e` runs it.
//
// It has a cluster and ports of its own and never touches another. Every check
// that something is refused has a twin that shows the same thing allowed, so
// that a broken probe cannot pass.
//
// Environment:
//
//	E2E_KEEP       when set, the cluster stays up after the last step that ran;
//	               together with -run it repeats single steps
//	E2E_ARTIFACTS  directory for logs, default a new one below the system's
//	               directory for temporary files
package e2e

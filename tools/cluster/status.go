package cluster

import "time"

// ComponentStatus is what became of one component of a cluster of our own.
type ComponentStatus struct {
	// Name of the component, which is also the name of its log file.
	Name string
	// Exited says how it ended; empty while it runs.
	Exited string
}

// Status says how a cluster is.
type Status struct {
	// Running says that there are processes; Ready that API server, node and
	// cluster DNS are ready.
	Running, Ready bool
	// Reason says why a cluster is not ready.
	Reason string
	// Since is when a running cluster was started.
	Since time.Time
	// Server is the API server's URL on this machine.
	Server string
	// Publish are the published Service ports.
	Publish []Publication
	// Components are in the order in which they were started.
	Components []ComponentStatus
}

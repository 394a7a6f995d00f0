// Package connections computes how many PostgreSQL connections an MLflow
// installation can open at most, so that exhaustion is an error before the
// first resource exists instead of an outage.
//
// MLflow opens one SQLAlchemy engine per store in every worker process, and
// every engine has a pool of its own (mlflow/store/db/utils.py). The naive
// defaults (4 workers, pool 5, overflow 10) therefore need 182 connections for
// one pod, more than PostgreSQL's default of 100 for everything.
package connections

import "fmt"

const (
	// Engines is the number of SQLAlchemy engines one MLflow worker process can
	// hold: the tracking store, the model registry store and the job store. The
	// job store's opens on the first search for jobs, which answers even with job
	// execution off (measured with MLflow 3.17: 62 connections for 2 workers, pool
	// 5, overflow 5).
	Engines = 3
	// Parent is how many connections the parent process of the server keeps: it
	// opens the tracking and the registry store once while it starts.
	Parent = 2
	// Jobs is the room for migration, retention, backup and a person with psql.
	Jobs = 10
	// Reserved is PostgreSQL's superuser_reserved_connections (default 3) plus
	// the connections CloudNativePG's instance manager and replicas hold.
	Reserved = 7
)

// Budget is the input of the arithmetic.
type Budget struct {
	// Replicas is the number of server pods.
	Replicas int
	// Leaving is how many pods finish their last requests while their successors
	// already serve. In a rolling update that can be one for each replica: a pod
	// has longer to shut down (75 s) than the next one needs to start.
	Leaving int
	// Workers is the number of worker processes in a pod.
	Workers int
	// PoolSize is the number of connections an engine keeps open (at least 1).
	PoolSize int
	// MaxOverflow is how many more an engine opens under load. MLflow ignores
	// 0 and falls back to SQLAlchemy's 10, so 1 is the least.
	MaxOverflow int
}

// PerPod is the number of connections one server pod can open at most.
func (b Budget) PerPod() int {
	return Parent + b.Workers*Engines*(b.PoolSize+b.MaxOverflow)
}

// Total is the number of connections the whole installation can need at once,
// which max_connections must not be below.
func (b Budget) Total() int {
	return (b.Replicas+b.Leaving)*b.PerPod() + Jobs + Reserved
}

// String shows the sum with every term.
func (b Budget) String() string {
	return fmt.Sprintf("(%d replicas + %d leaving) x (%d parent + %d workers x %d engines x (%d pool + %d overflow)) + %d jobs + %d reserved = %d",
		b.Replicas, b.Leaving, Parent, b.Workers, Engines, b.PoolSize, b.MaxOverflow, Jobs, Reserved, b.Total())
}

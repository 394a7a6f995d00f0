package connections_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/mlflow-platform/mlflow-platform/components/mlflow/connections"
)

// TestMeasuredNumbers compares the arithmetic with connections counted in
// pg_stat_activity of a real server under load.
func TestMeasuredNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		budget connections.Budget
		want   int
	}{
		"two workers, pool 5, overflow 5":                    {connections.Budget{Workers: 2, PoolSize: 5, MaxOverflow: 5}, 62},
		"one worker, pool 2, overflow 1":                     {connections.Budget{Workers: 1, PoolSize: 2, MaxOverflow: 1}, 11},
		"MLflow's defaults: 4 workers, pool 5, overflow 10":  {connections.Budget{Workers: 4, PoolSize: 5, MaxOverflow: 10}, 182},
		"the least: one worker, one connection and one more": {connections.Budget{Workers: 1, PoolSize: 1, MaxOverflow: 1}, 8},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.budget.PerPod()) })
	}
}

func TestTotal(t *testing.T) {
	b := connections.Budget{Replicas: 2, Leaving: 2, Workers: 2, PoolSize: 5, MaxOverflow: 2}
	assert.Equal(t, 4*(2+2*3*7)+10+7, b.Total())
	assert.Equal(t, "(2 replicas + 2 leaving) x (2 parent + 2 workers x 3 engines x (5 pool + 2 overflow)) + 10 jobs + 7 reserved = 193", b.String())
}

// TestEveryTermCounts keeps a term from dropping out of the sum.
func TestEveryTermCounts(t *testing.T) {
	base := connections.Budget{Replicas: 2, Leaving: 2, Workers: 2, PoolSize: 5, MaxOverflow: 4}
	for name, more := range map[string]func(*connections.Budget){
		"replicas": func(b *connections.Budget) { b.Replicas++ },
		"leaving":  func(b *connections.Budget) { b.Leaving++ },
		"workers":  func(b *connections.Budget) { b.Workers++ },
		"pool":     func(b *connections.Budget) { b.PoolSize++ },
		"overflow": func(b *connections.Budget) { b.MaxOverflow++ },
	} {
		b := base
		more(&b)
		assert.Greater(t, b.Total(), base.Total(), name)
	}
}

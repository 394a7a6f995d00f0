//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// retention ages runs in the database and lets the shipped job find them: an
// old run that nothing refers to, an old one whose model is the champion, an
// old one that is tagged, and a young one.
func retention(t *testing.T, p *platform) {
	c := p.client(t)
	experiment := c.experiment(t, "retention")
	forgotten, champion := c.run(t, experiment, "forgotten"), c.run(t, experiment, "champion")
	tagged, young := c.run(t, experiment, "tagged"), c.run(t, experiment, "young")
	c.call(t, http.MethodPost, "/runs/set-tag", object{"run_id": tagged.id, "key": "retention", "value": "keep"})
	const model = "retention"
	lost, kept := c.model(t, experiment, forgotten), c.model(t, experiment, champion)
	c.call(t, http.MethodPost, "/registered-models/create", object{"name": model})
	c.call(t, http.MethodPost, "/model-versions/create", object{
		"name": model, "source": "models:/" + kept.id, "run_id": champion.id, "model_id": kept.id,
	})
	c.call(t, http.MethodPost, "/registered-models/alias", object{"name": model, "alias": "champion", "version": "1"})
	old := fmt.Sprintf("run_uuid IN ('%s', '%s', '%s')", forgotten.id, champion.id, tagged.id)
	p.sql(t, "mlflow", "UPDATE runs SET start_time = start_time - 400*86400000::bigint, end_time = end_time - 400*86400000::bigint WHERE "+old)
	p.sql(t, "mlflow", fmt.Sprintf("UPDATE logged_models SET creation_timestamp_ms = creation_timestamp_ms - 400*86400000::bigint WHERE model_id IN ('%s', '%s')", lost.id, kept.id))
	all := []run{forgotten, champion, tagged, young}
	modelStage := func(m run) string {
		return p.sql(t, "mlflow", "SELECT lifecycle_stage FROM logged_models WHERE model_id = '"+m.id+"'")
	}
	stages := func() []string {
		var s []string
		for _, r := range all {
			s = append(s, c.stage(t, r))
		}
		return s
	}

	report, logs := p.retain(t, "retention-report", "true")
	assert.Equal(t, true, report["dry_run"])
	assert.Contains(t, logs, "would trash run "+forgotten.id)
	assert.Equal(t, []string{"active", "active", "active", "active"}, stages(), "a report deletes nothing")

	report, logs = p.retain(t, "retention-trash", "false")
	assert.EqualValues(t, 1, report["deleted_runs"], logs)
	assert.Equal(t, []string{"deleted", "active", "active", "active"}, stages())
	assert.True(t, c.readable(t, forgotten), "what is in the trash can still be restored")
	assert.Equal(t, []string{"deleted", "active"}, []string{modelStage(lost), modelStage(kept)})

	// The undo: MLflow restores the run, and the job the model that went with it.
	c.call(t, http.MethodPost, "/runs/restore", object{"run_id": forgotten.id})
	c.call(t, http.MethodPost, "/runs/set-tag", object{"run_id": forgotten.id, "key": "retention", "value": "keep"})
	_, logs = p.retain(t, "retention-undo", "false")
	assert.Equal(t, []string{"active", "active", "active", "active"}, stages(), logs)
	assert.Equal(t, "active", modelStage(lost), logs)
	c.call(t, http.MethodPost, "/runs/delete-tag", object{"run_id": forgotten.id, "key": "retention"})
	_, logs = p.retain(t, "retention-again", "false")
	assert.Equal(t, []string{"deleted", "active", "active", "active"}, stages(), logs)

	p.sql(t, "mlflow", "UPDATE runs SET deleted_time = deleted_time - 60*86400000::bigint WHERE run_uuid = '"+forgotten.id+"'")
	p.sql(t, "mlflow", "UPDATE logged_models SET last_updated_timestamp_ms = last_updated_timestamp_ms - 60*86400000::bigint WHERE model_id = '"+lost.id+"'")
	report, logs = p.retain(t, "retention-purge", "false")
	assert.EqualValues(t, 1, report["purged_runs"], logs)
	assert.Equal(t, []string{"", "active", "active", "active"}, stages())
	assert.False(t, c.readable(t, forgotten), "the artifact went with its run")
	assert.Empty(t, p.objects(t, "artifacts"+strings.TrimPrefix(forgotten.uri, "mlflow-artifacts:")))
	assert.Empty(t, p.objects(t, "artifacts"+strings.TrimPrefix(lost.uri, "mlflow-artifacts:")), "and so did its model")
	assert.Equal(t, []string{"", "active"}, []string{modelStage(lost), modelStage(kept)})
	for _, r := range append(all[1:], kept) {
		assert.True(t, c.readable(t, r), "%v", r)
		assert.NotEmpty(t, p.objects(t, "artifacts"+strings.TrimPrefix(r.uri, "mlflow-artifacts:")))
	}
	version := c.call(t, http.MethodGet, "/registered-models/alias?name="+model+"&alias=champion", nil)["model_version"].(object)
	assert.Equal(t, champion.id, version["run_id"])
}

// retain runs the clean-up job and returns its report.
func (p *platform) retain(t *testing.T, name, dryRun string) (object, string) {
	t.Helper()
	logs := p.completed(t, p.jobFrom(t, "mlflow-retention", name, map[string]string{"DRY_RUN": dryRun}), timeoutRecovery)
	lines := strings.Split(strings.TrimSpace(logs), "\n")
	var report object
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &report), logs)
	return report, logs
}

// stored is an object in the bucket.
type stored struct {
	Key  string `json:"key"`
	Size int64  `json:"size"`
	// Head is the first bytes.
	Head string `json:"head"`
}

const list = `
import boto3, json, os, sys
bucket = os.environ["MLFLOW_ARTIFACTS_DESTINATION"].split("/")[2]
s3 = boto3.client("s3")
found = []
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=sys.argv[1]):
    for o in page.get("Contents", []):
        head = s3.get_object(Bucket=bucket, Key=o["Key"], Range="bytes=0-7")["Body"].read() if o["Size"] else b""
        found.append({"key": o["Key"], "size": o["Size"], "head": head.decode("latin-1")})
print(json.dumps(found))
`

// objects lists the bucket past MLflow, from one of its pods.
func (p *platform) objects(t *testing.T, prefix string) []stored {
	t.Helper()
	var found []stored
	text := p.python3(t, namespace, p.serverPod(t), list, prefix)
	require.NoError(t, json.Unmarshal([]byte(text), &found), text)
	return found
}

// sinceEpoch keeps names apart when a step is run again on a kept cluster.
func sinceEpoch() string { return fmt.Sprint(time.Now().Unix()) }

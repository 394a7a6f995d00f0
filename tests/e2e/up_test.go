//go:build e2e

package e2e

import (
	"bytes"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func up(t *testing.T, p *platform) {
	r := p.platform(t, "up")
	require.NoError(t, r.err, tail(r.all()))
	assert.Contains(t, r.stdout, "MLflow is ready")
	assert.Contains(t, r.stdout, "https://localhost:"+httpsPort)
	assert.Regexp(t, `(?m)^  user +admin$`, r.stdout)
	assert.Contains(t, r.stdout, "pulumi stack output passwords --show-secrets --stack local")
	p.said = r.stdout
	p.load(t)
	assert.NotContains(t, r.all(), p.vars["MLFLOW_TRACKING_PASSWORD"], "the password is printed on request only")
}

func noChanges(t *testing.T, p *platform) {
	r := p.platform(t, "up")
	require.NoError(t, r.err, tail(r.all()))
	assert.Regexp(t, `(?m)^ +\d+ unchanged$`, r.stderr)
	assert.NotRegexp(t, `\d+ (created|updated|deleted|replaced)`, r.stderr)
	assert.Contains(t, r.stderr, "is running already")
	p.must(t, p.pulumi(t, "up", "--stack", "local", "--config-file", p.config(t), "--yes", "--skip-preview", "--expect-no-changes"))
}

func doctor(t *testing.T, p *platform) {
	r := p.platform(t, "doctor")
	require.NoError(t, r.err, r.all())
	for _, layer := range []string{"DNS", "connection", "TLS", "host", "authentication", "write run", "upload artifact", "read back", "delete"} {
		assert.Regexp(t, "(?m)^  ok +"+layer, r.stdout)
	}
}

// browser opens the demo's experiment as a person does, through the gateway with
// the login; the picture stays among the artifacts.
func browser(t *testing.T, p *platform) {
	r := p.platform(t, "screenshot")
	require.NoError(t, r.err, tail(r.all()))
	picture, err := os.ReadFile(filepath.Join(p.root, "out", "experiment.png"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(p.artifacts, "experiment.png"), picture, 0o644))
	size, err := png.DecodeConfig(bytes.NewReader(picture))
	require.NoError(t, err)
	assert.Equal(t, 1440, size.Width)
}

// demo runs twice: the second run finds the experiment and the model there and
// adds a version.
func demo(t *testing.T, p *platform) {
	var runs []string
	for range 2 {
		r := p.platform(t, "demo")
		require.NoError(t, r.err, tail(r.all()))
		_, id, ok := strings.Cut(strings.TrimSpace(r.stdout), "/runs/")
		require.True(t, ok, r.stdout)
		runs = append(runs, id)
	}
	require.NotEqual(t, runs[0], runs[1])
	c := p.client(t)
	for _, id := range runs {
		data := path(c.call(t, http.MethodGet, "/runs/get?run_id="+id, nil), "run", "data").(object)
		assert.Equal(t, map[string]any{"C": "1.0", "max_iter": "500", "random_state": "42"}, values(data["params"]))
		metrics := values(data["metrics"])
		assert.Greater(t, metrics["accuracy"], 0.9)
		assert.Contains(t, metrics, "log_loss")
		info := path(c.call(t, http.MethodGet, "/runs/get?run_id="+id, nil), "run", "info").(object)
		a := c.send(t, http.MethodGet, run{id, info["artifact_uri"].(string)}.file("classes.txt"), nil)
		assert.Equal(t, "setosa\nversicolor\nvirginica", string(a.body))
	}
	p.printedLines(t)
	champion := c.call(t, http.MethodGet, "/registered-models/alias?name=iris&alias=champion", nil)["model_version"].(object)
	assert.Equal(t, runs[1], champion["run_id"], "the alias moved to the second run")
	found := c.call(t, http.MethodGet, "/model-versions/search?filter="+url.QueryEscape("name='iris'"), nil)["model_versions"].([]any)
	assert.GreaterOrEqual(t, len(found), 2)
}

// printedLines runs the Python that up told to run.
func (p *platform) printedLines(t *testing.T) {
	t.Helper()
	_, program, ok := strings.Cut(p.said, "<<'PY'\n")
	require.True(t, ok, p.said)
	program, _, ok = strings.Cut(program, "\nPY\n")
	require.True(t, ok, p.said)
	p.must(t, p.command(t, p.python(t), "-c", program))
	found := p.client(t).call(t, http.MethodPost, "/runs/search", object{"experiment_ids": []string{"0"}, "filter": "metrics.accuracy > 0.9"})["runs"].([]any)
	assert.Len(t, found, 1)
}

// values makes a map of MLflow's lists of keys and values.
func values(list any) map[string]any {
	m := map[string]any{}
	all, _ := list.([]any)
	for _, item := range all {
		m[item.(object)["key"].(string)] = item.(object)["value"]
	}
	return m
}

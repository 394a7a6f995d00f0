package provider

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"
)

var record = flag.String("record", "", "record the states that the release of this name leaves")

// Recorded is a stack as a release left it: what the next ones have to update.
type Recorded struct {
	// Config of the stack, of which SecretKeys are stored encrypted.
	Config     map[string]string `json:"config"`
	SecretKeys []string          `json:"secretKeys,omitempty"`
	// Deployment is the state, its secrets made up.
	Deployment apitype.UntypedDeployment `json:"deployment"`
}

// Recording says whether the tests run with -record, as they do for a release.
func Recording() bool { return *record != "" }

// Record writes the state of a stack into a directory.
func Record(t *testing.T, stack auto.Stack, r Recorded, dir string) {
	t.Helper()
	var err error
	r.Deployment, err = stack.Export(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	file, err := os.Create(filepath.Join(dir, *record+".json.gz"))
	require.NoError(t, err)
	packed := gzip.NewWriter(file)
	require.NoError(t, json.NewEncoder(packed).Encode(r))
	require.NoError(t, packed.Close())
	require.NoError(t, file.Close())
}

// Releases are the states that releases left of a stack.
type Releases struct {
	// Dir has a file for each release.
	Dir string
	// Types are those whose loss is the loss of data.
	Types []string
	// Stack makes a stack of the present program with a configuration.
	Stack func(*testing.T, Recorded) auto.Stack
	// Twins change a state so that the program would replace or delete one resource:
	// their keys are its type and name.
	Twins map[string]func(*testing.T, Recorded) Recorded
}

// Test updates every release's state: nothing is lost, and a second update has
// nothing to do. Of the twins each is refused, and its loss seen without protection.
func (r Releases) Test(t *testing.T) {
	t.Helper()
	r.each(t, func(t *testing.T, before Recorded) {
		lost, err := r.update(t, before)
		require.NoError(t, err)
		require.Empty(t, lost)
		for name, twin := range r.Twins {
			broken := twin(t, before)
			_, err = r.update(t, broken)
			require.ErrorContains(t, err, "protect", name)
			lost, err = r.update(t, broken.Edit(t, func(one *apitype.ResourceV3) { one.Protect = false }))
			require.NoError(t, err, name)
			require.Equal(t, []string{name}, lost)
		}
	})
}

// update gives a state to a new stack and updates that; lost is what it has no more.
func (r Releases) update(t *testing.T, before Recorded) (lost []string, err error) {
	t.Helper()
	stack := r.Stack(t, before)
	require.NoError(t, stack.Import(t.Context(), before.Deployment))
	if _, err := stack.Up(t.Context(), optup.SuppressProgress()); err != nil {
		return nil, err
	}
	_, err = stack.Preview(t.Context(), optpreview.ExpectNoChanges())
	require.NoError(t, err)
	after, err := stack.Export(t.Context())
	require.NoError(t, err)
	return missing(t, before.Deployment, after, r.Types), nil
}

func (r Releases) each(t *testing.T, test func(*testing.T, Recorded)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(r.Dir, "*.json.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			file, err := os.Open(path)
			require.NoError(t, err)
			defer file.Close()
			packed, err := gzip.NewReader(file)
			require.NoError(t, err)
			var state Recorded
			require.NoError(t, json.NewDecoder(packed).Decode(&state))
			test(t, state)
		})
	}
}

// missing are the resources of some types in one state that another one does not
// have any more, by their id: a name may change.
func missing(t *testing.T, before, after apitype.UntypedDeployment, types []string) []string {
	t.Helper()
	kept := map[string]bool{}
	for _, r := range resources(t, after) {
		// What is retained is not in the state any more; what waits for its deletion is.
		if r.Delete {
			continue
		}
		kept[string(r.Type)+" "+string(r.ID)] = true
	}
	var lost []string
	found := map[string]bool{}
	for _, r := range resources(t, before) {
		if slices.Contains(types, string(r.Type)) {
			found[string(r.Type)] = true
			if !kept[string(r.Type)+" "+string(r.ID)] {
				lost = append(lost, fmt.Sprintf("%s %s", r.Type, r.URN.Name()))
			}
		}
	}
	for _, typ := range types {
		require.True(t, found[typ], "the recorded state has no %s", typ)
	}
	return lost
}

func resources(t *testing.T, d apitype.UntypedDeployment) []apitype.ResourceV3 {
	t.Helper()
	var state apitype.DeploymentV3
	require.NoError(t, json.Unmarshal(d.Deployment, &state))
	require.NotEmpty(t, state.Resources)
	return state.Resources
}

// Exposed are the files of a stack's state with a secret in clear.
func Exposed(t *testing.T, dir string) []string {
	t.Helper()
	var exposed []string
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(Canary)) {
			exposed = append(exposed, path)
		}
		return err
	}))
	require.Positive(t, files)
	return exposed
}

// Edit changes the resources of a recorded state.
func (r Recorded) Edit(t *testing.T, change func(*apitype.ResourceV3)) Recorded {
	t.Helper()
	var state apitype.DeploymentV3
	require.NoError(t, json.Unmarshal(r.Deployment.Deployment, &state))
	for i := range state.Resources {
		change(&state.Resources[i])
	}
	text, err := json.Marshal(state)
	require.NoError(t, err)
	r.Deployment.Deployment = text
	return r
}

// Input gives a resource of a recorded state another input.
func (r Recorded) Input(t *testing.T, name, key string, value any) Recorded {
	t.Helper()
	return r.Edit(t, func(one *apitype.ResourceV3) {
		if one.URN.Name() == name {
			one.Inputs[key] = value
		}
	})
}

// Rename gives a resource of a recorded state another name, everywhere.
func (r Recorded) Rename(t *testing.T, from, to string) Recorded {
	t.Helper()
	var urn resource.URN
	for _, one := range resources(t, r.Deployment) {
		if one.URN.Name() == from {
			urn = one.URN
		}
	}
	require.NotEmpty(t, urn, "the recorded state has no %s", from)
	quoted := func(u resource.URN) []byte { return []byte(`"` + u + `"`) }
	r.Deployment.Deployment = bytes.ReplaceAll(r.Deployment.Deployment, quoted(urn), quoted(urn.Rename(to)))
	return r
}

package pki

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var testCertificates = []Certificate{
	{Name: "server", CommonName: "server", DNS: []string{"localhost", "kubernetes.default.svc"}, IPs: []string{"127.0.0.1"}},
	{Name: "admin", CommonName: "admin", Organization: "system:masters"},
}

func verify(t *testing.T, dir, name string, usage x509.ExtKeyUsage, host string) error {
	t.Helper()
	authority, err := LoadCertificate(filepath.Join(dir, "ca.crt"))
	require.NoError(t, err)
	leaf, err := LoadCertificate(filepath.Join(dir, name+".crt"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func TestChainVerifies(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Ensure(dir, testCertificates))
	for _, host := range []string{"localhost", "kubernetes.default.svc", "127.0.0.1"} {
		assert.NoError(t, verify(t, dir, "server", x509.ExtKeyUsageServerAuth, host), host)
	}
	assert.Error(t, verify(t, dir, "server", x509.ExtKeyUsageServerAuth, "elsewhere"))
	assert.NoError(t, verify(t, dir, "admin", x509.ExtKeyUsageClientAuth, ""))
	assert.Error(t, verify(t, dir, "admin", x509.ExtKeyUsageServerAuth, ""), "a client cannot pose as a server")
	assert.Error(t, verify(t, dir, "server", x509.ExtKeyUsageClientAuth, ""), "a server cannot pose as a client")
}

func TestSubjectIsUserAndGroup(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Ensure(dir, testCertificates))
	admin, err := LoadCertificate(filepath.Join(dir, "admin.crt"))
	require.NoError(t, err)
	assert.Equal(t, "admin", admin.Subject.CommonName)
	assert.Equal(t, []string{"system:masters"}, admin.Subject.Organization)
	assert.False(t, admin.IsCA)
}

func TestAnotherAuthorityIsNotTrusted(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	require.NoError(t, Ensure(dir, testCertificates))
	require.NoError(t, Ensure(other, testCertificates))
	require.NoError(t, os.Rename(filepath.Join(other, "admin.crt"), filepath.Join(dir, "admin.crt")))
	assert.Error(t, verify(t, dir, "admin", x509.ExtKeyUsageClientAuth, ""))
}

func TestRestartKeepsAuthorityAndRenewsTheRest(t *testing.T) {
	dir := t.TempDir()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(data)
	}
	require.NoError(t, Ensure(dir, testCertificates))
	authority, account, admin := read("ca.crt"), read("sa.key"), read("admin.crt")
	require.NoError(t, Ensure(dir, testCertificates))
	assert.Equal(t, authority, read("ca.crt"))
	assert.Equal(t, account, read("sa.key"))
	assert.NotEqual(t, admin, read("admin.crt"))
	assert.NoError(t, verify(t, dir, "admin", x509.ExtKeyUsageClientAuth, ""))
}

func TestKeysArePrivate(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Ensure(dir, testCertificates))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".key") {
			info, err := f.Info()
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode(), f.Name())
		}
	}
}

func TestBrokenAuthorityIsAnError(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.key"), []byte("garbage"), 0o600))
	assert.ErrorContains(t, Ensure(dir, nil), "holds no PEM block")
}

package postgres

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestScramVerifier is the exchange of RFC 7677, section 3: the server's
// signature is made with the ServerKey of the verifier.
func TestScramVerifier(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	require.NoError(t, err)
	verifier, err := scramVerifier("pencil", string(salt))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(verifier, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), verifier)
	assert.NotContains(t, verifier, "pencil")
	key, err := base64.StdEncoding.DecodeString(verifier[strings.LastIndex(verifier, ":")+1:])
	require.NoError(t, err)
	message := "n=user,r=rOprNGfwEbeRWgbNEkqO," +
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	assert.Equal(t, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", base64.StdEncoding.EncodeToString(mac.Sum(nil)))

	other, err := scramVerifier("Pencil", string(salt))
	require.NoError(t, err)
	assert.NotEqual(t, verifier, other)
}

package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// scramIterations is PostgreSQL's default (scram_iterations).
const scramIterations = 4096

// scramVerifier is what PostgreSQL stores of a password, in the form that
// ALTER ROLE takes in its place: SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey
// (postgresql.org/docs/current/catalog-pg-authid.html; RFC 5802, 7677). The
// password is letters and digits, which SASLprep leaves as they are.
func scramVerifier(password, salt string) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, []byte(salt), scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hashing the password: %w", err)
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, base64.StdEncoding.EncodeToString([]byte(salt)),
		base64.StdEncoding.EncodeToString(stored[:]), base64.StdEncoding.EncodeToString(mac(salted, "Server Key"))), nil
}

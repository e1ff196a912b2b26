package intercomd

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// UserHash signs a user for Intercom's Messenger: it returns the hexadecimal HMAC-SHA256 of the customer id, or of the email
// of a user without one, for a page to pass to the Messenger as user_hash. The secret is the workspace's Messenger API secret.
//
// White space around the customer id is not signed, since the page does not send it either. An empty customer id or secret
// is an error.
func UserHash(customerID, secret string) (string, error) {
	signed, err := sign(strings.TrimSpace(customerID), secret)
	return hex.EncodeToString(signed), err
}

// UserJWT signs a user for Intercom's Messenger: it returns a JSON Web Token (HS256) with the claims user_id, exp and, if it
// is set, email, for a page to pass to the Messenger as intercom_user_jwt. An hour is a usual expiry.
//
// An empty customer id or secret is an error.
func UserJWT(customerID, email, secret string, expires time.Time) (string, error) {
	claims := struct {
		UserID  string `json:"user_id"`
		Email   string `json:"email,omitempty"`
		Expires int64  `json:"exp"`
	}{strings.TrimSpace(customerID), email, expires.Unix()}
	if claims.UserID == "" {
		return "", errEmptyCustomerID
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(claims); err != nil {
		return "", err
	}
	const header = `{"alg":"HS256","typ":"JWT"}`
	encode := base64.RawURLEncoding.EncodeToString
	unsigned := encode([]byte(header)) + "." + encode(bytes.TrimSpace(text.Bytes()))
	signed, err := sign(unsigned, secret)
	if err != nil {
		return "", err
	}
	return unsigned + "." + encode(signed), nil
}

var errEmptyCustomerID = errors.New("intercomd: customer id is empty: sign the id of a signed-in user")

func sign(message, secret string) ([]byte, error) {
	if message == "" {
		return nil, errEmptyCustomerID
	}
	if secret == "" {
		return nil, errors.New("intercomd: secret is empty: set the Messenger API secret of the workspace")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(message)) // hash.Hash: "It never returns an error."
	return mac.Sum(nil), nil
}

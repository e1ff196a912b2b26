package intercomd

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

type signingCase struct {
	Kind       string `json:"kind"`
	CustomerID string `json:"customerId"`
	Secret     string `json:"secret"`
	Email      string `json:"email"`
	Expires    int64  `json:"expires"`
	Signed     string `json:"signed"`
	Refused    bool   `json:"refused"`
}

func (c signingCase) sign() (string, error) {
	if c.Kind == "user_hash" {
		return UserHash(c.CustomerID, c.Secret)
	}
	return UserJWT(c.CustomerID, c.Email, c.Secret, time.Unix(c.Expires, 999_999_999))
}

// The cases are those of the other languages.
func TestUserIsSigned(t *testing.T) {
	text, err := os.ReadFile("../cases/signing.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []signingCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		signed, err := c.sign()
		if signed != c.Signed || (err != nil) != c.Refused {
			t.Errorf("%s of %q: got %q, %v; want %q, refused %v", c.Kind, c.CustomerID, signed, err, c.Signed, c.Refused)
		}
	}
}

package intercomd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTokenFileIsReadAgain(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "token"), "\ufefffirst\r\n")
	options, err := Options{TokenFile: path}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	a, err := newAccess("127.0.0.1:1", options)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ content, want string }{
		{"\ufefffirst\r\n", "Bearer first"},
		{"second", "Bearer second"},
		{"", "Bearer second"},
		{"two words", "Bearer second"},
		{"third\n", "Bearer third"},
	} {
		write(t, path, test.content)
		if got := a.authorization(); got != test.want {
			t.Errorf("%q: %q, want %q", test.content, got, test.want)
		}
	}
}

func TestWrongAccessIsAnErrorThatNamesTheOption(t *testing.T) {
	folder := t.TempDir()
	text := write(t, filepath.Join(folder, "text.pem"), "no certificate")
	empty := write(t, filepath.Join(folder, "empty"), "")
	secret := "a secret"
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{Token: "a", TokenFile: "b"}, "exclude each other"},
		{Options{Token: secret}, "Token must be one line"},
		{Options{TokenFile: filepath.Join(folder, "missing")}, "missing"},
		{Options{TokenFile: empty}, "empty"},
		{Options{TLS: &TLS{CertificateFile: text}}, "belong together"},
		{Options{TLS: &TLS{CAFile: text}}, "CAFile"},
		{Options{TLS: &TLS{CAFile: filepath.Join(folder, "missing")}}, "missing"},
		{Options{TLS: &TLS{CertificateFile: text, KeyFile: text}}, "CertificateFile"},
		{Options{BatchEnvelopesMax: -1}, "BatchEnvelopesMax"},
		{Options{CallTimeout: -1}, "CallTimeout"},
	} {
		_, err := NewPublisher("127.0.0.1:1", test.options)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want an error with %q", test.options, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

package intercomd

import (
	"strings"
	"testing"
)

func TestCheckTarget(t *testing.T) {
	for _, target := range []string{
		"127.0.0.1:50051", "[::1]:50051", "intercomd:1", "dns:///intercomd:50051", "dns://8.8.8.8/intercomd:50051",
		"ipv4:10.0.0.1:50051,10.0.0.2:50051", "unix:/run/intercomd.sock", "unix-abstract:name", "xds:///intercomd",
	} {
		if err := checkTarget(target); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
	for target, want := range map[string]string{
		"":                        "empty",
		" 127.0.0.1:50051":        "white space",
		"http://127.0.0.1:50051":  "URL",
		"grpcs://127.0.0.1:50051": "URL",
		"127.0.0.1":               "no port",
		"::1":                     "no port",
		":50051":                  "no host",
		"intercomd:50051/path":    "path",
		"intercomd:0":             "1 to 65535",
		"intercomd:65536":         "1 to 65535",
		"intercomd:port":          "1 to 65535",
		"unix:":                   "no path",
	} {
		if err := checkTarget(target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", target, err, want)
		}
	}
}

func TestIsLocal(t *testing.T) {
	for target, want := range map[string]bool{
		"127.0.0.1:50051": true, "127.9.9.9:1": true, "[::1]:50051": true, "[::ffff:127.0.0.1]:50051": true, "localhost:50051": true,
		"a.localhost.:50051": true, "unix:/run/x": true, "unix-abstract:x": true, "ipv4:127.0.0.1:1,127.0.0.2:1": true,
		"passthrough:///127.0.0.1:1": true, "10.0.0.1:50051": false, "ipv4:127.0.0.1:1,10.0.0.1:1": false,
		"localhost.example:50051": false, "dns:///intercomd:50051": false,
	} {
		if got := isLocal(target); got != want {
			t.Errorf("%s: %t, want %t", target, got, want)
		}
	}
}

package intercomd

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var (
	urlScheme = regexp.MustCompile(`(?i)^(https?|grpcs?|tcp|wss?)://`)
	resolver  = regexp.MustCompile(`(?i)^(dns:(//[^/]*/)?|ipv4:|ipv6:)`)
	// Resolvers whose targets have a form of their own.
	otherResolver = regexp.MustCompile(`(?i)^(unix|unix-abstract|vsock|xds|passthrough|google-c2p):`)
	unixScheme    = regexp.MustCompile(`(?i)^(unix|unix-abstract):`)
	passthrough   = regexp.MustCompile(`(?i)^passthrough:(//[^/]*/)?`)
)

// checkTarget accepts "host:port", "unix:/path" and gRPC's other forms. gRPC itself would retry a malformed target for ever.
func checkTarget(target string) error {
	if target == "" || strings.ContainsAny(target, " \t\r\n\v\f") {
		return fmt.Errorf("target %q is empty or has white space: write it as \"127.0.0.1:50051\"", target)
	}
	if url := urlScheme.FindString(target); url != "" {
		return fmt.Errorf("target %q is a URL: leave %q out, and set TLS for TLS", target, url)
	}
	if otherResolver.MatchString(target) {
		if _, path, _ := strings.Cut(target, ":"); strings.Trim(path, "/") == "" {
			return fmt.Errorf("target %q has no path: write it as \"unix:/run/intercomd.sock\"", target)
		}
		return nil
	}
	for _, place := range strings.Split(target[len(resolver.FindString(target)):], ",") {
		if err := checkPlace(target, place); err != nil {
			return err
		}
	}
	return nil
}

// checkPlace checks host:port or [address]:port.
func checkPlace(target, place string) error {
	place = strings.NewReplacer("%5B", "[", "%5D", "]").Replace(place)
	colon := strings.LastIndexByte(place, ':')
	if colon < 0 {
		return fmt.Errorf("target %q has no port: write it as \"host:50051\" or \"[address]:50051\"", target)
	}
	host, port := place[:colon], place[colon+1:]
	bracketed := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
	switch number, err := strconv.ParseUint(port, 10, 16); {
	case strings.Contains(host, ":") && !bracketed:
		return fmt.Errorf("target %q has no port: write it as \"host:50051\" or \"[address]:50051\"", target)
	case host == "":
		return fmt.Errorf("target %q has no host: write it as \"host:%s\"", target, port)
	case strings.Contains(place, "/"):
		return fmt.Errorf("target %q has a path after the port: write it as \"host:port\"", target)
	case err != nil || number == 0:
		return fmt.Errorf("target %q has the port %q: a port is a number from 1 to 65535", target, port)
	}
	return nil
}

// isLocal reports whether a target is a Unix socket, or only loopback addresses. Such targets never go through a proxy, and
// a token may travel to them in plain text.
func isLocal(target string) bool {
	if unixScheme.MatchString(target) {
		return true
	}
	prefix := resolver.FindString(target)
	if prefix == "" {
		prefix = passthrough.FindString(target)
	}
	for _, place := range strings.Split(target[len(prefix):], ",") {
		if !isLoopback(place) {
			return false
		}
	}
	return true
}

func isLoopback(place string) bool {
	host := strings.ToLower(strings.NewReplacer("%5B", "[", "%5D", "]").Replace(place))
	if strings.HasPrefix(host, "[") {
		host, _, _ = strings.Cut(host[1:], "]")
	} else if strings.Count(host, ":") == 1 {
		host, _, _ = strings.Cut(host, ":")
	}
	// RFC 6761, 6.3: names that fall within ".localhost." are the loopback.
	if name := strings.TrimSuffix(host, "."); name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

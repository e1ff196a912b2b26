package io.github.intercomd;

import io.grpc.NameResolverRegistry;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The address of the daemon, in gRPC's syntax: "host:port", "unix:/path" and others. */
record Target(String text) {
  private static final Pattern URL_SCHEME = Pattern.compile("(https?|grpcs?|tcp|wss?)://", Pattern.CASE_INSENSITIVE);
  private static final Pattern RESOLVER = Pattern.compile("dns:(//[^/]*/)?|ipv4:|ipv6:", Pattern.CASE_INSENSITIVE);
  private static final Pattern UNIX = Pattern.compile("unix(-abstract)?:(//)?", Pattern.CASE_INSENSITIVE);
  private static final Pattern PASSTHROUGH = Pattern.compile("passthrough:(//[^/]*/)?", Pattern.CASE_INSENSITIVE);

  /** Resolvers whose targets have a form of their own. */
  private static final Pattern OTHER =
      Pattern.compile("(unix|unix-abstract|vsock|xds|passthrough|google-c2p):|[a-z][a-z0-9+.-]*://", Pattern.CASE_INSENSITIVE);

  private static final Pattern LOOPBACK_IPV4 = Pattern.compile("(::ffff:)?127(\\.[0-9]{1,3}){3}");

  /**
   * Checks the target: gRPC itself would retry a malformed one for ever.
   *
   * @throws IllegalArgumentException it is malformed; the message names the mistake and the fix
   */
  Target {
    if (text == null || text.isEmpty() || text.chars().anyMatch(Character::isWhitespace)) {
      throw wrong(text, "is empty or has white space: write it as \"127.0.0.1:50051\"");
    }
    Matcher url = URL_SCHEME.matcher(text);
    if (url.lookingAt()) {
      throw wrong(text, "is a URL: leave \"" + url.group() + "\" out, and set tls for TLS");
    }
    Matcher resolver = RESOLVER.matcher(text);
    if (!resolver.lookingAt() && OTHER.matcher(text).lookingAt()) {
      checkOther(text);
    } else {
      for (String place : places(text)) {
        checkPlace(text, place);
      }
    }
  }

  private static void checkOther(String text) {
    String scheme = text.substring(0, text.indexOf(':')).toLowerCase(Locale.ROOT);
    if (text.substring(scheme.length() + 1).replace("/", "").isEmpty()) {
      throw wrong(text, "has no path: write it as \"unix:/run/intercomd.sock\"");
    }
    if (!scheme.equals("unix") && NameResolverRegistry.getDefaultRegistry().getProviderForScheme(scheme) == null) {
      throw wrong(text, "has the scheme \"" + scheme + "\", which nothing on the class path resolves: write it as \"host:port\"");
    }
  }

  /** Checks host:port or [address]:port. */
  private static void checkPlace(String text, String place) {
    int colon = place.lastIndexOf(':');
    String host = place.substring(0, Math.max(colon, 0));
    String port = place.substring(colon + 1);
    if (colon < 0 || (host.contains(":") && !(host.startsWith("[") && host.endsWith("]")))) {
      throw wrong(text, "has no port: write it as \"host:50051\" or \"[address]:50051\"");
    }
    if (host.isEmpty()) {
      throw wrong(text, "has no host: write it as \"host:" + port + "\"");
    }
    if (place.contains("/")) {
      throw wrong(text, "has a path after the port: write it as \"host:port\"");
    }
    if (!port.matches("[0-9]{1,5}") || Integer.parseInt(port) < 1 || Integer.parseInt(port) > 65535) {
      throw wrong(text, "has the port \"" + port + "\": a port is a number from 1 to 65535");
    }
    if (text.contains(",")) {
      throw wrong(text, "has several addresses: use a name that resolves to them, as \"dns:///name:port\"");
    }
  }

  private static IllegalArgumentException wrong(String text, String problem) {
    return new IllegalArgumentException("target \"" + (text == null ? "" : text) + "\" " + problem);
  }

  /** Returns the path of a Unix socket; null: it is another target. */
  Path socket() {
    Matcher unix = UNIX.matcher(text);
    return unix.lookingAt() ? Path.of(text.substring(unix.end())) : null;
  }

  /** Returns the target for gRPC's Java resolvers, which have neither "ipv4:" nor "ipv6:". */
  String resolvable() {
    if (!RESOLVER.matcher(text).lookingAt() && OTHER.matcher(text).lookingAt()) {
      return text;
    }
    return "dns:///" + places(text)[0].replace("[", "%5B").replace("]", "%5D");
  }

  /**
   * Returns whether the target is a Unix socket, or only loopback addresses. Such targets never go through a proxy, and a token
   * may travel to them in plain text.
   */
  boolean isLocal() {
    return isLocal(text);
  }

  static boolean isLocal(String text) {
    if (UNIX.matcher(text).lookingAt()) {
      return true;
    }
    for (String place : places(PASSTHROUGH.matcher(text).lookingAt() ? PASSTHROUGH.matcher(text).replaceFirst("") : text)) {
      if (!isLoopback(place)) {
        return false;
      }
    }
    return true;
  }

  private static String[] places(String text) {
    Matcher resolver = RESOLVER.matcher(text);
    String rest = resolver.lookingAt() ? text.substring(resolver.end()) : text;
    return rest.replace("%5B", "[").replace("%5D", "]").split(",", -1);
  }

  private static boolean isLoopback(String place) {
    String host = place.toLowerCase(Locale.ROOT);
    if (host.startsWith("[")) {
      host = host.substring(1, Math.max(1, host.indexOf(']')));
    } else if (host.indexOf(':') == host.lastIndexOf(':') && host.contains(":")) {
      host = host.substring(0, host.indexOf(':'));
    }
    String name = host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
    // RFC 6761, 6.3: names that fall within ".localhost." are the loopback.
    return name.equals("localhost")
        || name.endsWith(".localhost")
        || host.equals("::1")
        || LOOPBACK_IPV4.matcher(host).matches();
  }
}

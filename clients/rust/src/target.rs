use std::net::IpAddr;
use std::path::PathBuf;

use crate::Error;

const URL_SCHEMES: [&str; 7] = ["http", "https", "grpc", "grpcs", "tcp", "ws", "wss"];
/// Resolvers of gRPC that need more than an address.
const OTHER_RESOLVERS: [&str; 4] = ["xds", "vsock", "passthrough", "google-c2p"];

/// Where the daemon is: one of gRPC's forms of a target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// Hosts and ports, tried in turn.
    Tcp(Vec<Place>),
    /// The path of a Unix socket; an abstract one begins with a null byte.
    Unix(PathBuf),
}

/// A host, without the brackets of an IPv6 address, and its port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// Reads "host:port", "unix:/path" and gRPC's other forms. A malformed target would be repeated for ever.
    pub(crate) fn parse(target: &str) -> Result<Self, Error> {
        parse(target).map_err(Error::Configuration)
    }

    /// Returns whether it is a Unix socket, or only loopback addresses: a token may travel to it in plain text.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(places) => places.iter().all(Place::is_loopback),
        }
    }

    /// Returns the name that a certificate must have, and the authority of the calls.
    pub(crate) fn authority(&self) -> (String, String) {
        match self {
            Self::Unix(_) => ("localhost".into(), "localhost".into()),
            Self::Tcp(places) => {
                let Place { host, port } = &places[0];
                let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
                (host.clone(), authority)
            }
        }
    }
}

impl Place {
    fn is_loopback(&self) -> bool {
        // RFC 6761, 6.3: names that fall within ".localhost." are the loopback.
        let name = self.host.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        let loopback = |address: IpAddr| address.to_canonical().is_loopback();
        name == "localhost" || name.ends_with(".localhost") || name.parse().is_ok_and(loopback)
    }
}

fn parse(target: &str) -> Result<Target, String> {
    if target.is_empty() || target.contains(|character: char| character.is_ascii_whitespace()) {
        return Err(format!("target {target:?} is empty or has white space: write it as \"127.0.0.1:50051\""));
    }
    if let Some((scheme, _)) = target.split_once("://")
        && URL_SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
    {
        return Err(format!("target {target:?} is a URL: leave \"{scheme}://\" out, and set tls for TLS"));
    }
    let Some((scheme, rest)) = target.split_once(':') else { return Err(no_port(target)) };
    let scheme = scheme.to_ascii_lowercase();
    if OTHER_RESOLVERS.contains(&scheme.as_str()) {
        return Err(format!("target {target:?} has the scheme {scheme}: use dns, ipv4, ipv6, unix or unix-abstract"));
    }
    match scheme.as_str() {
        "unix" | "unix-abstract" if rest.trim_matches('/').is_empty() => {
            Err(format!("target {target:?} has no path: write it as \"unix:/run/intercomd.sock\""))
        }
        // gRPC's naming: "unix:path" and "unix:///absolute_path".
        "unix" => Ok(Target::Unix(rest.strip_prefix("//").unwrap_or(rest).into())),
        "unix-abstract" => Ok(Target::Unix(format!("\0{rest}").into())),
        "dns" if rest.starts_with("//") && !rest.starts_with("///") => {
            Err(format!("target {target:?} names a DNS server: write it as \"dns:///host:port\""))
        }
        "dns" => places(target, rest.strip_prefix("///").unwrap_or(rest)),
        "ipv4" | "ipv6" => places(target, rest),
        _ => places(target, target),
    }
}

fn places(target: &str, listed: &str) -> Result<Target, String> {
    listed.split(',').map(|each| place(target, each)).collect::<Result<_, _>>().map(Target::Tcp)
}

/// Reads host:port or [address]:port.
fn place(target: &str, text: &str) -> Result<Place, String> {
    let text = text.replace("%5B", "[").replace("%5D", "]");
    let (host, port) = text.rsplit_once(':').ok_or_else(|| no_port(target))?;
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if bracketed.is_none() && host.contains(':') {
        return Err(no_port(target));
    }
    if host.is_empty() {
        return Err(format!("target {target:?} has no host: write it as \"host:{port}\""));
    }
    if text.contains('/') {
        return Err(format!("target {target:?} has a path after the port: write it as \"host:port\""));
    }
    match port.parse() {
        Ok(port) if port > 0 => Ok(Place { host: bracketed.unwrap_or(host).into(), port }),
        _ => Err(format!("target {target:?} has the port {port:?}: a port is a number from 1 to 65535")),
    }
}

fn no_port(target: &str) -> String {
    format!("target {target:?} has no port: write it as \"host:50051\" or \"[address]:50051\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_may_have_each_of_its_forms() {
        for (target, host, authority) in [
            ("127.0.0.1:50051", "127.0.0.1", "127.0.0.1:50051"),
            ("[::1]:50051", "::1", "[::1]:50051"),
            ("intercomd:1", "intercomd", "intercomd:1"),
            ("dns:///intercomd:50051", "intercomd", "intercomd:50051"),
            ("dns:intercomd:50051", "intercomd", "intercomd:50051"),
            ("DNS:///intercomd:50051", "intercomd", "intercomd:50051"),
            ("ipv4:10.0.0.1:50051,10.0.0.2:50051", "10.0.0.1", "10.0.0.1:50051"),
            ("ipv6:%5B::1%5D:50051", "::1", "[::1]:50051"),
            ("unix:/run/intercomd.sock", "localhost", "localhost"),
        ] {
            let expected = (host.to_owned(), authority.to_owned());
            assert_eq!(Target::parse(target).unwrap().authority(), expected, "{target}");
        }
    }

    #[test]
    fn unix_target_has_its_path() {
        for (target, path) in [
            ("unix:/run/intercomd.sock", "/run/intercomd.sock"),
            ("unix:///run/intercomd.sock", "/run/intercomd.sock"),
            ("unix:intercomd.sock", "intercomd.sock"),
            ("unix-abstract:intercomd", "\0intercomd"),
        ] {
            assert_eq!(Target::parse(target).unwrap(), Target::Unix(path.into()), "{target}");
        }
    }

    #[test]
    fn malformed_target_is_an_error_that_names_the_mistake() {
        for (target, expected) in [
            ("", "empty"),
            (" 127.0.0.1:50051", "white space"),
            ("http://127.0.0.1:50051", "URL"),
            ("grpcs://127.0.0.1:50051", "URL"),
            ("127.0.0.1", "no port"),
            ("::1", "no port"),
            (":50051", "no host"),
            ("intercomd:50051/path", "path"),
            ("intercomd:0", "1 to 65535"),
            ("intercomd:65536", "1 to 65535"),
            ("intercomd:port", "1 to 65535"),
            ("ipv4:10.0.0.1:50051,10.0.0.2", "no port"),
            ("unix:", "no path"),
            ("unix-abstract:", "no path"),
            ("xds:///intercomd", "scheme xds"),
            ("dns://8.8.8.8/intercomd:50051", "DNS server"),
        ] {
            let error = Target::parse(target).unwrap_err().to_string();
            assert!(error.contains(expected), "{target:?}: {error}, expected {expected}");
        }
    }

    #[test]
    fn only_loopback_and_unix_sockets_are_local() {
        for (target, expected) in [
            ("127.0.0.1:50051", true),
            ("127.9.9.9:1", true),
            ("[::1]:50051", true),
            ("[::ffff:127.0.0.1]:50051", true),
            ("localhost:50051", true),
            ("a.localhost.:50051", true),
            ("unix:/run/x", true),
            ("unix-abstract:x", true),
            ("ipv4:127.0.0.1:1,127.0.0.2:1", true),
            ("10.0.0.1:50051", false),
            ("ipv4:127.0.0.1:1,10.0.0.1:1", false),
            ("localhost.example:50051", false),
            ("dns:///intercomd:50051", false),
        ] {
            assert_eq!(Target::parse(target).unwrap().is_local(), expected, "{target}");
        }
    }
}

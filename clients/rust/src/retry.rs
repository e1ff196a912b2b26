use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status, TimeoutExpired};

use crate::connect::Peer;

/// The longest pause that a target may request: a wrong header must not stop publishing for hours.
const PUSHBACK_MAX: Duration = Duration::from_secs(60);
pub(crate) const CONNECTION_NOT_ALLOWED: &str = "CONNECTION_NOT_ALLOWED";

/// What the publisher does after a failed call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Advice {
    /// Send the same request again, after a pause.
    Repeat,
    /// Send the envelopes in smaller requests; this request would be refused again.
    Divide,
    /// Reject the envelopes of one connection, and send the others again.
    RejectConnection,
    /// Repeating helps only after a change of the configuration.
    Stop,
}

/// The error status of a call.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// How long the daemon asks to wait, at most `PUSHBACK_MAX`. One of zero would repeat in a busy loop: the publisher uses
    /// its own.
    pub(crate) pause: Option<Duration>,
    /// The connection of an ErrorInfo CONNECTION_NOT_ALLOWED.
    pub(crate) forbidden: Option<String>,
    pub(crate) peer: Peer,
}

/// google.rpc.Status, of the trailer grpc-status-details-bin.
#[derive(Clone, PartialEq, Message)]
struct StatusDetails {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// google.rpc.RetryInfo.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

/// google.rpc.ErrorInfo.
#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(map = "string, string", tag = "3")]
    metadata: HashMap<String, String>,
}

impl Failure {
    /// A call that could not be made.
    pub(crate) fn unavailable(message: String) -> Self {
        Self { code: Code::Unavailable, message, pause: None, forbidden: None, peer: Peer::Unknown }
    }

    pub(crate) fn deadline_exceeded() -> Self {
        Self { code: Code::DeadlineExceeded, ..Self::unavailable("the call took too long".into()) }
    }

    /// Reads a status and its trailers; `peer` is what the connection received. grpc-retry-pushback-ms goes before RetryInfo.
    pub(crate) fn read(status: &Status, peer: Peer) -> Self {
        if let Some(cause) = status.source() {
            // The daemon did not send it: the connection failed.
            if causes(cause).any(|each| each.is::<TimeoutExpired>()) {
                return Self::deadline_exceeded();
            }
            return Self { peer, ..Self::unavailable(describe(cause)) };
        }
        let (mut pause, mut forbidden) = (None, None);
        for detail in StatusDetails::decode(status.details()).unwrap_or_default().details {
            let value = detail.value.as_slice();
            match detail.type_url.rsplit('/').next() {
                Some("google.rpc.RetryInfo") => {
                    let delay = RetryInfo::decode(value).ok().and_then(|info| info.retry_delay);
                    pause = delay.map(|delay| Duration::try_from(delay).unwrap_or_default()); // negative: none
                }
                Some("google.rpc.ErrorInfo") => {
                    let info = ErrorInfo::decode(value).unwrap_or_default();
                    if info.reason == CONNECTION_NOT_ALLOWED {
                        forbidden = info.metadata.get("connection").cloned();
                    }
                }
                _ => {}
            }
        }
        let pushback = status.metadata().get("grpc-retry-pushback-ms").and_then(|value| value.to_str().ok());
        if let Some(text) = pushback.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())) {
            // A number above u64 exceeds the longest pause by far.
            pause = Some(text.parse().map_or(PUSHBACK_MAX, Duration::from_millis));
        }
        let pause = pause.map(|pause| pause.min(PUSHBACK_MAX));
        let code = match status.code() {
            // tonic's own status of a response above its limit, for which gRPC has RESOURCE_EXHAUSTED.
            Code::OutOfRange if status.message().contains("message length too large") => Code::ResourceExhausted,
            code => code,
        };
        Self { code, message: status.message().into(), pause, forbidden, peer }
    }

    /// Returns what to do after a status.
    ///
    /// The daemon itself sends UNAVAILABLE only; the other repeated statuses come from proxies and lost connections. A repeat
    /// with the same ids does no harm: accepted envelopes are then duplicates. RESOURCE_EXHAUSTED with a pause is a quota;
    /// without one it may be gRPC's own limit of a message's size.
    pub(crate) fn advice(&self) -> Advice {
        match self.code {
            _ if matches!(self.peer, Peer::Http1 | Peer::Other) => Advice::Stop,
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Internal | Code::Unknown => {
                Advice::Repeat
            }
            Code::InvalidArgument => Advice::Divide,
            Code::ResourceExhausted if self.pause.is_some() => Advice::Repeat,
            Code::ResourceExhausted => Advice::Divide,
            Code::PermissionDenied if self.forbidden.is_some() => Advice::RejectConnection,
            _ => Advice::Stop,
        }
    }

    /// Returns the status in one line, with the fix if repeating does not help. `has_tls`: calls are secured; `succeeded`:
    /// one has succeeded.
    pub(crate) fn explain(&self, target: &str, has_tls: bool, succeeded: bool) -> String {
        let mut status = code_name(self.code).to_owned();
        let line = self.message.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.is_empty() {
            status = format!("{status}: {line}");
        }
        match (self.peer, self.code) {
            (Peer::Http1 | Peer::Other, _) => format!(
                "{target} answers HTTP/1 or another protocol, not gRPC: set the target to the ingest address, by default \
                 port 50051 ({status})"
            ),
            (Peer::Plain, _) if has_tls => {
                format!("{target} answers in plain text ({status}): leave tls out")
            }
            (Peer::Tls | Peer::Silent, _) if !has_tls && !succeeded => {
                format!("{target} closed the connection: if it expects TLS, set tls ({status})")
            }
            (Peer::Tls, Code::Unavailable) if !succeeded && is_closed(&self.message) => format!(
                "{target} closed the connection: if it requires a client certificate, set tls to one that it accepts \
                 ({status})"
            ),
            (_, Code::Unimplemented) => format!(
                "{target} does not serve intercomd.v1.IngestService: set the target to the ingest address, by default port \
                 50051, not the operations address ({status})"
            ),
            (_, Code::Unauthenticated) => format!(
                "{target} refuses the credential: set token or token_file to a token that it accepts ({status})"
            ),
            (_, Code::PermissionDenied) => format!(
                "{target} does not allow this caller to publish: ask for the permission or use another token ({status})"
            ),
            _ => status,
        }
    }
}

/// Returns whether a connection was closed, by the descriptions of hyper, h2 and rustls.
fn is_closed(message: &str) -> bool {
    ["closed", "broken pipe", "reset by peer"].iter().any(|text| message.contains(text))
}

/// Returns an error and its causes.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&each| each.source())
}

/// Returns the texts of an error and its causes, without those that another one repeats, and tonic's own, which says no more.
fn describe(error: &(dyn StdError + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for each in causes(error) {
        let text = each.to_string();
        if text != "transport error" && !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// Returns the name of a status as gRPC's specification writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Returns the pause after this number of failures: exponential, with `share` (0.0 to 1.0) as full jitter.
pub(crate) fn retry_delay(failures: u32, first: Duration, limit: Duration, share: f64) -> Duration {
    let growth = 2_u32.saturating_pow(failures.saturating_sub(1));
    first.saturating_mul(growth).min(limit).mul_f64(share)
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataMap;

    use super::*;

    fn detail(name: &str, value: &impl Message) -> Any {
        Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value: value.encode_to_vec() }
    }

    fn retry_info(seconds: i64, nanos: i32) -> Any {
        detail("RetryInfo", &RetryInfo { retry_delay: Some(prost_types::Duration { seconds, nanos }) })
    }

    fn error_info(reason: &str, connection: &str) -> Any {
        let metadata = HashMap::from([("connection".into(), connection.into())]);
        detail("ErrorInfo", &ErrorInfo { reason: reason.into(), metadata })
    }

    fn failed(code: Code, pushback: &str, details: Vec<Any>) -> Failure {
        let mut trailers = MetadataMap::new();
        if !pushback.is_empty() {
            trailers.insert("grpc-retry-pushback-ms", pushback.parse().unwrap());
        }
        let details = StatusDetails { details }.encode_to_vec();
        Failure::read(&Status::with_details_and_metadata(code, "text", details.into(), trailers), Peer::Unknown)
    }

    #[test]
    fn advice_follows_the_status() {
        for (failure, expected) in [
            (failed(Code::Unavailable, "", vec![]), Advice::Repeat),
            (failed(Code::DeadlineExceeded, "", vec![]), Advice::Repeat),
            (failed(Code::Cancelled, "", vec![]), Advice::Repeat),
            (failed(Code::Internal, "", vec![]), Advice::Repeat),
            (failed(Code::Unknown, "", vec![]), Advice::Repeat),
            (Failure { peer: Peer::Http1, ..Failure::unavailable(String::new()) }, Advice::Stop),
            (Failure { peer: Peer::Other, ..Failure::unavailable(String::new()) }, Advice::Stop),
            (Failure { peer: Peer::Tls, ..Failure::unavailable(String::new()) }, Advice::Repeat),
            (failed(Code::InvalidArgument, "", vec![]), Advice::Divide),
            (failed(Code::ResourceExhausted, "", vec![retry_info(1, 0)]), Advice::Repeat),
            (failed(Code::ResourceExhausted, "250", vec![]), Advice::Repeat),
            (failed(Code::ResourceExhausted, "", vec![]), Advice::Divide),
            (
                failed(Code::PermissionDenied, "", vec![error_info(CONNECTION_NOT_ALLOWED, "eu")]),
                Advice::RejectConnection,
            ),
            (failed(Code::PermissionDenied, "", vec![error_info("OPERATIONS_NOT_ALLOWED", "")]), Advice::Stop),
            (failed(Code::PermissionDenied, "", vec![]), Advice::Stop),
            (failed(Code::Unauthenticated, "", vec![]), Advice::Stop),
            (failed(Code::Unimplemented, "", vec![]), Advice::Stop),
        ] {
            assert_eq!(failure.advice(), expected, "{failure:?}");
        }
    }

    #[test]
    fn pause_is_the_one_that_the_daemon_requests() {
        for (name, failure, expected) in [
            ("none", failed(Code::Unavailable, "", vec![]), None),
            ("RetryInfo", failed(Code::Unavailable, "", vec![retry_info(1, 500_000_000)]), Some(1_500)),
            ("the trailer goes first", failed(Code::Unavailable, "250", vec![retry_info(1, 0)]), Some(250)),
            ("zero", failed(Code::Unavailable, "0", vec![]), Some(0)),
            ("capped", failed(Code::Unavailable, "3600000", vec![]), Some(60_000)),
            ("capped RetryInfo", failed(Code::Unavailable, "", vec![retry_info(3_600, 0)]), Some(60_000)),
            ("negative RetryInfo", failed(Code::Unavailable, "", vec![retry_info(-5, 0)]), Some(0)),
            ("RetryInfo of centuries", failed(Code::Unavailable, "", vec![retry_info(i64::MAX, 0)]), Some(60_000)),
            ("not a number", failed(Code::Unavailable, "soon", vec![]), None),
            ("negative", failed(Code::Unavailable, "-5", vec![]), None),
            ("years", failed(Code::Unavailable, "1000000000000", vec![]), Some(60_000)),
            ("too long a number", failed(Code::Unavailable, "99999999999999999999", vec![]), Some(60_000)),
        ] {
            assert_eq!(failure.pause, expected.map(Duration::from_millis), "{name}");
        }
    }

    #[test]
    fn pushback_without_digits_is_ignored() {
        let mut trailers = MetadataMap::new();
        trailers.insert("grpc-retry-pushback-ms", "".parse().unwrap());
        let status = Status::with_metadata(Code::Unavailable, "text", trailers);
        assert_eq!(Failure::read(&status, Peer::Unknown).pause, None);
    }

    #[test]
    fn response_above_the_limit_is_asked_for_in_parts() {
        let status = Status::out_of_range("Error, decoded message length too large: found 8388608 bytes");
        assert_eq!(Failure::read(&status, Peer::Unknown).advice(), Advice::Divide);
    }

    #[test]
    fn details_that_are_not_protobuf_are_ignored() {
        let status = Status::with_details(Code::Unavailable, "text", vec![0xFF; 3].into());
        assert_eq!(Failure::read(&status, Peer::Unknown).pause, None);
    }

    #[test]
    fn explanation_names_the_fix() {
        let from = |code, peer| Failure { code, peer, ..Failure::unavailable("broken".into()) };
        for (failure, has_tls, succeeded, expected) in [
            (from(Code::Unavailable, Peer::Http1), false, false, "answers HTTP/1"),
            (from(Code::Unavailable, Peer::Plain), true, false, "in plain text (UNAVAILABLE: broken): leave tls out"),
            (from(Code::Unavailable, Peer::Plain), false, false, "UNAVAILABLE: broken"),
            (from(Code::Unavailable, Peer::Tls), false, false, "if it expects TLS, set tls (UNAVAILABLE: broken)"),
            (from(Code::Unavailable, Peer::Silent), false, false, "if it expects TLS"),
            (from(Code::Unavailable, Peer::Silent), false, true, "UNAVAILABLE: broken"),
            (from(Code::Unavailable, Peer::Silent), true, false, "UNAVAILABLE: broken"),
            (from(Code::Unavailable, Peer::Tls), true, false, "UNAVAILABLE: broken"),
            (from(Code::Unimplemented, Peer::Plain), false, false, "not the operations address"),
            (from(Code::Unauthenticated, Peer::Plain), false, false, "token_file"),
            (from(Code::PermissionDenied, Peer::Plain), false, false, "ask for the permission"),
        ] {
            let text = failure.explain("there:1", has_tls, succeeded);
            assert!(text.contains(expected), "{text}, expected {expected}");
        }
    }

    #[test]
    fn closed_connection_with_tls_names_the_client_certificate() {
        let closed = Failure { peer: Peer::Tls, ..Failure::unavailable("connection error:\nbroken pipe".into()) };
        let text = closed.explain("there:1", true, false);
        assert!(text.contains("if it requires a client certificate"), "{text}");
        assert_eq!(closed.explain("there:1", true, true), "UNAVAILABLE: connection error: broken pipe");
    }

    #[test]
    fn retry_delay_grows_up_to_its_limit() {
        for (failures, share, expected) in
            [(1, 1.0, 200), (2, 1.0, 400), (3, 0.5, 400), (6, 1.0, 5_000), (1_000_000, 1.0, 5_000), (4, 0.0, 0)]
        {
            let delay = retry_delay(failures, Duration::from_millis(200), Duration::from_secs(5), share);
            assert_eq!(delay, Duration::from_millis(expected), "after {failures} failures, share {share}");
        }
    }
}

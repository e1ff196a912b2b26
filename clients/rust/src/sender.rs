use std::collections::BTreeSet;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use tokio::time::{Instant, sleep, timeout};
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::{Code, Status};
use tower::ServiceExt;
use tracing::{error, info, warn};

use crate::access::Access;
use crate::envelope_id::random;
use crate::frame::{Frame, FrameCodec, Request};
use crate::retry::{Advice, CONNECTION_NOT_ALLOWED, Failure, retry_delay};
use crate::v1::{Disposition, EnvelopeResult, PublishResponse, Violation};
use crate::{Error, Options};

const METHOD: PathAndQuery = PathAndQuery::from_static("/intercomd.v1.IngestService/Publish");
/// How long a refused request is repeated after calls have succeeded: long enough to replace a token.
const REFUSED_MAX: Duration = Duration::from_secs(5 * 60);
/// The time between two warnings about the refusal.
const REFUSED_WARNING: Duration = Duration::from_secs(60);
/// The daemon's limit.
const ENVELOPE_ID_BYTES_MAX: usize = 128;
const DEFAULT_CONNECTION: &str = "default";

/// Delivers the batches of one publisher, several at a time, and calls its callbacks.
pub(crate) struct Sender {
    target: String,
    options: Options,
    shared: Mutex<Shared>,
}

/// What the calls in flight share.
struct Shared {
    access: Access,
    /// The number of envelopes in one call. It is halved when the daemon refuses a call as a whole, until the bad envelope is
    /// found.
    call_max: usize,
    succeeded: bool,
    last_failure: Option<Error>,
}

/// The failed calls of one request.
#[derive(Default)]
struct Attempts {
    failures: u32,
    first: Option<Instant>,
    refused: Option<Instant>,
    reported: Option<Instant>,
}

impl Sender {
    pub(crate) fn new(target: String, options: Options) -> Result<Self, Error> {
        let access = Access::new(&target, &options)?;
        let call_max = options.batch_envelopes_max;
        let shared = Mutex::new(Shared { access, call_max, succeeded: false, last_failure: None });
        Ok(Self { target, options, shared })
    }

    /// Returns the newest failed call; `None` after a success.
    pub(crate) fn last_failure(&self) -> Option<Error> {
        self.shared().last_failure.clone()
    }

    pub(crate) fn close(&self) {
        self.shared().access.close();
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes calls until every frame has its result. An error means that the daemon refuses the batch and repeating does not
    /// help. `resolve` is called with the results of the next frames of the batch.
    pub(crate) async fn deliver(&self, frames: &[Frame], resolve: impl Fn(&[EnvelopeResult])) -> Result<(), Error> {
        let mut rest = frames;
        while !rest.is_empty() {
            let (next, later) = rest.split_at(rest.len().min(self.shared().call_max));
            if let Some(results) = self.results(next).await? {
                resolve(&results);
                self.report(next, &results);
                rest = later;
            }
        }
        Ok(())
    }

    /// Returns one result for each frame; `None` if they must be sent in smaller requests.
    async fn results(&self, frames: &[Frame]) -> Result<Option<Vec<EnvelopeResult>>, Error> {
        let mut attempts = Attempts::default();
        let mut rejected: Vec<Option<EnvelopeResult>> = vec![None; frames.len()];
        loop {
            let sent: Vec<usize> = (0..frames.len()).filter(|place| rejected[*place].is_none()).collect();
            if sent.is_empty() {
                return Ok(Some(rejected.into_iter().flatten().collect()));
            }
            let failure = match self.call(sent.iter().map(|place| frames[*place].clone()).collect()).await {
                Ok(response) => {
                    let sent: Vec<&Frame> = sent.iter().map(|place| &frames[*place]).collect();
                    let mut results = self.accept(response, &sent, &attempts)?.into_iter();
                    return Ok(Some(
                        rejected.into_iter().filter_map(|known| known.or_else(|| results.next())).collect(),
                    ));
                }
                Err(failure) => failure,
            };
            let explained = self.keep(&failure);
            let forbidden = places_of(failure.forbidden.as_deref(), frames, &sent);
            match failure.advice() {
                // Without an envelope of that connection, rejecting none and repeating would never end.
                Advice::RejectConnection if !forbidden.is_empty() => {
                    for place in forbidden {
                        let result = rejection(&frames[place], CONNECTION_NOT_ALLOWED, "connection", &failure.message);
                        rejected[place] = Some(result);
                    }
                }
                Advice::Divide if sent.len() > 1 => {
                    self.shared().call_max = sent.len().div_ceil(2);
                    return Ok(None);
                }
                Advice::Divide if failure.code == Code::InvalidArgument => {
                    self.shared().call_max = self.options.batch_envelopes_max;
                    let place = sent[0];
                    rejected[place] = Some(rejection(&frames[place], "INVALID_ARGUMENT", "", &failure.message));
                }
                advice => {
                    let is_refused = matches!(advice, Advice::Stop | Advice::RejectConnection);
                    let now = Instant::now();
                    sleep(self.pause(is_refused, &failure, &explained, &mut attempts, now, share())?).await;
                }
            }
        }
    }

    /// Makes one call.
    async fn call(&self, frames: Vec<Frame>) -> Result<PublishResponse, Failure> {
        let (connection, authorization) = {
            let access = &mut self.shared().access;
            (access.connect(), access.authorization())
        };
        let mut request = tonic::Request::new(Request { frames, validate_only: self.options.validate_only });
        request.set_timeout(self.options.call_timeout);
        if let Some(authorization) = authorization {
            request.metadata_mut().insert("authorization", authorization);
        }
        let mut client = Grpc::new(connection.channel.clone().map_response(as_grpc));
        let call = caught(async {
            client.ready().await.map_err(|error| Status::from_error(error.into()))?;
            client.unary(request, METHOD, FrameCodec).await
        });
        match timeout(self.options.call_timeout, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Failure::read(&status, connection.peer())),
            Err(_) => Err(Failure::deadline_exceeded()),
        }
    }

    /// Keeps the failure for `last_failure`; returns it explained.
    fn keep(&self, failure: &Failure) -> String {
        let mut shared = self.shared();
        let message = failure.explain(&self.target, self.options.tls.is_some(), shared.succeeded);
        shared.last_failure = Some(Error::Stopped { code: failure.code, message: message.clone() });
        message
    }

    fn accept(
        &self,
        response: PublishResponse,
        sent: &[&Frame],
        attempts: &Attempts,
    ) -> Result<Vec<EnvelopeResult>, Error> {
        let results = response.results;
        if let Some(fault) = fault(&results, sent) {
            let message = format!("{fault}: {} is not intercomd; set the target to its ingest address", self.target);
            return Err(Error::Stopped { code: Code::Ok, message });
        }
        if attempts.failures > 0 {
            info!(failed_calls = attempts.failures, "publishing goes on");
        }
        let mut shared = self.shared();
        (shared.succeeded, shared.last_failure) = (true, None);
        Ok(results)
    }

    /// Returns how long to wait before the request is repeated; an error if repeating does not help, or has lasted too long.
    fn pause(
        &self,
        is_refused: bool,
        failure: &Failure,
        explained: &str,
        attempts: &mut Attempts,
        now: Instant,
        share: f64,
    ) -> Result<Duration, Error> {
        attempts.failures += 1;
        let first = *attempts.first.get_or_insert(now);
        let backoff = || retry_delay(attempts.failures, self.options.backoff, self.options.backoff_max, share);
        let pause = failure.pause.filter(|pause| !pause.is_zero()).unwrap_or_else(backoff);
        if is_refused {
            self.check_refusal(failure.code, explained, attempts, now)?;
        } else {
            attempts.refused = None;
        }
        if self.options.repeat_max.is_some_and(|limit| now - first + pause > limit) {
            let message = format!("gave up after {} calls: {explained}", attempts.failures);
            return Err(Error::Stopped { code: failure.code, message });
        }
        if !is_refused && attempts.failures == 1 {
            warn!(error = explained, ?pause, "publishing failed and is repeated");
        }
        Ok(pause)
    }

    /// Returns an error, unless earlier calls succeeded: then a refusal may last 5 minutes, as during a rollout.
    fn check_refusal(&self, code: Code, explained: &str, attempts: &mut Attempts, now: Instant) -> Result<(), Error> {
        if attempts.refused.is_none() {
            attempts.reported = None;
        }
        let lasted = now - *attempts.refused.get_or_insert(now);
        if !self.shared().succeeded || lasted >= REFUSED_MAX {
            return Err(Error::Stopped { code, message: format!("publishing was refused: {explained}") });
        }
        if attempts.reported.is_none_or(|last| now - last >= REFUSED_WARNING) {
            attempts.reported = Some(now);
            warn!(error = explained, remaining = ?(REFUSED_MAX - lasted), "publishing is refused and is repeated");
        }
        Ok(())
    }

    /// Passes results to the callbacks; without any, it logs the rejected envelopes.
    fn report(&self, frames: &[Frame], results: &[EnvelopeResult]) {
        if let Some(on_results) = &self.options.on_results {
            call_back("on_results", || on_results(results));
        }
        let is_rejected = |result: &EnvelopeResult| result.disposition() == Disposition::Rejected;
        let rejected = frames.iter().zip(results).filter(|(_, result)| is_rejected(result));
        if let Some(on_rejected) = &self.options.on_rejected {
            for (frame, result) in rejected {
                call_back("on_rejected", || on_rejected(&frame.envelope(), result));
            }
        } else if self.options.on_results.is_none() {
            let rejected: Vec<&EnvelopeResult> = rejected.map(|(_, result)| result).collect();
            let violations = rejected.iter().flat_map(|result| &result.violations);
            let reasons: BTreeSet<&str> = violations.map(|violation| violation.reason.as_str()).collect();
            if !rejected.is_empty() {
                warn!(rejected = rejected.len(), of = results.len(), ?reasons, "envelopes were rejected");
            }
        }
    }
}

/// Returns what shows that results are not those of the envelopes in frames.
fn fault(results: &[EnvelopeResult], sent: &[&Frame]) -> Option<String> {
    if results.len() != sent.len() {
        return Some(format!("{} results for {} envelopes", results.len(), sent.len()));
    }
    results.iter().zip(sent).find_map(|(result, frame)| {
        let (id, given) = (frame.id(), &result.envelope_id);
        if *given != id && !is_shortened(given, &id) {
            return Some(format!("the result of envelope \"{given:.60}\" in place of \"{id:.60}\""));
        }
        let has_none = result.disposition == i32::from(Disposition::Unspecified);
        has_none.then(|| format!("a result without a disposition for envelope \"{id:.60}\""))
    })
}

/// Returns whether an id is the beginning of one above the limit, which the daemon rejects and does not repeat whole.
fn is_shortened(returned: &str, id: &str) -> bool {
    id.len() > ENVELOPE_ID_BYTES_MAX && id.starts_with(returned)
}

/// Makes a panic of a call its failure: tonic panics where the trailer grpc-status-details-bin is no base64.
async fn caught<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let mut call = pin!(call);
    poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(Status::internal("the response cannot be read"))))
    })
    .await
}

/// Replaces the page of a proxy by the status of gRPC's "HTTP to gRPC Status Code Mapping". tonic would read the page as a
/// message.
fn as_grpc(response: http::Response<Body>) -> http::Response<Body> {
    let headers = response.headers();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.starts_with("application/grpc") || headers.contains_key("grpc-status") {
        return response;
    }
    let code = match response.status().as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("HTTP status {}, content-type {content_type:?}", response.status())).into_http()
}

/// Calls a callback; a panic in it is logged, since it must not stop the delivery of other envelopes.
fn call_back(callback: &str, call: impl FnOnce()) {
    if let Err(reason) = catch_unwind(AssertUnwindSafe(call)) {
        let text = reason.downcast_ref::<&str>().copied();
        let panic = text.or_else(|| reason.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
        error!(callback, panic, "a callback panicked; publishing goes on");
    }
}

/// Returns those of the places whose envelopes are of a connection.
fn places_of(connection: Option<&str>, frames: &[Frame], places: &[usize]) -> Vec<usize> {
    let Some(connection) = connection else { return Vec::new() };
    let is_of = |place: &usize| {
        let name = frames[*place].envelope().connection;
        name == connection || name.is_empty() && connection == DEFAULT_CONNECTION
    };
    places.iter().copied().filter(is_of).collect()
}

fn rejection(frame: &Frame, reason: &str, field: &str, message: &str) -> EnvelopeResult {
    EnvelopeResult {
        envelope_id: frame.envelope().envelope_id,
        disposition: Disposition::Rejected.into(),
        violations: vec![Violation { reason: reason.into(), field: field.into(), message: message.into() }],
        ..EnvelopeResult::default()
    }
}

/// Returns a random share of a pause, from 0.0 to 1.0.
fn share() -> f64 {
    const BITS: u32 = 53;
    random(BITS) as f64 / (1_u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Envelope;

    fn sender(options: Options) -> Sender {
        Sender::new("127.0.0.1:1".into(), options).unwrap()
    }

    fn refused() -> Failure {
        Failure { code: Code::Unauthenticated, ..Failure::unavailable("no".into()) }
    }

    /// Returns the last pause of a request that is refused at these seconds.
    fn pause_after(sender: &Sender, seconds: &[u64]) -> Result<Duration, Error> {
        let (start, mut attempts) = (Instant::now(), Attempts::default());
        let mut pause = |second: &u64| {
            sender.pause(true, &refused(), "no", &mut attempts, start + Duration::from_secs(*second), 1.0)
        };
        seconds.iter().map(&mut pause).last().unwrap()
    }

    #[test]
    fn refusal_is_repeated_for_five_minutes_after_a_success() {
        let proven = sender(Options::default());
        assert!(pause_after(&proven, &[0]).is_err(), "before the first success");
        proven.shared().succeeded = true;
        assert!(pause_after(&proven, &[0, 299]).is_ok());
        let error = pause_after(&proven, &[0, 300]).unwrap_err();
        assert!(matches!(error, Error::Stopped { code: Code::Unauthenticated, .. }), "{error}");
    }

    #[test]
    fn request_for_no_pause_gets_the_backoff() {
        let failure = Failure { pause: Some(Duration::ZERO), ..Failure::unavailable("away".into()) };
        let mut attempts = Attempts::default();
        let pause = sender(Options::default()).pause(false, &failure, "away", &mut attempts, Instant::now(), 0.5);
        assert_eq!(pause, Ok(Duration::from_millis(100)));
    }

    #[test]
    fn repeat_max_ends_the_repeats() {
        let limited = sender(Options { repeat_max: Some(Duration::from_secs(60)), ..Options::default() });
        let failure = Failure { pause: Some(Duration::from_secs(1)), ..Failure::unavailable("away".into()) };
        let (start, mut attempts) = (Instant::now(), Attempts::default());
        for (second, ends) in [(0, false), (59, false), (60, true)] {
            let now = start + Duration::from_secs(second);
            let pause = limited.pause(false, &failure, "away", &mut attempts, now, 1.0);
            assert_eq!(pause.is_err(), ends, "after {second} s: {pause:?}");
        }
    }

    #[test]
    fn forbidden_connection_is_found_by_its_name() {
        let named = |name: &str| Frame::new(&Envelope { connection: name.into(), ..Envelope::default() }, None);
        let frames = ["", "eu", "default", "us"].map(named);
        assert_eq!(places_of(Some("default"), &frames, &[0, 1, 2, 3]), [0, 2]);
        assert_eq!(places_of(Some("eu"), &frames, &[0, 1]), [1]);
        assert!(places_of(Some("eu"), &frames, &[0, 3]).is_empty());
        assert!(places_of(None, &frames, &[0, 1]).is_empty());
    }

    #[tokio::test]
    async fn call_that_panics_has_failed() {
        let panicking = async { panic!("Invalid status header, expected base64 encoded value") };
        assert_eq!(caught::<()>(panicking).await.unwrap_err().code(), Code::Internal);
        assert_eq!(caught(async { Ok(1) }).await.unwrap(), 1);
    }

    #[test]
    fn page_of_a_proxy_is_its_status() {
        let page = |status: u16, content_type: &str| {
            let response = http::Response::builder().status(status).header(CONTENT_TYPE, content_type);
            as_grpc(response.body(Body::empty()).unwrap())
        };
        for (status, expected) in [
            (200, Code::Unknown),
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (502, Code::Unavailable),
            (500, Code::Unknown),
        ] {
            let read = Status::from_header_map(page(status, "text/html").headers()).unwrap();
            assert_eq!(read.code(), expected, "{status}");
            assert!(read.message().contains(&format!("HTTP status {status}")), "{read}");
        }
        assert!(Status::from_header_map(page(200, "application/grpc+proto").headers()).is_none());
    }

    #[test]
    fn results_of_other_envelopes_are_an_error() {
        let frames = ["a", "b"].map(|id| Frame::new(&Envelope::new("42").with_id(id), None));
        let result = |id: &str, disposition: i32| EnvelopeResult {
            envelope_id: id.into(),
            disposition,
            ..EnvelopeResult::default()
        };
        for (results, expected) in [
            (vec![], "0 results for 2 envelopes"),
            (vec![result("a", 1), result("b", 1), result("c", 1)], "3 results for 2 envelopes"),
            (vec![result("b", 1), result("a", 1)], "the result of envelope \"b\" in place of \"a\""),
            (vec![result("a", 1), result("", 1)], "the result of envelope \"\" in place of \"b\""),
            (vec![result("a", 1), result("b", 0)], "without a disposition for envelope \"b\""),
        ] {
            let response = PublishResponse { results, ..PublishResponse::default() };
            let sent = [&frames[0], &frames[1]];
            let error = sender(Options::default()).accept(response, &sent, &Attempts::default()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}, expected {expected}");
        }
        let long = Frame::new(&Envelope::new("42").with_id("i".repeat(200)), None);
        assert_eq!(fault(&[result(&"i".repeat(133), 4)], &[&long]), None, "the beginning of too long an id");
        assert!(fault(&[result("x", 4)], &[&long]).is_some());
        let later = [result("a", 4), result("b", 99)];
        assert_eq!(fault(&later, &[&frames[0], &frames[1]]), None, "a disposition of a later daemon is a result");
    }
}

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::v1::{Envelope, EnvelopeResult};
use crate::{Error, Publisher, Tls};

type OnResults = Arc<dyn Fn(&[EnvelopeResult]) + Send + Sync>;
type OnRejected = Arc<dyn Fn(&Envelope, &EnvelopeResult) + Send + Sync>;
type Traceparent = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The settings of a publisher.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) tls: Option<Tls>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) on_results: Option<OnResults>,
    pub(crate) on_rejected: Option<OnRejected>,
    pub(crate) traceparent: Option<Traceparent>,
    pub(crate) batch_envelopes_max: usize,
    pub(crate) batch_bytes_max: usize,
    pub(crate) linger: Duration,
    pub(crate) buffer_bytes_max: usize,
    pub(crate) calls_in_flight_max: usize,
    pub(crate) call_timeout: Duration,
    pub(crate) backoff: Duration,
    pub(crate) backoff_max: Duration,
    pub(crate) repeat_max: Option<Duration>,
    pub(crate) result_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) validate_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: None,
            token: None,
            token_file: None,
            on_results: None,
            on_rejected: None,
            traceparent: None,
            batch_envelopes_max: 200,
            batch_bytes_max: 1 << 20,
            linger: Duration::from_millis(10),
            buffer_bytes_max: 16 << 20,
            calls_in_flight_max: 1,
            call_timeout: Duration::from_secs(30),
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(5),
            repeat_max: None,
            result_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(10),
            validate_only: false,
        }
    }
}

/// Makes a [`Publisher`]. The defaults suit a daemon beside the service.
#[derive(Clone)]
#[must_use]
pub struct Builder {
    target: String,
    options: Options,
}

impl fmt::Debug for Builder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Builder").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(target: String) -> Self {
        Self { target, options: Options::default() }
    }

    /// Makes the publisher. It makes no connection, and needs no runtime yet.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] names the argument that can never work.
    pub fn build(self) -> Result<Publisher, Error> {
        let options = &self.options;
        for (name, is_positive) in [
            ("batch_envelopes_max", options.batch_envelopes_max > 0),
            ("batch_bytes_max", options.batch_bytes_max > 0),
            ("buffer_bytes_max", options.buffer_bytes_max > 0),
            ("calls_in_flight_max", options.calls_in_flight_max > 0),
            ("call_timeout", !options.call_timeout.is_zero()),
            ("backoff", !options.backoff.is_zero()),
            ("backoff_max", !options.backoff_max.is_zero()),
        ] {
            if !is_positive {
                return Err(Error::Configuration(format!("{name} is 0: it must be positive")));
            }
        }
        Publisher::new(self.target, self.options)
    }

    /// Secures the calls; plain text by default.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.options.tls = Some(tls);
        self
    }

    /// Sends a token with every call, as `authorization: Bearer ...`.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.options.token = Some(token.into());
        self
    }

    /// Sends the token in a file. It is read again before each call, so that the token may be replaced.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.token_file = Some(path.into());
        self
    }

    /// Calls a function with the results of each batch, in the order of publishing. It must be quick: it runs in the task that
    /// sends.
    pub fn on_results(mut self, callback: impl Fn(&[EnvelopeResult]) + Send + Sync + 'static) -> Self {
        self.options.on_results = Some(Arc::new(callback));
        self
    }

    /// Calls a function with each rejected envelope and its result. It must be quick. Without callbacks, the publisher logs
    /// how many envelopes were rejected, and why.
    pub fn on_rejected(mut self, callback: impl Fn(&Envelope, &EnvelopeResult) + Send + Sync + 'static) -> Self {
        self.options.on_rejected = Some(Arc::new(callback));
        self
    }

    /// Sets the function that returns the W3C trace context of the task that publishes, for an envelope without one. With the
    /// feature `opentelemetry`, the default is the current context of OpenTelemetry.
    pub fn traceparent(mut self, current: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        self.options.traceparent = Some(Arc::new(current));
        self
    }

    /// Sets the number of envelopes in one call, 200 by default; the daemon accepts at most 500.
    pub fn batch_envelopes_max(mut self, envelopes: usize) -> Self {
        self.options.batch_envelopes_max = envelopes;
        self
    }

    /// Sets the size of one call in bytes, 1 MiB by default; the daemon accepts at most 4 MiB.
    pub fn batch_bytes_max(mut self, bytes: usize) -> Self {
        self.options.batch_bytes_max = bytes;
        self
    }

    /// Sets how long the first envelope of a batch waits for others, 10 ms by default.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.options.linger = linger;
        self
    }

    /// Bounds the encoded envelopes in memory, those in flight included, 16 MiB by default. Above it
    /// [`publish`](Publisher::publish) waits.
    pub fn buffer_bytes_max(mut self, bytes: usize) -> Self {
        self.options.buffer_bytes_max = bytes;
        self
    }

    /// Sets the number of calls at a time, 1 by default. Above 1, the daemon may accept envelopes out of order.
    pub fn calls_in_flight_max(mut self, calls: usize) -> Self {
        self.options.calls_in_flight_max = calls;
        self
    }

    /// Sets how long one call may take, 30 s by default; the daemon answers after a disk sync.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.options.call_timeout = timeout;
        self
    }

    /// Sets the longest first pause after a failed call, 200 ms by default, unless the daemon requests one. It doubles with
    /// each failure.
    pub fn backoff(mut self, pause: Duration) -> Self {
        self.options.backoff = pause;
        self
    }

    /// Sets the limit of this growth, 5 s by default.
    pub fn backoff_max(mut self, pause: Duration) -> Self {
        self.options.backoff_max = pause;
        self
    }

    /// Sets how long a batch is repeated before the publisher stops with an error; for ever by default.
    pub fn repeat_max(mut self, time: Duration) -> Self {
        self.options.repeat_max = Some(time);
        self
    }

    /// Sets how long [`publish_and_wait`](Publisher::publish_and_wait) waits for the result, 30 s by default.
    pub fn result_timeout(mut self, timeout: Duration) -> Self {
        self.options.result_timeout = timeout;
        self
    }

    /// Sets how long [`close`](Publisher::close) waits for results, 10 s by default.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.options.close_timeout = timeout;
        self
    }

    /// Makes the daemon return results for the envelopes, but accept none.
    pub fn validate_only(mut self, validate_only: bool) -> Self {
        self.options.validate_only = validate_only;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_of_0_is_an_error_that_names_it() {
        let builder = || Publisher::builder("127.0.0.1:1");
        for (given, expected) in [
            (builder().batch_envelopes_max(0), "batch_envelopes_max"),
            (builder().buffer_bytes_max(0), "buffer_bytes_max"),
            (builder().call_timeout(Duration::ZERO), "call_timeout"),
        ] {
            let error = given.build().unwrap_err();
            assert!(matches!(&error, Error::Configuration(text) if text.contains(expected)), "{error}");
        }
    }
}

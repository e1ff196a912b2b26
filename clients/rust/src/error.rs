use std::error::Error as StdError;
use std::fmt;

use tonic::Code;

use crate::v1::Envelope;

/// Why an envelope was not taken, has no result yet, or the publisher has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An argument of the publisher can never work. The text names it.
    Configuration(String),
    /// The publisher was closed by its owner.
    Closed,
    /// There is no result yet. The publisher still sends an envelope that it has taken.
    Timeout(String),
    /// The publisher has stopped, because repeating does not help, or has lasted too long.
    Stopped {
        /// The status of the last call; `Ok` if the response itself was wrong.
        code: Code,
        /// What happened and how to fix it.
        message: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(message) | Self::Timeout(message) | Self::Stopped { message, .. } => {
                formatter.write_str(message)
            }
            Self::Closed => formatter.write_str("the publisher is closed"),
        }
    }
}

impl StdError for Error {}

/// The envelopes that a publisher could not deliver before it was closed.
///
/// The daemon may have accepted some of them: published again with the same id, they are duplicates.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Unanswered {
    /// The envelopes without a result, in their order, with their ids, to be published elsewhere or kept.
    pub envelopes: Vec<Envelope>,
    /// Why there are any.
    pub cause: Error,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} envelopes were not answered: {}", self.envelopes.len(), self.cause)
    }
}

impl StdError for Unanswered {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}

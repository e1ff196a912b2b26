//! Publishes customer events, identities and attributes to intercomd, the daemon that forwards them to Intercom. The daemon
//! holds the Intercom token and handles Intercom's limits.
//!
//! ```no_run
//! use intercomd::Publisher;
//! use intercomd::v1::{CustomEvent, Envelope};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let publisher = Publisher::builder("127.0.0.1:50051").build()?;
//! let event = CustomEvent::new("signed-up").with_attribute("seats", 12);
//! publisher.publish(&Envelope::new("42").with_attribute("plan", "pro").with_event(event)).await?;
//! publisher.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Keep one [`Publisher`] for the life of the process, and close it at the end: Rust runs nothing when a process ends.
//!
//! The publisher logs by [`tracing`]: warnings about failed calls and rejected envelopes.
//!
//! # Features
//!
//! - `opentelemetry`: envelopes carry the current trace context of the crate `opentelemetry`, unless
//!   [`Builder::traceparent`] sets another source.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod access;
mod buffer;
mod connect;
mod envelope_id;
mod error;
mod frame;
mod options;
mod publisher;
mod retry;
mod sender;
mod signing;
mod target;
mod trace;
pub mod v1;
mod values;

pub use access::Tls;
pub use envelope_id::new_envelope_id;
pub use error::{Error, Unanswered};
pub use options::Builder;
pub(crate) use options::Options;
pub use publisher::Publisher;
pub use signing::{user_hash, user_jwt};
pub use tonic::Code;

//! The messages and the bare clients of the contract `intercomd.v1`, generated from `proto/`.
#![allow(missing_docs, clippy::all)]

pub use prost_types::{Duration, Timestamp};

include!("generated/intercomd.v1.rs");

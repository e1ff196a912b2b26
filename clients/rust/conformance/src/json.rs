//! Envelopes as proto3 JSON.

use std::fs;

use intercomd::v1::Envelope;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;

use crate::Failure;

/// The contract as protoc describes it.
pub(crate) struct Contract {
    envelope: MessageDescriptor,
}

impl Contract {
    pub(crate) fn read(path: &str) -> Result<Self, Failure> {
        let pool = DescriptorPool::decode(fs::read(path)?.as_slice())?;
        let envelope = pool.get_message_by_name("intercomd.v1.Envelope").ok_or("the contract has no Envelope")?;
        Ok(Self { envelope })
    }

    pub(crate) fn envelope(&self, json: &Value) -> Result<Envelope, Failure> {
        let message = DynamicMessage::deserialize(self.envelope.clone(), json.clone())?;
        Ok(Envelope::decode(message.encode_to_vec().as_slice())?)
    }

    pub(crate) fn to_json(&self, envelope: &Envelope) -> Result<Value, Failure> {
        let message = DynamicMessage::decode(self.envelope.clone(), envelope.encode_to_vec().as_slice())?;
        Ok(serde_json::to_value(message)?)
    }
}

//! How many envelopes a second are accepted.

use std::time::Instant;

use intercomd::v1::ingest_service_client::IngestServiceClient;
use intercomd::v1::{CustomEvent, Envelope, PublishRequest};
use intercomd::{Publisher, new_envelope_id};

use crate::Failure;

/// Publishes new events, with the client or with bare stubs in batches of 200.
pub(crate) async fn per_second(target: &str, count: usize, with_stubs: bool) -> Result<f64, Failure> {
    let envelope = |n: usize| {
        let event = CustomEvent::new("counted").with_attribute("number", n as i64);
        Envelope::new(format!("user-{}", n % 1_000)).with_id(new_envelope_id()).with_event(event)
    };
    let envelopes: Vec<Envelope> = (0..count).map(envelope).collect();
    let start = Instant::now();
    if with_stubs {
        by_stubs(target, envelopes).await?;
    } else {
        by_client(target, envelopes).await?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

async fn by_client(target: &str, envelopes: Vec<Envelope>) -> Result<(), Failure> {
    let publisher = Publisher::builder(target).build()?;
    for envelope in envelopes {
        publisher.publish(&envelope).await?;
    }
    Ok(publisher.close().await?)
}

async fn by_stubs(target: &str, envelopes: Vec<Envelope>) -> Result<(), Failure> {
    let mut stubs = IngestServiceClient::connect(format!("http://{target}")).await?;
    let mut rest = envelopes.into_iter().peekable();
    while rest.peek().is_some() {
        let envelopes = rest.by_ref().take(200).collect();
        stubs.publish(PublishRequest { envelopes, ..PublishRequest::default() }).await?;
    }
    Ok(())
}

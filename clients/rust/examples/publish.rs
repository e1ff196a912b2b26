//! Publishes an event and prints its result: `cargo run --example publish -- 127.0.0.1:50051`.

use std::env;
use std::error::Error;

use intercomd::Publisher;
use intercomd::v1::{CustomEvent, Envelope};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".into());
    let publisher = Publisher::builder(target).build()?;
    let event = CustomEvent::new("signed-up").with_attribute("seats", 12);
    let envelope = Envelope::new("42").with_attribute("plan", "pro").with_event(event);
    match publisher.publish_and_wait(&envelope).await {
        Ok(result) => println!("{} {}", result.envelope_id, result.disposition().as_str_name()),
        Err(error) => eprintln!("{error}"),
    }
    Ok(publisher.close().await?)
}

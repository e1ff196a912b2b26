//! Performs the commands of the conformance scenarios with the Rust client: one JSON object a line on the standard input, one
//! reply a line on the standard output, and the client's log on the standard error. `clients/conformance/README.md` describes
//! the commands.

mod json;
mod log;
mod rate;

use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use intercomd::v1::{CustomEvent, Disposition, Envelope, EnvelopeResult, Link, Money, Tag};
use intercomd::{Publisher, Tls, Unanswered};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::json::Contract;

/// 2026-01-01T00:00:00Z, when the first event of `publish_many` happens.
const FIRST_EVENT: Duration = Duration::from_secs(1_767_225_600);

type Failure = Box<dyn Error + Send + Sync>;

/// What the callbacks got since `open`.
#[derive(Default)]
struct Received {
    results: Vec<Value>,
    rejected: Vec<String>,
}

struct Driver {
    contract: Contract,
    publisher: Option<Publisher>,
    received: Arc<Mutex<Received>>,
    tasks: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    log::to_standard_error()?;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let contract = Contract::read("build/contract.binpb")?;
    let mut driver = Driver { contract, publisher: None, received: Arc::default(), tasks };
    for line in stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        if command["do"] == "exit" {
            break;
        }
        let reply = driver.perform(&command).await.unwrap_or_else(|error| json!({"error": error.to_string()}));
        writeln!(stdout(), "{reply}")?;
    }
    Ok(())
}

impl Driver {
    async fn perform(&mut self, command: &Value) -> Result<Value, Failure> {
        let limit = command["timeout_ms"].as_u64().map(Duration::from_millis);
        match text(&command["do"]) {
            "open" => self.open(text(&command["target"]), &command["options"]),
            "publish" => self.publish(command["envelopes"].as_array().map_or(&[], Vec::as_slice)).await,
            "publish_many" => self.publish_many(command).await,
            "publish_and_wait" => self.publish_and_wait(&command["envelope"], limit).await,
            "flush" => Ok(self.publisher()?.flush().await.map(|()| json!({}))?),
            "results" => {
                let received = self.received.lock().map_err(|error| error.to_string())?;
                Ok(json!({"results": received.results, "rejected": received.rejected}))
            }
            "close" => Ok(closed(match limit {
                Some(limit) => self.publisher()?.close_for(limit).await,
                None => self.publisher()?.close().await,
            })),
            "leaks" => Ok(json!({"left": self.tasks_left().await})),
            "build" => Ok(json!({"envelope": self.contract.to_json(&built())?})),
            "rate" => {
                let count = number(&command["count"], 0);
                let per_second = rate::per_second(text(&command["target"]), count, command["case"] == "stubs").await?;
                Ok(json!({"per_second": per_second}))
            }
            "ends_by_itself" => Ok(not_applicable("Rust runs nothing when main returns: close the publisher")),
            "fork" => Ok(not_applicable("Rust programs do not fork")),
            "misuse" => Ok(not_applicable(match text(&command["case"]) {
                "no_envelope" | "wrong_type" => "the compiler refuses it",
                "invalid_text" => "a String is always UTF-8",
                "naive_time" => "a SystemTime is always a moment",
                _ => "unknown case",
            })),
            other => Ok(not_applicable(&format!("unknown command {other}"))),
        }
    }

    fn publisher(&self) -> Result<&Publisher, Failure> {
        self.publisher.as_ref().ok_or_else(|| "no publisher is open".into())
    }

    fn open(&mut self, target: &str, options: &Value) -> Result<Value, Failure> {
        self.received = Arc::default();
        let raises = options["callback_raises"] == true;
        let (on_results, on_rejected) = (self.received.clone(), self.received.clone());
        let mut builder = Publisher::builder(target)
            .validate_only(options["validate_only"] == true)
            .on_results(move |results| {
                on_results.lock().unwrap().results.extend(results.iter().map(summary));
                assert!(!raises, "a callback that raises");
            })
            .on_rejected(move |envelope, _| {
                on_rejected.lock().unwrap().rejected.push(envelope.envelope_id.clone());
                assert!(!raises, "a callback that raises");
            });
        for (name, value) in options.as_object().into_iter().flatten() {
            let span = Duration::from_millis(value.as_u64().unwrap_or_default());
            builder = match name.as_str() {
                "token" => builder.token(text(value)),
                "token_file" => builder.token_file(text(value)),
                "linger_ms" => builder.linger(span),
                "batch_envelopes_max" => builder.batch_envelopes_max(number(value, 0)),
                "batch_bytes_max" => builder.batch_bytes_max(number(value, 0)),
                "buffer_bytes_max" => builder.buffer_bytes_max(number(value, 0)),
                "calls_in_flight_max" => builder.calls_in_flight_max(number(value, 0)),
                "call_timeout_ms" => builder.call_timeout(span),
                "repeat_max_ms" => builder.repeat_max(span),
                _ => builder,
            };
        }
        if let Some(tls) = tls(options) {
            builder = builder.tls(tls);
        }
        self.publisher = None;
        self.publisher = Some(builder.build()?);
        Ok(json!({}))
    }

    async fn publish(&self, envelopes: &[Value]) -> Result<Value, Failure> {
        for (taken, envelope) in envelopes.iter().enumerate() {
            if let Err(error) = self.publisher()?.publish(&self.contract.envelope(envelope)?).await {
                return Ok(json!({"taken": taken, "error": error.to_string()}));
            }
        }
        Ok(json!({"taken": envelopes.len()}))
    }

    /// Publishes events of some users in turn, a second apart, with the ids `<prefix>0`, `<prefix>1` and so on.
    async fn publish_many(&self, command: &Value) -> Result<Value, Failure> {
        let (count, users) = (number(&command["count"], 0), number(&command["users"], 1));
        let mut event = CustomEvent::new("counted");
        for place in 0..if command["padded"] == true { 5 } else { 0 } {
            event = event.with_attribute(format!("p{place}"), "x".repeat(250));
        }
        for n in 0..count {
            let envelope = Envelope::new(format!("user-{}", n % users))
                .with_id(format!("{}{n}", text(&command["prefix"])))
                .with_event_time(UNIX_EPOCH + FIRST_EVENT + Duration::from_secs(n as u64))
                .with_event(event.clone());
            if let Err(error) = self.publisher()?.publish(&envelope).await {
                return Ok(json!({"taken": n, "error": error.to_string()}));
            }
        }
        Ok(json!({"taken": count}))
    }

    async fn publish_and_wait(&self, envelope: &Value, limit: Option<Duration>) -> Result<Value, Failure> {
        let (publisher, envelope) = (self.publisher()?, self.contract.envelope(envelope)?);
        let result = match limit {
            Some(limit) => publisher.publish_and_wait_for(&envelope, limit).await?,
            None => publisher.publish_and_wait(&envelope).await?,
        };
        Ok(json!({"result": summary(&result)}))
    }

    /// Returns the number of tasks that are left; those that were stopped may need a moment to end.
    async fn tasks_left(&self) -> usize {
        let left = || Handle::current().metrics().num_alive_tasks().saturating_sub(self.tasks);
        for _ in 0..200 {
            if left() == 0 {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        left()
    }
}

fn tls(options: &Value) -> Option<Tls> {
    let path = |name: &str| options[name].as_str().map(PathBuf::from);
    if options["tls"] != true && options["ca_file"].is_null() {
        return None;
    }
    let mut tls = Tls::new();
    if let Some(ca) = path("ca_file") {
        tls = tls.ca_file(ca);
    }
    if let (Some(certificate), Some(key)) = (path("certificate_file"), path("key_file")) {
        tls = tls.identity_files(certificate, key);
    }
    if let Some(name) = options["server_name"].as_str() {
        tls = tls.server_name(name);
    }
    Some(tls)
}

fn closed(closed: Result<(), Unanswered>) -> Value {
    match closed {
        Ok(()) => json!({"unanswered": []}),
        Err(left) => {
            let ids: Vec<&str> = left.envelopes.iter().map(|envelope| envelope.envelope_id.as_str()).collect();
            json!({"unanswered": ids, "error": left.to_string()})
        }
    }
}

/// Returns an envelope that was made with the client's own functions.
fn built() -> Envelope {
    let moment = UNIX_EPOCH + FIRST_EVENT + Duration::from_secs(24 * 60 * 60 + 3 * 60 * 60 + 4 * 60 + 5);
    Envelope::new("42")
        .with_id("built")
        .with_email("ada@example.com")
        .with_attribute("text", "Zoë 🎉")
        .with_attribute("empty", "")
        .with_attribute("largest", i64::MAX)
        .with_attribute("smallest", i64::MIN)
        .with_attribute("number", 0.5)
        .with_attribute("whole number", 3.0)
        .with_attribute("yes", true)
        .with_attribute("no", false)
        .with_attribute("moment", moment)
        .with_attribute("list", ["a", "b"])
        .with_attribute("price", Money::new("19.99", "USD"))
        .with_attribute("page", Link::new("https://example.com/", "Page"))
        .with_attribute("tagged", Tag {})
        .with_event(CustomEvent::new("built").with_attribute("seats", 12))
}

fn summary(result: &EnvelopeResult) -> Value {
    let name = Disposition::as_str_name(&result.disposition());
    let reasons: Vec<&str> = result.violations.iter().map(|violation| violation.reason.as_str()).collect();
    let adjustments: Vec<&str> = result.adjustments.iter().map(|adjustment| adjustment.reason.as_str()).collect();
    json!({
        "id": result.envelope_id,
        "disposition": name.trim_start_matches("DISPOSITION_"),
        "reasons": reasons,
        "adjustments": adjustments,
    })
}

fn not_applicable(reason: &str) -> Value {
    json!({"not_applicable": reason})
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value, initial: usize) -> usize {
    value.as_u64().map_or(initial, |number| number as usize)
}

use super::*;

/// A publisher for a port that nothing listens on.
fn without_daemon() -> Builder {
    Publisher::builder("127.0.0.1:1")
}

fn envelope(id: &str) -> Envelope {
    Envelope::new("42").with_id(id)
}

fn ids(envelopes: &[Envelope]) -> Vec<&str> {
    envelopes.iter().map(|envelope| envelope.envelope_id.as_str()).collect()
}

#[test]
fn publisher_is_made_outside_of_a_runtime() {
    assert!(without_daemon().build().unwrap().error().is_none());
}

#[tokio::test]
async fn close_that_is_cancelled_is_completed_by_another() {
    let publisher = without_daemon().build().unwrap();
    publisher.publish(&envelope("a")).await.unwrap();
    assert!(timeout(Duration::ZERO, publisher.close()).await.is_err());
    assert_eq!(publisher.publish(&envelope("b")).await, Err(Error::Closed));
    let left = publisher.close_for(Duration::ZERO).await.unwrap_err();
    assert_eq!(ids(&left.envelopes), ["a"]);
    assert_eq!(publisher.close().await.unwrap_err().envelopes, publisher.unanswered());
    assert_eq!(publisher.error(), Some(Error::Closed));
}

#[tokio::test]
async fn close_without_envelopes_returns_none() {
    let publisher = without_daemon().build().unwrap();
    assert_eq!(publisher.close().await, Ok(()));
}

#[tokio::test]
async fn close_ends_the_wait_for_room_and_for_results() {
    let publisher = Arc::new(without_daemon().buffer_bytes_max(1).build().unwrap());
    let sharing = publisher.clone();
    let answered = tokio::spawn(async move { sharing.publish_and_wait(&envelope("a")).await });
    let sharing = publisher.clone();
    let waiting = tokio::spawn(async move { sharing.publish(&envelope("b")).await });
    // On a runtime of one thread, both tasks run up to their wait first.
    tokio::task::yield_now().await;
    assert_eq!(ids(&publisher.close_for(Duration::ZERO).await.unwrap_err().envelopes), ["a"]);
    assert_eq!(answered.await.unwrap(), Err(Error::Closed));
    assert_eq!(waiting.await.unwrap(), Err(Error::Closed));
}

#[tokio::test]
async fn result_that_does_not_come_in_time_is_an_error_and_the_envelope_is_kept() {
    let publisher = without_daemon().build().unwrap();
    let error = publisher.publish_and_wait_for(&envelope("a"), Duration::from_millis(1)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert_eq!(ids(&publisher.close_for(Duration::ZERO).await.unwrap_err().envelopes), ["a"]);
}

#[test]
fn end_of_the_runtime_stops_the_publisher() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let publisher = without_daemon().build().unwrap();
    let first = runtime();
    first.block_on(publisher.publish(&envelope("a"))).unwrap();
    drop(first);
    let later = runtime();
    let error = later.block_on(publisher.publish(&envelope("b"))).unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
    let left = later.block_on(publisher.close()).unwrap_err();
    assert_eq!((ids(&left.envelopes), left.cause), (vec!["a"], error));
}

#[tokio::test(flavor = "multi_thread")]
async fn close_does_not_wait_for_a_callback_that_never_returns() {
    let publisher = without_daemon().build().unwrap();
    let (running, runs) = oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    publisher.inner.tasks.lock().await.spawn(async move {
        running.send(()).unwrap();
        let _ = released.recv(); // as in a callback
    });
    runs.await.unwrap();
    assert_eq!(publisher.close_for(Duration::ZERO).await, Ok(()));
    drop(release);
}

#[tokio::test]
async fn repeats_that_last_too_long_stop_the_publisher() {
    let publisher = without_daemon().repeat_max(Duration::ZERO).backoff(Duration::from_nanos(1)).build().unwrap();
    let error = publisher.publish_and_wait(&envelope("a")).await.unwrap_err();
    assert!(matches!(&error, Error::Stopped { message, .. } if message.contains("UNAVAILABLE")), "{error}");
    assert_eq!(publisher.flush().await, Err(error.clone()));
    assert_eq!(publisher.publish(&envelope("b")).await, Err(error.clone()));
    assert_eq!(publisher.close().await.unwrap_err().cause, error);
}

#[tokio::test]
async fn dropped_publisher_ends_its_tasks() {
    let publisher = without_daemon().repeat_max(Duration::ZERO).backoff(Duration::from_nanos(1)).build().unwrap();
    publisher.publish_and_wait(&envelope("a")).await.unwrap_err();
    drop(publisher);
    while Handle::current().metrics().num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}

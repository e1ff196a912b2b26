/// Returns the W3C trace context of the running task, if the program uses OpenTelemetry.
#[cfg(feature = "opentelemetry")]
pub(crate) fn current_traceparent() -> Option<String> {
    use opentelemetry::Context;
    use opentelemetry::trace::TraceContextExt;

    Context::map_current(|context| {
        let span = context.span().span_context().clone();
        span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags()))
    })
}

/// Without the feature `opentelemetry` there is no trace context.
#[cfg(not(feature = "opentelemetry"))]
pub(crate) fn current_traceparent() -> Option<String> {
    None
}

#[cfg(all(test, feature = "opentelemetry"))]
mod tests {
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn traceparent_is_that_of_the_current_context() {
        assert_eq!(current_traceparent(), None);
        let trace_id = TraceId::from_hex("0af7651916cd43dd8448eb211c80319c").unwrap();
        let span_id = SpanId::from_hex("00ad6b7169203331").unwrap();
        let span = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, true, TraceState::default());
        let _attached = Context::new().with_remote_span_context(span).attach();
        let expected = "00-0af7651916cd43dd8448eb211c80319c-00ad6b7169203331-01";
        assert_eq!(current_traceparent().as_deref(), Some(expected));
    }
}

package io.github.intercomd;

import io.github.intercomd.v1.Envelope;
import io.github.intercomd.v1.EnvelopeResult;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** The settings of a publisher; {@link PublisherBuilder} describes them. Objects may be null, except the required times. */
record Settings(
    Tls tls,
    String token,
    Path tokenFile,
    Consumer<? super List<EnvelopeResult>> onResults,
    BiConsumer<? super Envelope, ? super EnvelopeResult> onRejected,
    int batchEnvelopesMax,
    int batchBytesMax,
    Duration linger,
    long bufferBytesMax,
    int callsInFlightMax,
    Duration callTimeout,
    Duration backoff,
    Duration backoffMax,
    Duration repeatMax,
    Duration closeTimeout,
    boolean validateOnly) {}

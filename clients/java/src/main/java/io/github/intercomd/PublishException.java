package io.github.intercomd;

import io.github.intercomd.v1.Envelope;
import io.grpc.Status;
import java.util.List;
import java.util.Optional;

/**
 * The publisher is closed, or has stopped because the daemon refuses its requests and repeating does not help: a refused
 * credential, a target that is not intercomd, or the end of {@link PublisherBuilder#repeatMax}.
 */
public class PublishException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Status.Code code;
  private final transient List<Envelope> unanswered;

  PublishException(String message, Status.Code code, Throwable cause) {
    this(message, code, cause, List.of());
  }

  PublishException(String message, Status.Code code, Throwable cause, List<Envelope> unanswered) {
    super(message, cause);
    this.code = code;
    this.unanswered = List.copyOf(unanswered);
  }

  /** Returns the status that ended it; empty if no call had a response. */
  public Optional<Status.Code> code() {
    return Optional.ofNullable(code);
  }

  /** Returns the envelopes without a result, if {@link Publisher#close()} threw the exception. Serialization drops them. */
  public List<Envelope> unanswered() {
    return unanswered == null ? List.of() : unanswered;
  }

  /** Returns a new exception for another caller, with its own stack trace, caused by this one. */
  PublishException again() {
    return new PublishException(getMessage(), code, this);
  }
}

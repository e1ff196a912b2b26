package io.github.intercomd;

/** The publisher was closed by its owner. */
public final class PublisherClosedException extends PublishException {
  private static final long serialVersionUID = 1L;

  PublisherClosedException(Throwable cause) {
    super("the publisher is closed", null, cause);
  }

  @Override
  PublishException again() {
    return new PublisherClosedException(this);
  }
}

package io.github.intercomd.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Accepts envelopes and stores them until they are delivered to Intercom.
 * OK means that the batch was processed, even if every envelope was rejected: do not repeat it. Each result describes
 * one envelope. An error status of the daemon means that no envelope of the request was accepted:
 * INVALID_ARGUMENT (details: BadRequest): no envelope, more than 500, more than 4 MiB, malformed bytes, text that is
 * not UTF-8. Do not repeat the request unchanged.
 * UNAVAILABLE (details: RetryInfo, 1 to 5 s, and beside it the trailer grpc-retry-pushback-ms): the spool or its disk
 * is full, or the daemon is stopping. Wait that long and repeat with the same ids.
 * RESOURCE_EXHAUSTED (details: QuotaFailure, RetryInfo): the caller's own quota is used up. Wait and repeat. Without
 * details it comes from gRPC: the request is over 16 MiB, or its headers over 16 KiB. Do not repeat it unchanged.
 * FAILED_PRECONDITION (details: ErrorInfo SPOOL_CHANGED or FORWARDING_LOOP), to agents alone: the forwarder expects
 * another spool, or the call has passed this agent before.
 * UNAUTHENTICATED and PERMISSION_DENIED (details: ErrorInfo): the credential is missing, invalid, or not allowed for
 * this connection. Repeat only with another credential.
 * DEADLINE_EXCEEDED, CANCELLED, and UNAVAILABLE without RetryInfo come from the network or the client: whether
 * envelopes were accepted is unknown. Repeat with the same ids; envelopes that were accepted return DUPLICATE.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class IngestServiceGrpc {

  private IngestServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "intercomd.v1.IngestService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.PublishRequest,
      io.github.intercomd.v1.PublishResponse> getPublishMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Publish",
      requestType = io.github.intercomd.v1.PublishRequest.class,
      responseType = io.github.intercomd.v1.PublishResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.PublishRequest,
      io.github.intercomd.v1.PublishResponse> getPublishMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.PublishRequest, io.github.intercomd.v1.PublishResponse> getPublishMethod;
    if ((getPublishMethod = IngestServiceGrpc.getPublishMethod) == null) {
      synchronized (IngestServiceGrpc.class) {
        if ((getPublishMethod = IngestServiceGrpc.getPublishMethod) == null) {
          IngestServiceGrpc.getPublishMethod = getPublishMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.PublishRequest, io.github.intercomd.v1.PublishResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Publish"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.PublishRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.PublishResponse.getDefaultInstance()))
              .setSchemaDescriptor(new IngestServiceMethodDescriptorSupplier("Publish"))
              .build();
        }
      }
    }
    return getPublishMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.PublishStreamRequest,
      io.github.intercomd.v1.PublishStreamResponse> getPublishStreamMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "PublishStream",
      requestType = io.github.intercomd.v1.PublishStreamRequest.class,
      responseType = io.github.intercomd.v1.PublishStreamResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.PublishStreamRequest,
      io.github.intercomd.v1.PublishStreamResponse> getPublishStreamMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.PublishStreamRequest, io.github.intercomd.v1.PublishStreamResponse> getPublishStreamMethod;
    if ((getPublishStreamMethod = IngestServiceGrpc.getPublishStreamMethod) == null) {
      synchronized (IngestServiceGrpc.class) {
        if ((getPublishStreamMethod = IngestServiceGrpc.getPublishStreamMethod) == null) {
          IngestServiceGrpc.getPublishStreamMethod = getPublishStreamMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.PublishStreamRequest, io.github.intercomd.v1.PublishStreamResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.BIDI_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "PublishStream"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.PublishStreamRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.PublishStreamResponse.getDefaultInstance()))
              .setSchemaDescriptor(new IngestServiceMethodDescriptorSupplier("PublishStream"))
              .build();
        }
      }
    }
    return getPublishStreamMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.PreviewRequest,
      io.github.intercomd.v1.PreviewResponse> getPreviewMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Preview",
      requestType = io.github.intercomd.v1.PreviewRequest.class,
      responseType = io.github.intercomd.v1.PreviewResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.PreviewRequest,
      io.github.intercomd.v1.PreviewResponse> getPreviewMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.PreviewRequest, io.github.intercomd.v1.PreviewResponse> getPreviewMethod;
    if ((getPreviewMethod = IngestServiceGrpc.getPreviewMethod) == null) {
      synchronized (IngestServiceGrpc.class) {
        if ((getPreviewMethod = IngestServiceGrpc.getPreviewMethod) == null) {
          IngestServiceGrpc.getPreviewMethod = getPreviewMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.PreviewRequest, io.github.intercomd.v1.PreviewResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Preview"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.PreviewRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.PreviewResponse.getDefaultInstance()))
              .setSchemaDescriptor(new IngestServiceMethodDescriptorSupplier("Preview"))
              .build();
        }
      }
    }
    return getPreviewMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static IngestServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<IngestServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<IngestServiceStub>() {
        @java.lang.Override
        public IngestServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new IngestServiceStub(channel, callOptions);
        }
      };
    return IngestServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static IngestServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<IngestServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<IngestServiceBlockingV2Stub>() {
        @java.lang.Override
        public IngestServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new IngestServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return IngestServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static IngestServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<IngestServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<IngestServiceBlockingStub>() {
        @java.lang.Override
        public IngestServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new IngestServiceBlockingStub(channel, callOptions);
        }
      };
    return IngestServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static IngestServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<IngestServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<IngestServiceFutureStub>() {
        @java.lang.Override
        public IngestServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new IngestServiceFutureStub(channel, callOptions);
        }
      };
    return IngestServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Accepts envelopes and stores them until they are delivered to Intercom.
   * OK means that the batch was processed, even if every envelope was rejected: do not repeat it. Each result describes
   * one envelope. An error status of the daemon means that no envelope of the request was accepted:
   * INVALID_ARGUMENT (details: BadRequest): no envelope, more than 500, more than 4 MiB, malformed bytes, text that is
   * not UTF-8. Do not repeat the request unchanged.
   * UNAVAILABLE (details: RetryInfo, 1 to 5 s, and beside it the trailer grpc-retry-pushback-ms): the spool or its disk
   * is full, or the daemon is stopping. Wait that long and repeat with the same ids.
   * RESOURCE_EXHAUSTED (details: QuotaFailure, RetryInfo): the caller's own quota is used up. Wait and repeat. Without
   * details it comes from gRPC: the request is over 16 MiB, or its headers over 16 KiB. Do not repeat it unchanged.
   * FAILED_PRECONDITION (details: ErrorInfo SPOOL_CHANGED or FORWARDING_LOOP), to agents alone: the forwarder expects
   * another spool, or the call has passed this agent before.
   * UNAUTHENTICATED and PERMISSION_DENIED (details: ErrorInfo): the credential is missing, invalid, or not allowed for
   * this connection. Repeat only with another credential.
   * DEADLINE_EXCEEDED, CANCELLED, and UNAVAILABLE without RetryInfo come from the network or the client: whether
   * envelopes were accepted is unknown. Repeat with the same ids; envelopes that were accepted return DUPLICATE.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Publishes a batch. ACCEPTED and DUPLICATE mean that the envelope is on disk. The envelopes of a user are delivered
     * in the order of acceptance. Concurrent calls are unordered: to keep order, wait for each response, or use a stream.
     * </pre>
     */
    default void publish(io.github.intercomd.v1.PublishRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.PublishResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPublishMethod(), responseObserver);
    }

    /**
     * <pre>
     * Publishes many batches in order, with one response for each message. The first refused message ends the stream with
     * a status as above, after the responses to all earlier messages; later messages are ignored. The daemon reads up to
     * 32 messages or 4 MiB ahead of its responses, and stops reading while the client does not read responses.
     * </pre>
     */
    default io.grpc.stub.StreamObserver<io.github.intercomd.v1.PublishStreamRequest> publishStream(
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.PublishStreamResponse> responseObserver) {
      return io.grpc.stub.ServerCalls.asyncUnimplementedStreamingCall(getPublishStreamMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the result of each envelope, and the HTTP requests that would be sent for it for an unknown contact,
     * without storing or sending anything. Works with a full spool.
     * </pre>
     */
    default void preview(io.github.intercomd.v1.PreviewRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.PreviewResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPreviewMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service IngestService.
   * <pre>
   * Accepts envelopes and stores them until they are delivered to Intercom.
   * OK means that the batch was processed, even if every envelope was rejected: do not repeat it. Each result describes
   * one envelope. An error status of the daemon means that no envelope of the request was accepted:
   * INVALID_ARGUMENT (details: BadRequest): no envelope, more than 500, more than 4 MiB, malformed bytes, text that is
   * not UTF-8. Do not repeat the request unchanged.
   * UNAVAILABLE (details: RetryInfo, 1 to 5 s, and beside it the trailer grpc-retry-pushback-ms): the spool or its disk
   * is full, or the daemon is stopping. Wait that long and repeat with the same ids.
   * RESOURCE_EXHAUSTED (details: QuotaFailure, RetryInfo): the caller's own quota is used up. Wait and repeat. Without
   * details it comes from gRPC: the request is over 16 MiB, or its headers over 16 KiB. Do not repeat it unchanged.
   * FAILED_PRECONDITION (details: ErrorInfo SPOOL_CHANGED or FORWARDING_LOOP), to agents alone: the forwarder expects
   * another spool, or the call has passed this agent before.
   * UNAUTHENTICATED and PERMISSION_DENIED (details: ErrorInfo): the credential is missing, invalid, or not allowed for
   * this connection. Repeat only with another credential.
   * DEADLINE_EXCEEDED, CANCELLED, and UNAVAILABLE without RetryInfo come from the network or the client: whether
   * envelopes were accepted is unknown. Repeat with the same ids; envelopes that were accepted return DUPLICATE.
   * </pre>
   */
  public static abstract class IngestServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return IngestServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service IngestService.
   * <pre>
   * Accepts envelopes and stores them until they are delivered to Intercom.
   * OK means that the batch was processed, even if every envelope was rejected: do not repeat it. Each result describes
   * one envelope. An error status of the daemon means that no envelope of the request was accepted:
   * INVALID_ARGUMENT (details: BadRequest): no envelope, more than 500, more than 4 MiB, malformed bytes, text that is
   * not UTF-8. Do not repeat the request unchanged.
   * UNAVAILABLE (details: RetryInfo, 1 to 5 s, and beside it the trailer grpc-retry-pushback-ms): the spool or its disk
   * is full, or the daemon is stopping. Wait that long and repeat with the same ids.
   * RESOURCE_EXHAUSTED (details: QuotaFailure, RetryInfo): the caller's own quota is used up. Wait and repeat. Without
   * details it comes from gRPC: the request is over 16 MiB, or its headers over 16 KiB. Do not repeat it unchanged.
   * FAILED_PRECONDITION (details: ErrorInfo SPOOL_CHANGED or FORWARDING_LOOP), to agents alone: the forwarder expects
   * another spool, or the call has passed this agent before.
   * UNAUTHENTICATED and PERMISSION_DENIED (details: ErrorInfo): the credential is missing, invalid, or not allowed for
   * this connection. Repeat only with another credential.
   * DEADLINE_EXCEEDED, CANCELLED, and UNAVAILABLE without RetryInfo come from the network or the client: whether
   * envelopes were accepted is unknown. Repeat with the same ids; envelopes that were accepted return DUPLICATE.
   * </pre>
   */
  public static final class IngestServiceStub
      extends io.grpc.stub.AbstractAsyncStub<IngestServiceStub> {
    private IngestServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected IngestServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new IngestServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Publishes a batch. ACCEPTED and DUPLICATE mean that the envelope is on disk. The envelopes of a user are delivered
     * in the order of acceptance. Concurrent calls are unordered: to keep order, wait for each response, or use a stream.
     * </pre>
     */
    public void publish(io.github.intercomd.v1.PublishRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.PublishResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPublishMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Publishes many batches in order, with one response for each message. The first refused message ends the stream with
     * a status as above, after the responses to all earlier messages; later messages are ignored. The daemon reads up to
     * 32 messages or 4 MiB ahead of its responses, and stops reading while the client does not read responses.
     * </pre>
     */
    public io.grpc.stub.StreamObserver<io.github.intercomd.v1.PublishStreamRequest> publishStream(
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.PublishStreamResponse> responseObserver) {
      return io.grpc.stub.ClientCalls.asyncBidiStreamingCall(
          getChannel().newCall(getPublishStreamMethod(), getCallOptions()), responseObserver);
    }

    /**
     * <pre>
     * Returns the result of each envelope, and the HTTP requests that would be sent for it for an unknown contact,
     * without storing or sending anything. Works with a full spool.
     * </pre>
     */
    public void preview(io.github.intercomd.v1.PreviewRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.PreviewResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPreviewMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service IngestService.
   * <pre>
   * Accepts envelopes and stores them until they are delivered to Intercom.
   * OK means that the batch was processed, even if every envelope was rejected: do not repeat it. Each result describes
   * one envelope. An error status of the daemon means that no envelope of the request was accepted:
   * INVALID_ARGUMENT (details: BadRequest): no envelope, more than 500, more than 4 MiB, malformed bytes, text that is
   * not UTF-8. Do not repeat the request unchanged.
   * UNAVAILABLE (details: RetryInfo, 1 to 5 s, and beside it the trailer grpc-retry-pushback-ms): the spool or its disk
   * is full, or the daemon is stopping. Wait that long and repeat with the same ids.
   * RESOURCE_EXHAUSTED (details: QuotaFailure, RetryInfo): the caller's own quota is used up. Wait and repeat. Without
   * details it comes from gRPC: the request is over 16 MiB, or its headers over 16 KiB. Do not repeat it unchanged.
   * FAILED_PRECONDITION (details: ErrorInfo SPOOL_CHANGED or FORWARDING_LOOP), to agents alone: the forwarder expects
   * another spool, or the call has passed this agent before.
   * UNAUTHENTICATED and PERMISSION_DENIED (details: ErrorInfo): the credential is missing, invalid, or not allowed for
   * this connection. Repeat only with another credential.
   * DEADLINE_EXCEEDED, CANCELLED, and UNAVAILABLE without RetryInfo come from the network or the client: whether
   * envelopes were accepted is unknown. Repeat with the same ids; envelopes that were accepted return DUPLICATE.
   * </pre>
   */
  public static final class IngestServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<IngestServiceBlockingV2Stub> {
    private IngestServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected IngestServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new IngestServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Publishes a batch. ACCEPTED and DUPLICATE mean that the envelope is on disk. The envelopes of a user are delivered
     * in the order of acceptance. Concurrent calls are unordered: to keep order, wait for each response, or use a stream.
     * </pre>
     */
    public io.github.intercomd.v1.PublishResponse publish(io.github.intercomd.v1.PublishRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPublishMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Publishes many batches in order, with one response for each message. The first refused message ends the stream with
     * a status as above, after the responses to all earlier messages; later messages are ignored. The daemon reads up to
     * 32 messages or 4 MiB ahead of its responses, and stops reading while the client does not read responses.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<io.github.intercomd.v1.PublishStreamRequest, io.github.intercomd.v1.PublishStreamResponse>
        publishStream() {
      return io.grpc.stub.ClientCalls.blockingBidiStreamingCall(
          getChannel(), getPublishStreamMethod(), getCallOptions());
    }

    /**
     * <pre>
     * Returns the result of each envelope, and the HTTP requests that would be sent for it for an unknown contact,
     * without storing or sending anything. Works with a full spool.
     * </pre>
     */
    public io.github.intercomd.v1.PreviewResponse preview(io.github.intercomd.v1.PreviewRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPreviewMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service IngestService.
   * <pre>
   * Accepts envelopes and stores them until they are delivered to Intercom.
   * OK means that the batch was processed, even if every envelope was rejected: do not repeat it. Each result describes
   * one envelope. An error status of the daemon means that no envelope of the request was accepted:
   * INVALID_ARGUMENT (details: BadRequest): no envelope, more than 500, more than 4 MiB, malformed bytes, text that is
   * not UTF-8. Do not repeat the request unchanged.
   * UNAVAILABLE (details: RetryInfo, 1 to 5 s, and beside it the trailer grpc-retry-pushback-ms): the spool or its disk
   * is full, or the daemon is stopping. Wait that long and repeat with the same ids.
   * RESOURCE_EXHAUSTED (details: QuotaFailure, RetryInfo): the caller's own quota is used up. Wait and repeat. Without
   * details it comes from gRPC: the request is over 16 MiB, or its headers over 16 KiB. Do not repeat it unchanged.
   * FAILED_PRECONDITION (details: ErrorInfo SPOOL_CHANGED or FORWARDING_LOOP), to agents alone: the forwarder expects
   * another spool, or the call has passed this agent before.
   * UNAUTHENTICATED and PERMISSION_DENIED (details: ErrorInfo): the credential is missing, invalid, or not allowed for
   * this connection. Repeat only with another credential.
   * DEADLINE_EXCEEDED, CANCELLED, and UNAVAILABLE without RetryInfo come from the network or the client: whether
   * envelopes were accepted is unknown. Repeat with the same ids; envelopes that were accepted return DUPLICATE.
   * </pre>
   */
  public static final class IngestServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<IngestServiceBlockingStub> {
    private IngestServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected IngestServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new IngestServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Publishes a batch. ACCEPTED and DUPLICATE mean that the envelope is on disk. The envelopes of a user are delivered
     * in the order of acceptance. Concurrent calls are unordered: to keep order, wait for each response, or use a stream.
     * </pre>
     */
    public io.github.intercomd.v1.PublishResponse publish(io.github.intercomd.v1.PublishRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPublishMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the result of each envelope, and the HTTP requests that would be sent for it for an unknown contact,
     * without storing or sending anything. Works with a full spool.
     * </pre>
     */
    public io.github.intercomd.v1.PreviewResponse preview(io.github.intercomd.v1.PreviewRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPreviewMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service IngestService.
   * <pre>
   * Accepts envelopes and stores them until they are delivered to Intercom.
   * OK means that the batch was processed, even if every envelope was rejected: do not repeat it. Each result describes
   * one envelope. An error status of the daemon means that no envelope of the request was accepted:
   * INVALID_ARGUMENT (details: BadRequest): no envelope, more than 500, more than 4 MiB, malformed bytes, text that is
   * not UTF-8. Do not repeat the request unchanged.
   * UNAVAILABLE (details: RetryInfo, 1 to 5 s, and beside it the trailer grpc-retry-pushback-ms): the spool or its disk
   * is full, or the daemon is stopping. Wait that long and repeat with the same ids.
   * RESOURCE_EXHAUSTED (details: QuotaFailure, RetryInfo): the caller's own quota is used up. Wait and repeat. Without
   * details it comes from gRPC: the request is over 16 MiB, or its headers over 16 KiB. Do not repeat it unchanged.
   * FAILED_PRECONDITION (details: ErrorInfo SPOOL_CHANGED or FORWARDING_LOOP), to agents alone: the forwarder expects
   * another spool, or the call has passed this agent before.
   * UNAUTHENTICATED and PERMISSION_DENIED (details: ErrorInfo): the credential is missing, invalid, or not allowed for
   * this connection. Repeat only with another credential.
   * DEADLINE_EXCEEDED, CANCELLED, and UNAVAILABLE without RetryInfo come from the network or the client: whether
   * envelopes were accepted is unknown. Repeat with the same ids; envelopes that were accepted return DUPLICATE.
   * </pre>
   */
  public static final class IngestServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<IngestServiceFutureStub> {
    private IngestServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected IngestServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new IngestServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Publishes a batch. ACCEPTED and DUPLICATE mean that the envelope is on disk. The envelopes of a user are delivered
     * in the order of acceptance. Concurrent calls are unordered: to keep order, wait for each response, or use a stream.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.PublishResponse> publish(
        io.github.intercomd.v1.PublishRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPublishMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the result of each envelope, and the HTTP requests that would be sent for it for an unknown contact,
     * without storing or sending anything. Works with a full spool.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.PreviewResponse> preview(
        io.github.intercomd.v1.PreviewRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPreviewMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_PUBLISH = 0;
  private static final int METHODID_PREVIEW = 1;
  private static final int METHODID_PUBLISH_STREAM = 2;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_PUBLISH:
          serviceImpl.publish((io.github.intercomd.v1.PublishRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.PublishResponse>) responseObserver);
          break;
        case METHODID_PREVIEW:
          serviceImpl.preview((io.github.intercomd.v1.PreviewRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.PreviewResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_PUBLISH_STREAM:
          return (io.grpc.stub.StreamObserver<Req>) serviceImpl.publishStream(
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.PublishStreamResponse>) responseObserver);
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getPublishMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.PublishRequest,
              io.github.intercomd.v1.PublishResponse>(
                service, METHODID_PUBLISH)))
        .addMethod(
          getPublishStreamMethod(),
          io.grpc.stub.ServerCalls.asyncBidiStreamingCall(
            new MethodHandlers<
              io.github.intercomd.v1.PublishStreamRequest,
              io.github.intercomd.v1.PublishStreamResponse>(
                service, METHODID_PUBLISH_STREAM)))
        .addMethod(
          getPreviewMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.PreviewRequest,
              io.github.intercomd.v1.PreviewResponse>(
                service, METHODID_PREVIEW)))
        .build();
  }

  private static abstract class IngestServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    IngestServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return io.github.intercomd.v1.Ingest.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("IngestService");
    }
  }

  private static final class IngestServiceFileDescriptorSupplier
      extends IngestServiceBaseDescriptorSupplier {
    IngestServiceFileDescriptorSupplier() {}
  }

  private static final class IngestServiceMethodDescriptorSupplier
      extends IngestServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    IngestServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (IngestServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new IngestServiceFileDescriptorSupplier())
              .addMethod(getPublishMethod())
              .addMethod(getPublishStreamMethod())
              .addMethod(getPreviewMethod())
              .build();
        }
      }
    }
    return result;
  }
}

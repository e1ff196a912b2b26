package io.github.intercomd.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Shows the state of the daemon and controls it. It is served on the operations listener only, not on the listener for
 * senders, because its responses hold personal data.
 * INVALID_ARGUMENT (details: BadRequest): a field is out of range, a page token belongs to another list. NOT_FOUND
 * (details: ErrorInfo): no connection has this name, or the envelope does not wait. FAILED_PRECONDITION (details:
 * ErrorInfo): another number of dead letters matches than expected. UNAVAILABLE: the daemon is starting or stopping;
 * retry later.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class OperationsServiceGrpc {

  private OperationsServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "intercomd.v1.OperationsService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.GetStatusRequest,
      io.github.intercomd.v1.GetStatusResponse> getGetStatusMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetStatus",
      requestType = io.github.intercomd.v1.GetStatusRequest.class,
      responseType = io.github.intercomd.v1.GetStatusResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.GetStatusRequest,
      io.github.intercomd.v1.GetStatusResponse> getGetStatusMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.GetStatusRequest, io.github.intercomd.v1.GetStatusResponse> getGetStatusMethod;
    if ((getGetStatusMethod = OperationsServiceGrpc.getGetStatusMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getGetStatusMethod = OperationsServiceGrpc.getGetStatusMethod) == null) {
          OperationsServiceGrpc.getGetStatusMethod = getGetStatusMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.GetStatusRequest, io.github.intercomd.v1.GetStatusResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetStatus"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.GetStatusRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.GetStatusResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("GetStatus"))
              .build();
        }
      }
    }
    return getGetStatusMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.WatchOutcomesRequest,
      io.github.intercomd.v1.WatchOutcomesResponse> getWatchOutcomesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "WatchOutcomes",
      requestType = io.github.intercomd.v1.WatchOutcomesRequest.class,
      responseType = io.github.intercomd.v1.WatchOutcomesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.WatchOutcomesRequest,
      io.github.intercomd.v1.WatchOutcomesResponse> getWatchOutcomesMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.WatchOutcomesRequest, io.github.intercomd.v1.WatchOutcomesResponse> getWatchOutcomesMethod;
    if ((getWatchOutcomesMethod = OperationsServiceGrpc.getWatchOutcomesMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getWatchOutcomesMethod = OperationsServiceGrpc.getWatchOutcomesMethod) == null) {
          OperationsServiceGrpc.getWatchOutcomesMethod = getWatchOutcomesMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.WatchOutcomesRequest, io.github.intercomd.v1.WatchOutcomesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.SERVER_STREAMING)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "WatchOutcomes"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.WatchOutcomesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.WatchOutcomesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("WatchOutcomes"))
              .build();
        }
      }
    }
    return getWatchOutcomesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.ListOutcomesRequest,
      io.github.intercomd.v1.ListOutcomesResponse> getListOutcomesMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListOutcomes",
      requestType = io.github.intercomd.v1.ListOutcomesRequest.class,
      responseType = io.github.intercomd.v1.ListOutcomesResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.ListOutcomesRequest,
      io.github.intercomd.v1.ListOutcomesResponse> getListOutcomesMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.ListOutcomesRequest, io.github.intercomd.v1.ListOutcomesResponse> getListOutcomesMethod;
    if ((getListOutcomesMethod = OperationsServiceGrpc.getListOutcomesMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getListOutcomesMethod = OperationsServiceGrpc.getListOutcomesMethod) == null) {
          OperationsServiceGrpc.getListOutcomesMethod = getListOutcomesMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.ListOutcomesRequest, io.github.intercomd.v1.ListOutcomesResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListOutcomes"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ListOutcomesRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ListOutcomesResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("ListOutcomes"))
              .build();
        }
      }
    }
    return getListOutcomesMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.GetWaitingEnvelopeRequest,
      io.github.intercomd.v1.GetWaitingEnvelopeResponse> getGetWaitingEnvelopeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetWaitingEnvelope",
      requestType = io.github.intercomd.v1.GetWaitingEnvelopeRequest.class,
      responseType = io.github.intercomd.v1.GetWaitingEnvelopeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.GetWaitingEnvelopeRequest,
      io.github.intercomd.v1.GetWaitingEnvelopeResponse> getGetWaitingEnvelopeMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.GetWaitingEnvelopeRequest, io.github.intercomd.v1.GetWaitingEnvelopeResponse> getGetWaitingEnvelopeMethod;
    if ((getGetWaitingEnvelopeMethod = OperationsServiceGrpc.getGetWaitingEnvelopeMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getGetWaitingEnvelopeMethod = OperationsServiceGrpc.getGetWaitingEnvelopeMethod) == null) {
          OperationsServiceGrpc.getGetWaitingEnvelopeMethod = getGetWaitingEnvelopeMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.GetWaitingEnvelopeRequest, io.github.intercomd.v1.GetWaitingEnvelopeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetWaitingEnvelope"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.GetWaitingEnvelopeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.GetWaitingEnvelopeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("GetWaitingEnvelope"))
              .build();
        }
      }
    }
    return getGetWaitingEnvelopeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.ListTrailRequest,
      io.github.intercomd.v1.ListTrailResponse> getListTrailMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListTrail",
      requestType = io.github.intercomd.v1.ListTrailRequest.class,
      responseType = io.github.intercomd.v1.ListTrailResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.ListTrailRequest,
      io.github.intercomd.v1.ListTrailResponse> getListTrailMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.ListTrailRequest, io.github.intercomd.v1.ListTrailResponse> getListTrailMethod;
    if ((getListTrailMethod = OperationsServiceGrpc.getListTrailMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getListTrailMethod = OperationsServiceGrpc.getListTrailMethod) == null) {
          OperationsServiceGrpc.getListTrailMethod = getListTrailMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.ListTrailRequest, io.github.intercomd.v1.ListTrailResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListTrail"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ListTrailRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ListTrailResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("ListTrail"))
              .build();
        }
      }
    }
    return getListTrailMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.GiveUpEnvelopeRequest,
      io.github.intercomd.v1.GiveUpEnvelopeResponse> getGiveUpEnvelopeMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GiveUpEnvelope",
      requestType = io.github.intercomd.v1.GiveUpEnvelopeRequest.class,
      responseType = io.github.intercomd.v1.GiveUpEnvelopeResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.GiveUpEnvelopeRequest,
      io.github.intercomd.v1.GiveUpEnvelopeResponse> getGiveUpEnvelopeMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.GiveUpEnvelopeRequest, io.github.intercomd.v1.GiveUpEnvelopeResponse> getGiveUpEnvelopeMethod;
    if ((getGiveUpEnvelopeMethod = OperationsServiceGrpc.getGiveUpEnvelopeMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getGiveUpEnvelopeMethod = OperationsServiceGrpc.getGiveUpEnvelopeMethod) == null) {
          OperationsServiceGrpc.getGiveUpEnvelopeMethod = getGiveUpEnvelopeMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.GiveUpEnvelopeRequest, io.github.intercomd.v1.GiveUpEnvelopeResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GiveUpEnvelope"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.GiveUpEnvelopeRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.GiveUpEnvelopeResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("GiveUpEnvelope"))
              .build();
        }
      }
    }
    return getGiveUpEnvelopeMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.ListDeadLettersRequest,
      io.github.intercomd.v1.ListDeadLettersResponse> getListDeadLettersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListDeadLetters",
      requestType = io.github.intercomd.v1.ListDeadLettersRequest.class,
      responseType = io.github.intercomd.v1.ListDeadLettersResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.ListDeadLettersRequest,
      io.github.intercomd.v1.ListDeadLettersResponse> getListDeadLettersMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.ListDeadLettersRequest, io.github.intercomd.v1.ListDeadLettersResponse> getListDeadLettersMethod;
    if ((getListDeadLettersMethod = OperationsServiceGrpc.getListDeadLettersMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getListDeadLettersMethod = OperationsServiceGrpc.getListDeadLettersMethod) == null) {
          OperationsServiceGrpc.getListDeadLettersMethod = getListDeadLettersMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.ListDeadLettersRequest, io.github.intercomd.v1.ListDeadLettersResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListDeadLetters"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ListDeadLettersRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ListDeadLettersResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("ListDeadLetters"))
              .build();
        }
      }
    }
    return getListDeadLettersMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.ReplayDeadLettersRequest,
      io.github.intercomd.v1.ReplayDeadLettersResponse> getReplayDeadLettersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ReplayDeadLetters",
      requestType = io.github.intercomd.v1.ReplayDeadLettersRequest.class,
      responseType = io.github.intercomd.v1.ReplayDeadLettersResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.ReplayDeadLettersRequest,
      io.github.intercomd.v1.ReplayDeadLettersResponse> getReplayDeadLettersMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.ReplayDeadLettersRequest, io.github.intercomd.v1.ReplayDeadLettersResponse> getReplayDeadLettersMethod;
    if ((getReplayDeadLettersMethod = OperationsServiceGrpc.getReplayDeadLettersMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getReplayDeadLettersMethod = OperationsServiceGrpc.getReplayDeadLettersMethod) == null) {
          OperationsServiceGrpc.getReplayDeadLettersMethod = getReplayDeadLettersMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.ReplayDeadLettersRequest, io.github.intercomd.v1.ReplayDeadLettersResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ReplayDeadLetters"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ReplayDeadLettersRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ReplayDeadLettersResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("ReplayDeadLetters"))
              .build();
        }
      }
    }
    return getReplayDeadLettersMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.DiscardDeadLettersRequest,
      io.github.intercomd.v1.DiscardDeadLettersResponse> getDiscardDeadLettersMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "DiscardDeadLetters",
      requestType = io.github.intercomd.v1.DiscardDeadLettersRequest.class,
      responseType = io.github.intercomd.v1.DiscardDeadLettersResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.DiscardDeadLettersRequest,
      io.github.intercomd.v1.DiscardDeadLettersResponse> getDiscardDeadLettersMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.DiscardDeadLettersRequest, io.github.intercomd.v1.DiscardDeadLettersResponse> getDiscardDeadLettersMethod;
    if ((getDiscardDeadLettersMethod = OperationsServiceGrpc.getDiscardDeadLettersMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getDiscardDeadLettersMethod = OperationsServiceGrpc.getDiscardDeadLettersMethod) == null) {
          OperationsServiceGrpc.getDiscardDeadLettersMethod = getDiscardDeadLettersMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.DiscardDeadLettersRequest, io.github.intercomd.v1.DiscardDeadLettersResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "DiscardDeadLetters"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.DiscardDeadLettersRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.DiscardDeadLettersResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("DiscardDeadLetters"))
              .build();
        }
      }
    }
    return getDiscardDeadLettersMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.PauseConnectionRequest,
      io.github.intercomd.v1.PauseConnectionResponse> getPauseConnectionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "PauseConnection",
      requestType = io.github.intercomd.v1.PauseConnectionRequest.class,
      responseType = io.github.intercomd.v1.PauseConnectionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.PauseConnectionRequest,
      io.github.intercomd.v1.PauseConnectionResponse> getPauseConnectionMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.PauseConnectionRequest, io.github.intercomd.v1.PauseConnectionResponse> getPauseConnectionMethod;
    if ((getPauseConnectionMethod = OperationsServiceGrpc.getPauseConnectionMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getPauseConnectionMethod = OperationsServiceGrpc.getPauseConnectionMethod) == null) {
          OperationsServiceGrpc.getPauseConnectionMethod = getPauseConnectionMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.PauseConnectionRequest, io.github.intercomd.v1.PauseConnectionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "PauseConnection"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.PauseConnectionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.PauseConnectionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("PauseConnection"))
              .build();
        }
      }
    }
    return getPauseConnectionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.ResumeConnectionRequest,
      io.github.intercomd.v1.ResumeConnectionResponse> getResumeConnectionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ResumeConnection",
      requestType = io.github.intercomd.v1.ResumeConnectionRequest.class,
      responseType = io.github.intercomd.v1.ResumeConnectionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.ResumeConnectionRequest,
      io.github.intercomd.v1.ResumeConnectionResponse> getResumeConnectionMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.ResumeConnectionRequest, io.github.intercomd.v1.ResumeConnectionResponse> getResumeConnectionMethod;
    if ((getResumeConnectionMethod = OperationsServiceGrpc.getResumeConnectionMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getResumeConnectionMethod = OperationsServiceGrpc.getResumeConnectionMethod) == null) {
          OperationsServiceGrpc.getResumeConnectionMethod = getResumeConnectionMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.ResumeConnectionRequest, io.github.intercomd.v1.ResumeConnectionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ResumeConnection"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ResumeConnectionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ResumeConnectionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("ResumeConnection"))
              .build();
        }
      }
    }
    return getResumeConnectionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.RetryConnectionRequest,
      io.github.intercomd.v1.RetryConnectionResponse> getRetryConnectionMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "RetryConnection",
      requestType = io.github.intercomd.v1.RetryConnectionRequest.class,
      responseType = io.github.intercomd.v1.RetryConnectionResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.RetryConnectionRequest,
      io.github.intercomd.v1.RetryConnectionResponse> getRetryConnectionMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.RetryConnectionRequest, io.github.intercomd.v1.RetryConnectionResponse> getRetryConnectionMethod;
    if ((getRetryConnectionMethod = OperationsServiceGrpc.getRetryConnectionMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getRetryConnectionMethod = OperationsServiceGrpc.getRetryConnectionMethod) == null) {
          OperationsServiceGrpc.getRetryConnectionMethod = getRetryConnectionMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.RetryConnectionRequest, io.github.intercomd.v1.RetryConnectionResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "RetryConnection"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.RetryConnectionRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.RetryConnectionResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("RetryConnection"))
              .build();
        }
      }
    }
    return getRetryConnectionMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.ReloadRequest,
      io.github.intercomd.v1.ReloadResponse> getReloadMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Reload",
      requestType = io.github.intercomd.v1.ReloadRequest.class,
      responseType = io.github.intercomd.v1.ReloadResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.ReloadRequest,
      io.github.intercomd.v1.ReloadResponse> getReloadMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.ReloadRequest, io.github.intercomd.v1.ReloadResponse> getReloadMethod;
    if ((getReloadMethod = OperationsServiceGrpc.getReloadMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getReloadMethod = OperationsServiceGrpc.getReloadMethod) == null) {
          OperationsServiceGrpc.getReloadMethod = getReloadMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.ReloadRequest, io.github.intercomd.v1.ReloadResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Reload"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ReloadRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.ReloadResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("Reload"))
              .build();
        }
      }
    }
    return getReloadMethod;
  }

  private static volatile io.grpc.MethodDescriptor<io.github.intercomd.v1.DrainRequest,
      io.github.intercomd.v1.DrainResponse> getDrainMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "Drain",
      requestType = io.github.intercomd.v1.DrainRequest.class,
      responseType = io.github.intercomd.v1.DrainResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<io.github.intercomd.v1.DrainRequest,
      io.github.intercomd.v1.DrainResponse> getDrainMethod() {
    io.grpc.MethodDescriptor<io.github.intercomd.v1.DrainRequest, io.github.intercomd.v1.DrainResponse> getDrainMethod;
    if ((getDrainMethod = OperationsServiceGrpc.getDrainMethod) == null) {
      synchronized (OperationsServiceGrpc.class) {
        if ((getDrainMethod = OperationsServiceGrpc.getDrainMethod) == null) {
          OperationsServiceGrpc.getDrainMethod = getDrainMethod =
              io.grpc.MethodDescriptor.<io.github.intercomd.v1.DrainRequest, io.github.intercomd.v1.DrainResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "Drain"))
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.DrainRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  io.github.intercomd.v1.DrainResponse.getDefaultInstance()))
              .setSchemaDescriptor(new OperationsServiceMethodDescriptorSupplier("Drain"))
              .build();
        }
      }
    }
    return getDrainMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static OperationsServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<OperationsServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<OperationsServiceStub>() {
        @java.lang.Override
        public OperationsServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new OperationsServiceStub(channel, callOptions);
        }
      };
    return OperationsServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static OperationsServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<OperationsServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<OperationsServiceBlockingV2Stub>() {
        @java.lang.Override
        public OperationsServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new OperationsServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return OperationsServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static OperationsServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<OperationsServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<OperationsServiceBlockingStub>() {
        @java.lang.Override
        public OperationsServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new OperationsServiceBlockingStub(channel, callOptions);
        }
      };
    return OperationsServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static OperationsServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<OperationsServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<OperationsServiceFutureStub>() {
        @java.lang.Override
        public OperationsServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new OperationsServiceFutureStub(channel, callOptions);
        }
      };
    return OperationsServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Shows the state of the daemon and controls it. It is served on the operations listener only, not on the listener for
   * senders, because its responses hold personal data.
   * INVALID_ARGUMENT (details: BadRequest): a field is out of range, a page token belongs to another list. NOT_FOUND
   * (details: ErrorInfo): no connection has this name, or the envelope does not wait. FAILED_PRECONDITION (details:
   * ErrorInfo): another number of dead letters matches than expected. UNAVAILABLE: the daemon is starting or stopping;
   * retry later.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Returns the state of the daemon, its spool and its connections.
     * </pre>
     */
    default void getStatus(io.github.intercomd.v1.GetStatusRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.GetStatusResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetStatusMethod(), responseObserver);
    }

    /**
     * <pre>
     * Sends outcomes as they are committed, without end. The response headers mark the start: the watch sees every later
     * outcome. A reader that is too slow, or starts too late, gets the number of outcomes that it missed.
     * </pre>
     */
    default void watchOutcomes(io.github.intercomd.v1.WatchOutcomesRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.WatchOutcomesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getWatchOutcomesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists outcomes of the journal, newest first.
     * </pre>
     */
    default void listOutcomes(io.github.intercomd.v1.ListOutcomesRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListOutcomesResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListOutcomesMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns an accepted envelope without an outcome, by its id.
     * </pre>
     */
    default void getWaitingEnvelope(io.github.intercomd.v1.GetWaitingEnvelopeRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.GetWaitingEnvelopeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetWaitingEnvelopeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists everything known of a user or an envelope, newest first: envelopes that wait, with the reason; outcomes, those
     * of dead letters included; rejected and skipped envelopes, with the reason.
     * </pre>
     */
    default void listTrail(io.github.intercomd.v1.ListTrailRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListTrailResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListTrailMethod(), responseObserver);
    }

    /**
     * <pre>
     * Ends a waiting envelope as a dead letter with the reason GIVEN_UP, which can be replayed. Later envelopes of its user
     * go on. If a call of the envelope is in flight, the call's result is recorded first. NOT_FOUND (details: ErrorInfo
     * ENVELOPE_NOT_WAITING): it does not wait, or that result has ended it.
     * </pre>
     */
    default void giveUpEnvelope(io.github.intercomd.v1.GiveUpEnvelopeRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.GiveUpEnvelopeResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGiveUpEnvelopeMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists dead letters, oldest first by default: the order in which a replay appends them.
     * </pre>
     */
    default void listDeadLetters(io.github.intercomd.v1.ListDeadLettersRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListDeadLettersResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListDeadLettersMethod(), responseObserver);
    }

    /**
     * <pre>
     * Appends dead letters to their log, in order and with their original times; only refused calls are made again. A
     * commit holds at most 500, so that the daemon keeps accepting; after a stop or a crash the rest are still dead
     * letters. UNAVAILABLE with RetryInfo if the disk refuses.
     * </pre>
     */
    default void replayDeadLetters(io.github.intercomd.v1.ReplayDeadLettersRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ReplayDeadLettersResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getReplayDeadLettersMethod(), responseObserver);
    }

    /**
     * <pre>
     * Discards dead letters permanently; each gets the outcome DISCARDED. A commit holds at most 500.
     * </pre>
     */
    default void discardDeadLetters(io.github.intercomd.v1.DiscardDeadLettersRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.DiscardDeadLettersResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDiscardDeadLettersMethod(), responseObserver);
    }

    /**
     * <pre>
     * Pauses calls to Intercom for a connection until it is resumed, also across restarts. Calls in flight are finished;
     * envelopes are accepted as before. Idempotent.
     * </pre>
     */
    default void pauseConnection(io.github.intercomd.v1.PauseConnectionRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.PauseConnectionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getPauseConnectionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Resumes a paused connection. Idempotent.
     * </pre>
     */
    default void resumeConnection(io.github.intercomd.v1.ResumeConnectionRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ResumeConnectionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getResumeConnectionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Probes a suspended or down connection now, rather than at its next_probe_time. Changes nothing in other states.
     * </pre>
     */
    default void retryConnection(io.github.intercomd.v1.RetryConnectionRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.RetryConnectionResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getRetryConnectionMethod(), responseObserver);
    }

    /**
     * <pre>
     * Reads the settings again and applies what can be applied while calls are served, as SIGHUP does. The whole new
     * configuration is validated first: with an error nothing changes, and the response lists every error.
     * </pre>
     */
    default void reload(io.github.intercomd.v1.ReloadRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ReloadResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getReloadMethod(), responseObserver);
    }

    /**
     * <pre>
     * Refuses new calls of senders from now on, until a restart; accepted envelopes are still delivered. Health becomes
     * NOT_SERVING, and calls are accepted for stopping.linger more, until load balancers have noticed. Idempotent.
     * </pre>
     */
    default void drain(io.github.intercomd.v1.DrainRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.DrainResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getDrainMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service OperationsService.
   * <pre>
   * Shows the state of the daemon and controls it. It is served on the operations listener only, not on the listener for
   * senders, because its responses hold personal data.
   * INVALID_ARGUMENT (details: BadRequest): a field is out of range, a page token belongs to another list. NOT_FOUND
   * (details: ErrorInfo): no connection has this name, or the envelope does not wait. FAILED_PRECONDITION (details:
   * ErrorInfo): another number of dead letters matches than expected. UNAVAILABLE: the daemon is starting or stopping;
   * retry later.
   * </pre>
   */
  public static abstract class OperationsServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return OperationsServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service OperationsService.
   * <pre>
   * Shows the state of the daemon and controls it. It is served on the operations listener only, not on the listener for
   * senders, because its responses hold personal data.
   * INVALID_ARGUMENT (details: BadRequest): a field is out of range, a page token belongs to another list. NOT_FOUND
   * (details: ErrorInfo): no connection has this name, or the envelope does not wait. FAILED_PRECONDITION (details:
   * ErrorInfo): another number of dead letters matches than expected. UNAVAILABLE: the daemon is starting or stopping;
   * retry later.
   * </pre>
   */
  public static final class OperationsServiceStub
      extends io.grpc.stub.AbstractAsyncStub<OperationsServiceStub> {
    private OperationsServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected OperationsServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new OperationsServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns the state of the daemon, its spool and its connections.
     * </pre>
     */
    public void getStatus(io.github.intercomd.v1.GetStatusRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.GetStatusResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetStatusMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Sends outcomes as they are committed, without end. The response headers mark the start: the watch sees every later
     * outcome. A reader that is too slow, or starts too late, gets the number of outcomes that it missed.
     * </pre>
     */
    public void watchOutcomes(io.github.intercomd.v1.WatchOutcomesRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.WatchOutcomesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncServerStreamingCall(
          getChannel().newCall(getWatchOutcomesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists outcomes of the journal, newest first.
     * </pre>
     */
    public void listOutcomes(io.github.intercomd.v1.ListOutcomesRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListOutcomesResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListOutcomesMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns an accepted envelope without an outcome, by its id.
     * </pre>
     */
    public void getWaitingEnvelope(io.github.intercomd.v1.GetWaitingEnvelopeRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.GetWaitingEnvelopeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetWaitingEnvelopeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists everything known of a user or an envelope, newest first: envelopes that wait, with the reason; outcomes, those
     * of dead letters included; rejected and skipped envelopes, with the reason.
     * </pre>
     */
    public void listTrail(io.github.intercomd.v1.ListTrailRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListTrailResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListTrailMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Ends a waiting envelope as a dead letter with the reason GIVEN_UP, which can be replayed. Later envelopes of its user
     * go on. If a call of the envelope is in flight, the call's result is recorded first. NOT_FOUND (details: ErrorInfo
     * ENVELOPE_NOT_WAITING): it does not wait, or that result has ended it.
     * </pre>
     */
    public void giveUpEnvelope(io.github.intercomd.v1.GiveUpEnvelopeRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.GiveUpEnvelopeResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGiveUpEnvelopeMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists dead letters, oldest first by default: the order in which a replay appends them.
     * </pre>
     */
    public void listDeadLetters(io.github.intercomd.v1.ListDeadLettersRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListDeadLettersResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListDeadLettersMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Appends dead letters to their log, in order and with their original times; only refused calls are made again. A
     * commit holds at most 500, so that the daemon keeps accepting; after a stop or a crash the rest are still dead
     * letters. UNAVAILABLE with RetryInfo if the disk refuses.
     * </pre>
     */
    public void replayDeadLetters(io.github.intercomd.v1.ReplayDeadLettersRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ReplayDeadLettersResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getReplayDeadLettersMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Discards dead letters permanently; each gets the outcome DISCARDED. A commit holds at most 500.
     * </pre>
     */
    public void discardDeadLetters(io.github.intercomd.v1.DiscardDeadLettersRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.DiscardDeadLettersResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDiscardDeadLettersMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Pauses calls to Intercom for a connection until it is resumed, also across restarts. Calls in flight are finished;
     * envelopes are accepted as before. Idempotent.
     * </pre>
     */
    public void pauseConnection(io.github.intercomd.v1.PauseConnectionRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.PauseConnectionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getPauseConnectionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Resumes a paused connection. Idempotent.
     * </pre>
     */
    public void resumeConnection(io.github.intercomd.v1.ResumeConnectionRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ResumeConnectionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getResumeConnectionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Probes a suspended or down connection now, rather than at its next_probe_time. Changes nothing in other states.
     * </pre>
     */
    public void retryConnection(io.github.intercomd.v1.RetryConnectionRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.RetryConnectionResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getRetryConnectionMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Reads the settings again and applies what can be applied while calls are served, as SIGHUP does. The whole new
     * configuration is validated first: with an error nothing changes, and the response lists every error.
     * </pre>
     */
    public void reload(io.github.intercomd.v1.ReloadRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.ReloadResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getReloadMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Refuses new calls of senders from now on, until a restart; accepted envelopes are still delivered. Health becomes
     * NOT_SERVING, and calls are accepted for stopping.linger more, until load balancers have noticed. Idempotent.
     * </pre>
     */
    public void drain(io.github.intercomd.v1.DrainRequest request,
        io.grpc.stub.StreamObserver<io.github.intercomd.v1.DrainResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getDrainMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service OperationsService.
   * <pre>
   * Shows the state of the daemon and controls it. It is served on the operations listener only, not on the listener for
   * senders, because its responses hold personal data.
   * INVALID_ARGUMENT (details: BadRequest): a field is out of range, a page token belongs to another list. NOT_FOUND
   * (details: ErrorInfo): no connection has this name, or the envelope does not wait. FAILED_PRECONDITION (details:
   * ErrorInfo): another number of dead letters matches than expected. UNAVAILABLE: the daemon is starting or stopping;
   * retry later.
   * </pre>
   */
  public static final class OperationsServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<OperationsServiceBlockingV2Stub> {
    private OperationsServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected OperationsServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new OperationsServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns the state of the daemon, its spool and its connections.
     * </pre>
     */
    public io.github.intercomd.v1.GetStatusResponse getStatus(io.github.intercomd.v1.GetStatusRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetStatusMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Sends outcomes as they are committed, without end. The response headers mark the start: the watch sees every later
     * outcome. A reader that is too slow, or starts too late, gets the number of outcomes that it missed.
     * </pre>
     */
    @io.grpc.ExperimentalApi("https://github.com/grpc/grpc-java/issues/10918")
    public io.grpc.stub.BlockingClientCall<?, io.github.intercomd.v1.WatchOutcomesResponse>
        watchOutcomes(io.github.intercomd.v1.WatchOutcomesRequest request) {
      return io.grpc.stub.ClientCalls.blockingV2ServerStreamingCall(
          getChannel(), getWatchOutcomesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists outcomes of the journal, newest first.
     * </pre>
     */
    public io.github.intercomd.v1.ListOutcomesResponse listOutcomes(io.github.intercomd.v1.ListOutcomesRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListOutcomesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns an accepted envelope without an outcome, by its id.
     * </pre>
     */
    public io.github.intercomd.v1.GetWaitingEnvelopeResponse getWaitingEnvelope(io.github.intercomd.v1.GetWaitingEnvelopeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetWaitingEnvelopeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists everything known of a user or an envelope, newest first: envelopes that wait, with the reason; outcomes, those
     * of dead letters included; rejected and skipped envelopes, with the reason.
     * </pre>
     */
    public io.github.intercomd.v1.ListTrailResponse listTrail(io.github.intercomd.v1.ListTrailRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListTrailMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Ends a waiting envelope as a dead letter with the reason GIVEN_UP, which can be replayed. Later envelopes of its user
     * go on. If a call of the envelope is in flight, the call's result is recorded first. NOT_FOUND (details: ErrorInfo
     * ENVELOPE_NOT_WAITING): it does not wait, or that result has ended it.
     * </pre>
     */
    public io.github.intercomd.v1.GiveUpEnvelopeResponse giveUpEnvelope(io.github.intercomd.v1.GiveUpEnvelopeRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGiveUpEnvelopeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists dead letters, oldest first by default: the order in which a replay appends them.
     * </pre>
     */
    public io.github.intercomd.v1.ListDeadLettersResponse listDeadLetters(io.github.intercomd.v1.ListDeadLettersRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListDeadLettersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Appends dead letters to their log, in order and with their original times; only refused calls are made again. A
     * commit holds at most 500, so that the daemon keeps accepting; after a stop or a crash the rest are still dead
     * letters. UNAVAILABLE with RetryInfo if the disk refuses.
     * </pre>
     */
    public io.github.intercomd.v1.ReplayDeadLettersResponse replayDeadLetters(io.github.intercomd.v1.ReplayDeadLettersRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getReplayDeadLettersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Discards dead letters permanently; each gets the outcome DISCARDED. A commit holds at most 500.
     * </pre>
     */
    public io.github.intercomd.v1.DiscardDeadLettersResponse discardDeadLetters(io.github.intercomd.v1.DiscardDeadLettersRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDiscardDeadLettersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Pauses calls to Intercom for a connection until it is resumed, also across restarts. Calls in flight are finished;
     * envelopes are accepted as before. Idempotent.
     * </pre>
     */
    public io.github.intercomd.v1.PauseConnectionResponse pauseConnection(io.github.intercomd.v1.PauseConnectionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getPauseConnectionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Resumes a paused connection. Idempotent.
     * </pre>
     */
    public io.github.intercomd.v1.ResumeConnectionResponse resumeConnection(io.github.intercomd.v1.ResumeConnectionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getResumeConnectionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Probes a suspended or down connection now, rather than at its next_probe_time. Changes nothing in other states.
     * </pre>
     */
    public io.github.intercomd.v1.RetryConnectionResponse retryConnection(io.github.intercomd.v1.RetryConnectionRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getRetryConnectionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads the settings again and applies what can be applied while calls are served, as SIGHUP does. The whole new
     * configuration is validated first: with an error nothing changes, and the response lists every error.
     * </pre>
     */
    public io.github.intercomd.v1.ReloadResponse reload(io.github.intercomd.v1.ReloadRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getReloadMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Refuses new calls of senders from now on, until a restart; accepted envelopes are still delivered. Health becomes
     * NOT_SERVING, and calls are accepted for stopping.linger more, until load balancers have noticed. Idempotent.
     * </pre>
     */
    public io.github.intercomd.v1.DrainResponse drain(io.github.intercomd.v1.DrainRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getDrainMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service OperationsService.
   * <pre>
   * Shows the state of the daemon and controls it. It is served on the operations listener only, not on the listener for
   * senders, because its responses hold personal data.
   * INVALID_ARGUMENT (details: BadRequest): a field is out of range, a page token belongs to another list. NOT_FOUND
   * (details: ErrorInfo): no connection has this name, or the envelope does not wait. FAILED_PRECONDITION (details:
   * ErrorInfo): another number of dead letters matches than expected. UNAVAILABLE: the daemon is starting or stopping;
   * retry later.
   * </pre>
   */
  public static final class OperationsServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<OperationsServiceBlockingStub> {
    private OperationsServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected OperationsServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new OperationsServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns the state of the daemon, its spool and its connections.
     * </pre>
     */
    public io.github.intercomd.v1.GetStatusResponse getStatus(io.github.intercomd.v1.GetStatusRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetStatusMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Sends outcomes as they are committed, without end. The response headers mark the start: the watch sees every later
     * outcome. A reader that is too slow, or starts too late, gets the number of outcomes that it missed.
     * </pre>
     */
    public java.util.Iterator<io.github.intercomd.v1.WatchOutcomesResponse> watchOutcomes(
        io.github.intercomd.v1.WatchOutcomesRequest request) {
      return io.grpc.stub.ClientCalls.blockingServerStreamingCall(
          getChannel(), getWatchOutcomesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists outcomes of the journal, newest first.
     * </pre>
     */
    public io.github.intercomd.v1.ListOutcomesResponse listOutcomes(io.github.intercomd.v1.ListOutcomesRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListOutcomesMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns an accepted envelope without an outcome, by its id.
     * </pre>
     */
    public io.github.intercomd.v1.GetWaitingEnvelopeResponse getWaitingEnvelope(io.github.intercomd.v1.GetWaitingEnvelopeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetWaitingEnvelopeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists everything known of a user or an envelope, newest first: envelopes that wait, with the reason; outcomes, those
     * of dead letters included; rejected and skipped envelopes, with the reason.
     * </pre>
     */
    public io.github.intercomd.v1.ListTrailResponse listTrail(io.github.intercomd.v1.ListTrailRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListTrailMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Ends a waiting envelope as a dead letter with the reason GIVEN_UP, which can be replayed. Later envelopes of its user
     * go on. If a call of the envelope is in flight, the call's result is recorded first. NOT_FOUND (details: ErrorInfo
     * ENVELOPE_NOT_WAITING): it does not wait, or that result has ended it.
     * </pre>
     */
    public io.github.intercomd.v1.GiveUpEnvelopeResponse giveUpEnvelope(io.github.intercomd.v1.GiveUpEnvelopeRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGiveUpEnvelopeMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists dead letters, oldest first by default: the order in which a replay appends them.
     * </pre>
     */
    public io.github.intercomd.v1.ListDeadLettersResponse listDeadLetters(io.github.intercomd.v1.ListDeadLettersRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListDeadLettersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Appends dead letters to their log, in order and with their original times; only refused calls are made again. A
     * commit holds at most 500, so that the daemon keeps accepting; after a stop or a crash the rest are still dead
     * letters. UNAVAILABLE with RetryInfo if the disk refuses.
     * </pre>
     */
    public io.github.intercomd.v1.ReplayDeadLettersResponse replayDeadLetters(io.github.intercomd.v1.ReplayDeadLettersRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getReplayDeadLettersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Discards dead letters permanently; each gets the outcome DISCARDED. A commit holds at most 500.
     * </pre>
     */
    public io.github.intercomd.v1.DiscardDeadLettersResponse discardDeadLetters(io.github.intercomd.v1.DiscardDeadLettersRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDiscardDeadLettersMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Pauses calls to Intercom for a connection until it is resumed, also across restarts. Calls in flight are finished;
     * envelopes are accepted as before. Idempotent.
     * </pre>
     */
    public io.github.intercomd.v1.PauseConnectionResponse pauseConnection(io.github.intercomd.v1.PauseConnectionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getPauseConnectionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Resumes a paused connection. Idempotent.
     * </pre>
     */
    public io.github.intercomd.v1.ResumeConnectionResponse resumeConnection(io.github.intercomd.v1.ResumeConnectionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getResumeConnectionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Probes a suspended or down connection now, rather than at its next_probe_time. Changes nothing in other states.
     * </pre>
     */
    public io.github.intercomd.v1.RetryConnectionResponse retryConnection(io.github.intercomd.v1.RetryConnectionRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getRetryConnectionMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Reads the settings again and applies what can be applied while calls are served, as SIGHUP does. The whole new
     * configuration is validated first: with an error nothing changes, and the response lists every error.
     * </pre>
     */
    public io.github.intercomd.v1.ReloadResponse reload(io.github.intercomd.v1.ReloadRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getReloadMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Refuses new calls of senders from now on, until a restart; accepted envelopes are still delivered. Health becomes
     * NOT_SERVING, and calls are accepted for stopping.linger more, until load balancers have noticed. Idempotent.
     * </pre>
     */
    public io.github.intercomd.v1.DrainResponse drain(io.github.intercomd.v1.DrainRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getDrainMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service OperationsService.
   * <pre>
   * Shows the state of the daemon and controls it. It is served on the operations listener only, not on the listener for
   * senders, because its responses hold personal data.
   * INVALID_ARGUMENT (details: BadRequest): a field is out of range, a page token belongs to another list. NOT_FOUND
   * (details: ErrorInfo): no connection has this name, or the envelope does not wait. FAILED_PRECONDITION (details:
   * ErrorInfo): another number of dead letters matches than expected. UNAVAILABLE: the daemon is starting or stopping;
   * retry later.
   * </pre>
   */
  public static final class OperationsServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<OperationsServiceFutureStub> {
    private OperationsServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected OperationsServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new OperationsServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Returns the state of the daemon, its spool and its connections.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.GetStatusResponse> getStatus(
        io.github.intercomd.v1.GetStatusRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetStatusMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists outcomes of the journal, newest first.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.ListOutcomesResponse> listOutcomes(
        io.github.intercomd.v1.ListOutcomesRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListOutcomesMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns an accepted envelope without an outcome, by its id.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.GetWaitingEnvelopeResponse> getWaitingEnvelope(
        io.github.intercomd.v1.GetWaitingEnvelopeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetWaitingEnvelopeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists everything known of a user or an envelope, newest first: envelopes that wait, with the reason; outcomes, those
     * of dead letters included; rejected and skipped envelopes, with the reason.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.ListTrailResponse> listTrail(
        io.github.intercomd.v1.ListTrailRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListTrailMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Ends a waiting envelope as a dead letter with the reason GIVEN_UP, which can be replayed. Later envelopes of its user
     * go on. If a call of the envelope is in flight, the call's result is recorded first. NOT_FOUND (details: ErrorInfo
     * ENVELOPE_NOT_WAITING): it does not wait, or that result has ended it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.GiveUpEnvelopeResponse> giveUpEnvelope(
        io.github.intercomd.v1.GiveUpEnvelopeRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGiveUpEnvelopeMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists dead letters, oldest first by default: the order in which a replay appends them.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.ListDeadLettersResponse> listDeadLetters(
        io.github.intercomd.v1.ListDeadLettersRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListDeadLettersMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Appends dead letters to their log, in order and with their original times; only refused calls are made again. A
     * commit holds at most 500, so that the daemon keeps accepting; after a stop or a crash the rest are still dead
     * letters. UNAVAILABLE with RetryInfo if the disk refuses.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.ReplayDeadLettersResponse> replayDeadLetters(
        io.github.intercomd.v1.ReplayDeadLettersRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getReplayDeadLettersMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Discards dead letters permanently; each gets the outcome DISCARDED. A commit holds at most 500.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.DiscardDeadLettersResponse> discardDeadLetters(
        io.github.intercomd.v1.DiscardDeadLettersRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDiscardDeadLettersMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Pauses calls to Intercom for a connection until it is resumed, also across restarts. Calls in flight are finished;
     * envelopes are accepted as before. Idempotent.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.PauseConnectionResponse> pauseConnection(
        io.github.intercomd.v1.PauseConnectionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getPauseConnectionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Resumes a paused connection. Idempotent.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.ResumeConnectionResponse> resumeConnection(
        io.github.intercomd.v1.ResumeConnectionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getResumeConnectionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Probes a suspended or down connection now, rather than at its next_probe_time. Changes nothing in other states.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.RetryConnectionResponse> retryConnection(
        io.github.intercomd.v1.RetryConnectionRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getRetryConnectionMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Reads the settings again and applies what can be applied while calls are served, as SIGHUP does. The whole new
     * configuration is validated first: with an error nothing changes, and the response lists every error.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.ReloadResponse> reload(
        io.github.intercomd.v1.ReloadRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getReloadMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Refuses new calls of senders from now on, until a restart; accepted envelopes are still delivered. Health becomes
     * NOT_SERVING, and calls are accepted for stopping.linger more, until load balancers have noticed. Idempotent.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<io.github.intercomd.v1.DrainResponse> drain(
        io.github.intercomd.v1.DrainRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getDrainMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_GET_STATUS = 0;
  private static final int METHODID_WATCH_OUTCOMES = 1;
  private static final int METHODID_LIST_OUTCOMES = 2;
  private static final int METHODID_GET_WAITING_ENVELOPE = 3;
  private static final int METHODID_LIST_TRAIL = 4;
  private static final int METHODID_GIVE_UP_ENVELOPE = 5;
  private static final int METHODID_LIST_DEAD_LETTERS = 6;
  private static final int METHODID_REPLAY_DEAD_LETTERS = 7;
  private static final int METHODID_DISCARD_DEAD_LETTERS = 8;
  private static final int METHODID_PAUSE_CONNECTION = 9;
  private static final int METHODID_RESUME_CONNECTION = 10;
  private static final int METHODID_RETRY_CONNECTION = 11;
  private static final int METHODID_RELOAD = 12;
  private static final int METHODID_DRAIN = 13;

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
        case METHODID_GET_STATUS:
          serviceImpl.getStatus((io.github.intercomd.v1.GetStatusRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.GetStatusResponse>) responseObserver);
          break;
        case METHODID_WATCH_OUTCOMES:
          serviceImpl.watchOutcomes((io.github.intercomd.v1.WatchOutcomesRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.WatchOutcomesResponse>) responseObserver);
          break;
        case METHODID_LIST_OUTCOMES:
          serviceImpl.listOutcomes((io.github.intercomd.v1.ListOutcomesRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListOutcomesResponse>) responseObserver);
          break;
        case METHODID_GET_WAITING_ENVELOPE:
          serviceImpl.getWaitingEnvelope((io.github.intercomd.v1.GetWaitingEnvelopeRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.GetWaitingEnvelopeResponse>) responseObserver);
          break;
        case METHODID_LIST_TRAIL:
          serviceImpl.listTrail((io.github.intercomd.v1.ListTrailRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListTrailResponse>) responseObserver);
          break;
        case METHODID_GIVE_UP_ENVELOPE:
          serviceImpl.giveUpEnvelope((io.github.intercomd.v1.GiveUpEnvelopeRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.GiveUpEnvelopeResponse>) responseObserver);
          break;
        case METHODID_LIST_DEAD_LETTERS:
          serviceImpl.listDeadLetters((io.github.intercomd.v1.ListDeadLettersRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.ListDeadLettersResponse>) responseObserver);
          break;
        case METHODID_REPLAY_DEAD_LETTERS:
          serviceImpl.replayDeadLetters((io.github.intercomd.v1.ReplayDeadLettersRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.ReplayDeadLettersResponse>) responseObserver);
          break;
        case METHODID_DISCARD_DEAD_LETTERS:
          serviceImpl.discardDeadLetters((io.github.intercomd.v1.DiscardDeadLettersRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.DiscardDeadLettersResponse>) responseObserver);
          break;
        case METHODID_PAUSE_CONNECTION:
          serviceImpl.pauseConnection((io.github.intercomd.v1.PauseConnectionRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.PauseConnectionResponse>) responseObserver);
          break;
        case METHODID_RESUME_CONNECTION:
          serviceImpl.resumeConnection((io.github.intercomd.v1.ResumeConnectionRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.ResumeConnectionResponse>) responseObserver);
          break;
        case METHODID_RETRY_CONNECTION:
          serviceImpl.retryConnection((io.github.intercomd.v1.RetryConnectionRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.RetryConnectionResponse>) responseObserver);
          break;
        case METHODID_RELOAD:
          serviceImpl.reload((io.github.intercomd.v1.ReloadRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.ReloadResponse>) responseObserver);
          break;
        case METHODID_DRAIN:
          serviceImpl.drain((io.github.intercomd.v1.DrainRequest) request,
              (io.grpc.stub.StreamObserver<io.github.intercomd.v1.DrainResponse>) responseObserver);
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
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getGetStatusMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.GetStatusRequest,
              io.github.intercomd.v1.GetStatusResponse>(
                service, METHODID_GET_STATUS)))
        .addMethod(
          getWatchOutcomesMethod(),
          io.grpc.stub.ServerCalls.asyncServerStreamingCall(
            new MethodHandlers<
              io.github.intercomd.v1.WatchOutcomesRequest,
              io.github.intercomd.v1.WatchOutcomesResponse>(
                service, METHODID_WATCH_OUTCOMES)))
        .addMethod(
          getListOutcomesMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.ListOutcomesRequest,
              io.github.intercomd.v1.ListOutcomesResponse>(
                service, METHODID_LIST_OUTCOMES)))
        .addMethod(
          getGetWaitingEnvelopeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.GetWaitingEnvelopeRequest,
              io.github.intercomd.v1.GetWaitingEnvelopeResponse>(
                service, METHODID_GET_WAITING_ENVELOPE)))
        .addMethod(
          getListTrailMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.ListTrailRequest,
              io.github.intercomd.v1.ListTrailResponse>(
                service, METHODID_LIST_TRAIL)))
        .addMethod(
          getGiveUpEnvelopeMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.GiveUpEnvelopeRequest,
              io.github.intercomd.v1.GiveUpEnvelopeResponse>(
                service, METHODID_GIVE_UP_ENVELOPE)))
        .addMethod(
          getListDeadLettersMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.ListDeadLettersRequest,
              io.github.intercomd.v1.ListDeadLettersResponse>(
                service, METHODID_LIST_DEAD_LETTERS)))
        .addMethod(
          getReplayDeadLettersMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.ReplayDeadLettersRequest,
              io.github.intercomd.v1.ReplayDeadLettersResponse>(
                service, METHODID_REPLAY_DEAD_LETTERS)))
        .addMethod(
          getDiscardDeadLettersMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.DiscardDeadLettersRequest,
              io.github.intercomd.v1.DiscardDeadLettersResponse>(
                service, METHODID_DISCARD_DEAD_LETTERS)))
        .addMethod(
          getPauseConnectionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.PauseConnectionRequest,
              io.github.intercomd.v1.PauseConnectionResponse>(
                service, METHODID_PAUSE_CONNECTION)))
        .addMethod(
          getResumeConnectionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.ResumeConnectionRequest,
              io.github.intercomd.v1.ResumeConnectionResponse>(
                service, METHODID_RESUME_CONNECTION)))
        .addMethod(
          getRetryConnectionMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.RetryConnectionRequest,
              io.github.intercomd.v1.RetryConnectionResponse>(
                service, METHODID_RETRY_CONNECTION)))
        .addMethod(
          getReloadMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.ReloadRequest,
              io.github.intercomd.v1.ReloadResponse>(
                service, METHODID_RELOAD)))
        .addMethod(
          getDrainMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              io.github.intercomd.v1.DrainRequest,
              io.github.intercomd.v1.DrainResponse>(
                service, METHODID_DRAIN)))
        .build();
  }

  private static abstract class OperationsServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    OperationsServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return io.github.intercomd.v1.Operations.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("OperationsService");
    }
  }

  private static final class OperationsServiceFileDescriptorSupplier
      extends OperationsServiceBaseDescriptorSupplier {
    OperationsServiceFileDescriptorSupplier() {}
  }

  private static final class OperationsServiceMethodDescriptorSupplier
      extends OperationsServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    OperationsServiceMethodDescriptorSupplier(java.lang.String methodName) {
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
      synchronized (OperationsServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new OperationsServiceFileDescriptorSupplier())
              .addMethod(getGetStatusMethod())
              .addMethod(getWatchOutcomesMethod())
              .addMethod(getListOutcomesMethod())
              .addMethod(getGetWaitingEnvelopeMethod())
              .addMethod(getListTrailMethod())
              .addMethod(getGiveUpEnvelopeMethod())
              .addMethod(getListDeadLettersMethod())
              .addMethod(getReplayDeadLettersMethod())
              .addMethod(getDiscardDeadLettersMethod())
              .addMethod(getPauseConnectionMethod())
              .addMethod(getResumeConnectionMethod())
              .addMethod(getRetryConnectionMethod())
              .addMethod(getReloadMethod())
              .addMethod(getDrainMethod())
              .build();
        }
      }
    }
    return result;
  }
}

package io.github.intercomd;

import io.grpc.ManagedChannel;
import io.grpc.netty.NegotiationType;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * The channels of one publisher, and their threads. gRPC's shared threads would outlive the publisher; these end with it.
 *
 * <p>The caller guards it.
 */
final class Transport {
  private static final int CONNECT_MILLISECONDS_MAX = 5_000;
  private static final Duration END_MAX = Duration.ofSeconds(5);

  private final Access access;
  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory("intercomd-io", true), NioIoHandler.newFactory());

  /** Resolves names, which blocks. */
  private final ExecutorService resolver = Executors.newSingleThreadExecutor(new DefaultThreadFactory("intercomd-dns", true));

  /** The last one is that of the next call; calls on those before may still end. */
  private final ArrayDeque<ManagedChannel> channels = new ArrayDeque<>();

  Transport(Access access) {
    this.access = access;
  }

  /**
   * Returns the channel of the next call. Changed TLS files need a new one; calls on the old one may end.
   *
   * @param isRepeat a call failed before: gRPC's own pause between connection attempts grows to two minutes, longer than the
   *     publisher's, so that it connects at once instead
   */
  ManagedChannel channel(boolean isRepeat) {
    if (channels.isEmpty() || access.tlsChanged()) {
      channels.removeIf(ManagedChannel::isTerminated);
      channels.forEach(ManagedChannel::shutdown);
      channels.add(open());
    } else if (isRepeat) {
      channels.getLast().resetConnectBackoff();
    }
    return channels.getLast();
  }

  /** Ends the channels, then their threads. An interrupt ends the wait for the channels, and stays set. */
  void close() {
    long deadline = System.nanoTime() + END_MAX.toNanos();
    channels.forEach(ManagedChannel::shutdownNow);
    try {
      for (ManagedChannel each : channels) {
        each.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
    resolver.shutdownNow();
    loop.shutdownGracefully(0, END_MAX.toMillis(), TimeUnit.MILLISECONDS).awaitUninterruptibly(END_MAX.toMillis());
  }

  /** Opens a channel that leaves retries and reconnecting to the publisher. */
  private ManagedChannel open() {
    Path socket = access.target().socket();
    NettyChannelBuilder builder =
        socket == null
            ? NettyChannelBuilder.forTarget(access.target().resolvable()).channelType(NioSocketChannel.class)
            // The JDK's own Unix sockets need no native library.
            : NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(socket))
                .channelType(NioDomainSocketChannel.class, UnixDomainSocketAddress.class)
                .overrideAuthority("localhost");
    if (access.pem() == null) {
      builder.negotiationType(NegotiationType.PLAINTEXT);
    } else {
      builder.sslContext(access.pem().context());
    }
    if (access.serverName() != null) {
      builder.overrideAuthority(access.serverName());
    }
    if (access.target().isLocal()) {
      builder.proxyDetector(address -> null);
    }
    return builder
        .eventLoopGroup(loop)
        .offloadExecutor(resolver)
        .directExecutor()
        .withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_MILLISECONDS_MAX)
        .disableRetry()
        // A service configuration from DNS could turn retries, time-outs or waiting on again.
        .disableServiceConfigLookUp()
        // Keepalive finds a dead connection within a call. The kernel would take a quarter of an hour.
        .keepAliveTime(20, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .build();
  }
}

package troupe.client;

import io.grpc.ClientInterceptor;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import java.util.concurrent.TimeUnit;
import troupe.admin.v1.ChainServiceGrpc;
import troupe.admin.v1.EventServiceGrpc;
import troupe.admin.v1.MinerServiceGrpc;
import troupe.admin.v1.NodeServiceGrpc;
import troupe.admin.v1.PeerServiceGrpc;
import troupe.admin.v1.WalletServiceGrpc;

/**
 * A connection to a node with a token, and the services that the scenario calls. A stub's deadline counts from the
 * moment in which it is made, so each call takes a new one.
 */
final class Client implements AutoCloseable {
  private static final long CALL_TIMEOUT_S = 30;
  private static final long STREAM_TIMEOUT_S = 60;
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final ManagedChannel channel;

  /** Connects with a token; "" is none. */
  Client(String address, String token) {
    channel =
        Grpc.newChannelBuilder(address, InsecureChannelCredentials.create())
            .intercept(bearer(token))
            .build();
  }

  NodeServiceGrpc.NodeServiceBlockingStub node() {
    return unary(NodeServiceGrpc.newBlockingStub(channel));
  }

  PeerServiceGrpc.PeerServiceBlockingStub peers() {
    return unary(PeerServiceGrpc.newBlockingStub(channel));
  }

  MinerServiceGrpc.MinerServiceBlockingStub minerStream() {
    return streaming(MinerServiceGrpc.newBlockingStub(channel));
  }

  WalletServiceGrpc.WalletServiceBlockingStub wallet() {
    return unary(WalletServiceGrpc.newBlockingStub(channel));
  }

  ChainServiceGrpc.ChainServiceBlockingStub chain() {
    return unary(ChainServiceGrpc.newBlockingStub(channel));
  }

  EventServiceGrpc.EventServiceBlockingStub eventStream() {
    return streaming(EventServiceGrpc.newBlockingStub(channel));
  }

  @Override
  public void close() throws InterruptedException {
    channel.shutdownNow().awaitTermination(CALL_TIMEOUT_S, TimeUnit.SECONDS);
  }

  private static ClientInterceptor bearer(String token) {
    Metadata metadata = new Metadata();
    if (!token.isEmpty()) {
      metadata.put(AUTHORIZATION, "Bearer " + token);
    }
    return MetadataUtils.newAttachHeadersInterceptor(metadata);
  }

  private static <S extends AbstractStub<S>> S unary(S stub) {
    return stub.withDeadlineAfter(CALL_TIMEOUT_S, TimeUnit.SECONDS);
  }

  private static <S extends AbstractStub<S>> S streaming(S stub) {
    return stub.withDeadlineAfter(STREAM_TIMEOUT_S, TimeUnit.SECONDS);
  }
}

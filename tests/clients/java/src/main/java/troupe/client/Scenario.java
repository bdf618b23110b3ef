package troupe.client;

import com.google.protobuf.InvalidProtocolBufferException;
import io.grpc.Context;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import troupe.admin.v1.ConnectPeerRequest;
import troupe.admin.v1.Event;
import troupe.admin.v1.EventPosition;
import troupe.admin.v1.EventType;
import troupe.admin.v1.GenerateBlocksRequest;
import troupe.admin.v1.GenerateBlocksResponse;
import troupe.admin.v1.GetAccountRequest;
import troupe.admin.v1.GetAccountResponse;
import troupe.admin.v1.GetBlockRequest;
import troupe.admin.v1.GetNodeRequest;
import troupe.admin.v1.GetTransactionRequest;
import troupe.admin.v1.GetTransactionResponse;
import troupe.admin.v1.ListPeersRequest;
import troupe.admin.v1.ListPeersResponse;
import troupe.admin.v1.Node;
import troupe.admin.v1.TransferRequest;
import troupe.admin.v1.TransferResponse;
import troupe.admin.v1.WatchEventsRequest;
import troupe.admin.v1.WatchEventsResponse;

/** The steps of the scenario, in their order. */
final class Scenario {
  private static final String RECIPIENT =
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

  private final Client client;

  private Scenario(Client client) {
    this.client = client;
  }

  /** Goes through all steps; the first that does not go as it must throws. */
  static void direct(String address, Path tokenFile, String peer)
      throws IOException, InterruptedException {
    refusedAtTheDoor(address, "no-token", "");
    refusedAtTheDoor(address, "wrong-token", "wrong");
    try (Client client = new Client(address, Files.readString(tokenFile).strip())) {
      Scenario scenario = new Scenario(client);
      scenario.status();
      scenario.connect(peer);
      Lines.print("generate", Map.of("blocks", scenario.generate(3)));
      scenario.mined(scenario.transferTwice());
      scenario.watchAndResume();
      scenario.beRefused();
    }
  }

  private static void refusedAtTheDoor(String address, String step, String token)
      throws IOException, InterruptedException {
    try (Client stranger = new Client(address, token)) {
      Lines.printRefusal(step, () -> stranger.node().getNode(GetNodeRequest.getDefaultInstance()));
    }
  }

  private void status() {
    Node node = client.node().getNode(GetNodeRequest.getDefaultInstance()).getNode();
    Lines.print(
        "status",
        Map.of(
            "name", node.getName(),
            "network", node.getNetwork().getName(),
            "state", node.getState().name(),
            "height", node.getTip().getNumber()));
  }

  private void connect(String peer) {
    ConnectPeerRequest request = ConnectPeerRequest.newBuilder().setAddress(peer).build();
    boolean first = client.peers().connectPeer(request).getAlreadyConnected();
    boolean again = client.peers().connectPeer(request).getAlreadyConnected();
    ListPeersResponse list =
        client.peers().listPeers(ListPeersRequest.newBuilder().setPageSize(10).build());
    boolean listed =
        list.getPeersList().stream().anyMatch(each -> each.getAddress().equals(peer));
    Lines.print("connect", Map.of("already_connected", List.of(first, again), "listed", listed));
  }

  /** Mines blocks and returns their numbers. */
  private List<Long> generate(int count) {
    GenerateBlocksRequest request = GenerateBlocksRequest.newBuilder().setCount(count).build();
    Iterator<GenerateBlocksResponse> stream = client.minerStream().generateBlocks(request);
    List<Long> numbers = new ArrayList<>();
    stream.forEachRemaining(answer -> numbers.add(answer.getBlock().getNumber()));
    return numbers;
  }

  /** Pays, and again with the same request id; returns the id of the transaction. */
  private String transferTwice() {
    TransferRequest request =
        TransferRequest.newBuilder()
            .setRecipient(RECIPIENT)
            .setAmount(250)
            .setRequestId("scenario-1")
            .build();
    TransferResponse first = client.wallet().transfer(request);
    TransferResponse again = client.wallet().transfer(request);
    String id = first.getTransaction().getId();
    boolean same = again.getTransaction().getId().equals(id);
    Lines.print("transfer", Map.of("state", first.getState().name(), "same", same));
    return id;
  }

  private void mined(String id) {
    generate(1);
    GetTransactionResponse included =
        client.chain().getTransaction(GetTransactionRequest.newBuilder().setId(id).build());
    GetAccountResponse paid =
        client.chain().getAccount(GetAccountRequest.newBuilder().setAddress(RECIPIENT).build());
    Lines.print(
        "mined",
        Map.of(
            "block", included.getBlock().getNumber(),
            "confirmations", included.getConfirmations(),
            "balance", paid.getAccount().getBalance()));
  }

  private void watchAndResume() {
    List<Event> events = watchTips(null, 3, 2);
    Lines.print("watch", Map.of("tips", numbersOf(events)));
    generate(1);
    Event last = events.get(events.size() - 1);
    EventPosition position =
        EventPosition.newBuilder().setEpoch(last.getEpoch()).setSequence(last.getSequence()).build();
    List<Event> after = watchTips(position, 1, 3);
    events.addAll(after);
    Lines.print("resume", Map.of("tips", numbersOf(after), "ascending", ascending(events)));
  }

  /**
   * Watches from a position on (null: from now), mines blocks once the watch has started, and breaks off when it has
   * seen as many tips as wanted.
   */
  private List<Event> watchTips(EventPosition from, int mine, int want) {
    WatchEventsRequest.Builder request =
        WatchEventsRequest.newBuilder().addTypes(EventType.EVENT_TYPE_TIP_CHANGED);
    if (from != null) {
      request.setResumeAfter(from);
    }
    Context.CancellableContext context = Context.current().withCancellation();
    Context outer = context.attach();
    Iterator<WatchEventsResponse> stream;
    try {
      stream = client.eventStream().watchEvents(request.build());
    } finally {
      context.detach(outer);
    }
    try {
      return readTips(stream, mine, want);
    } finally {
      context.cancel(null);
    }
  }

  private List<Event> readTips(Iterator<WatchEventsResponse> stream, int mine, int want) {
    List<Event> tips = new ArrayList<>();
    while (tips.size() < want) {
      Event event = stream.next().getEvent();
      if (event.getType() == EventType.EVENT_TYPE_WATCH_STARTED) {
        generate(mine);
      } else {
        tips.add(event);
      }
    }
    return tips;
  }

  private static List<Long> numbersOf(List<Event> tips) {
    return tips.stream().map(each -> each.getTipChanged().getTip().getNumber()).toList();
  }

  private static boolean ascending(List<Event> events) {
    for (int index = 1; index < events.size(); index++) {
      Event before = events.get(index - 1);
      Event each = events.get(index);
      if (!each.getEpoch().equals(before.getEpoch()) || each.getSequence() <= before.getSequence()) {
        return false;
      }
    }
    return true;
  }

  private void beRefused() throws InvalidProtocolBufferException {
    GetBlockRequest unknown = GetBlockRequest.newBuilder().setHash("0".repeat(64)).build();
    Lines.printRefusal("unknown-block", () -> client.chain().getBlock(unknown));
    TransferRequest tooMuch =
        TransferRequest.newBuilder().setRecipient(RECIPIENT).setAmount(1_000_000).build();
    Lines.printRefusal("too-much", () -> client.wallet().transfer(tooMuch));
    ConnectPeerRequest badField = ConnectPeerRequest.newBuilder().setAddress("nowhere").build();
    Lines.printRefusal("bad-field", () -> client.peers().connectPeer(badField));
  }
}

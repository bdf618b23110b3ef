package troupe.client;

import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** What the steps print. */
final class Lines {
  private static final Gson GSON = new Gson();

  private Lines() {}

  static void print(String step, Map<String, Object> figures) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("step", step);
    line.putAll(figures);
    System.out.println(GSON.toJson(line));
  }

  /** Prints what a call fails with. Throws if the call does not fail, or fails without a reason. */
  static void printRefusal(String step, Supplier<?> call) throws InvalidProtocolBufferException {
    StatusRuntimeException failure = failureOf(step, call);
    Status status = StatusProto.fromThrowable(failure);
    ErrorInfo info = null;
    List<String> fields = new ArrayList<>();
    for (Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        info = detail.unpack(ErrorInfo.class);
      } else if (detail.is(BadRequest.class)) {
        for (BadRequest.FieldViolation violation :
            detail.unpack(BadRequest.class).getFieldViolationsList()) {
          fields.add(violation.getField());
        }
      }
    }
    if (info == null) {
      throw failure;
    }
    print(
        step,
        Map.of(
            "code", failure.getStatus().getCode().name(),
            "domain", info.getDomain(),
            "reason", info.getReason(),
            "metadata", info.getMetadataMap(),
            "fields", fields));
  }

  private static StatusRuntimeException failureOf(String step, Supplier<?> call) {
    try {
      call.get();
    } catch (StatusRuntimeException failure) {
      return failure;
    }
    throw new IllegalStateException(step + ": the call was not refused");
  }
}

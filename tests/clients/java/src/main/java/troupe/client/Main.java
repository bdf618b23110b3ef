package troupe.client;

import java.nio.file.Path;

/** Directs a troupe node over its admin plane: the scenario of tests/clients/README.md, in Java. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws InterruptedException {
    if (arguments.length != 3) {
      System.err.println("usage: troupe-client ADMIN TOKEN_FILE PEER");
      System.exit(2);
    }
    try {
      Scenario.direct(arguments[0], Path.of(arguments[1]), arguments[2]);
    } catch (Exception error) {
      System.err.println("Error: " + error);
      System.exit(1);
    }
  }
}

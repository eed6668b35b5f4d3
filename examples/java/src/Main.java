import io.grpc.StatusRuntimeException;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * java Main ADDRESS CA CERTIFICATE KEY COMMAND
 *   publish FILE RECIPIENT…   publish the alert in a JSON file; prints its id
 *   list [FILTER]             print the alerts' names, newest first
 *   watch COUNT               print so many changes as they come
 */
public final class Main {
    private Main() {}

    public static void main(String[] words) throws Exception {
        if (words.length < 5) {
            System.err.println("ADDRESS CA CERTIFICATE KEY publish FILE RECIPIENT…|list [FILTER]|watch COUNT");
            System.exit(2);
        }
        try (var gateway = new Gateway(words[0], new File(words[1]), new File(words[2]), new File(words[3]), "")) {
            run(gateway, words[4], List.of(words).subList(5, words.length));
        } catch (StatusRuntimeException error) {
            System.err.println(error.getStatus().getCode() + ": " + error.getStatus().getDescription());
            System.exit(1);
        }
    }

    private static void run(Gateway gateway, String command, List<String> rest) throws Exception {
        switch (command) {
            case "publish" -> System.out.println(
                    gateway.publish(Files.readString(Path.of(rest.get(0))), rest.subList(1, rest.size())));
            case "list" -> gateway.list(rest.isEmpty() ? "" : rest.get(0), each ->
                    System.out.println(each.getAlert().getPublisher() + "/" + each.getAlert().getId()));
            case "watch" -> {
                int[] left = {Integer.parseInt(rest.get(0))};
                gateway.watch(0, change -> {
                    var alert = change.getAlert();
                    System.out.println(change.getPosition() + " " + alert.getPublisher() + "/" + alert.getAlertId());
                    return --left[0] > 0;
                });
            }
            default -> throw new IllegalArgumentException("commands: publish, list, watch");
        }
    }
}

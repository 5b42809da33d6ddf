import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Does for the tests what needs Kafka's own classes, in one long-lived process: a Java tool costs a second per start.
 *
 * <p>It reads requests from standard input, a line each, and answers on standard output; fields are separated by tabs.
 * A request is {@code id command argument…}. Its answer is any number of {@code id row field…}, then
 * {@code id ok field…} or {@code id error message}. Requests run side by side. Bytes are in hex, null is "-".
 * It ends when its input ends.
 */
public final class Helper {
    private final OutputStream out;
    private final Administration administration = new Administration();
    private final Members members = new Members();

    private Helper(OutputStream out) {
        this.out = out;
    }

    public static void main(String[] arguments) throws IOException {
        PrintStream answers = System.out;
        // Whatever else speaks would break the protocol.
        System.setOut(System.err);
        new Helper(answers).serve();
        // Clients may still be trying to reach brokers that are gone.
        Runtime.getRuntime().halt(0);
    }

    private void serve() throws IOException {
        ExecutorService workers = Executors.newCachedThreadPool();
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            String[] fields = line.split("\t", -1);
            workers.execute(() -> answer(fields[0], fields[1], Arrays.copyOfRange(fields, 2, fields.length)));
        }
    }

    private void answer(String id, String command, String[] arguments) {
        Answer answer = new Answer(id, this::write);
        try {
            run(command, arguments, answer);
            answer.ok();
        } catch (ExecutionException e) {
            answer.error(e.getCause());
        } catch (Throwable e) {
            answer.error(e);
        }
    }

    private void run(String command, String[] arguments, Answer answer) throws Exception {
        switch (command) {
            case "consume" -> Reading.consume(arguments, answer);
            case "batches" -> Reading.batches(arguments, answer);
            case "partitions-for-keys" -> Reading.partitionsForKeys(arguments, answer);
            default -> {
                if (Members.knows(command)) {
                    members.run(command, arguments, answer);
                } else {
                    administration.run(command, arguments, answer);
                }
            }
        }
    }

    private synchronized void write(byte[] lines) throws IOException {
        out.write(lines);
        out.flush();
    }
}

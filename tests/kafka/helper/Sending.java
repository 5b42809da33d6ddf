import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Java's producer as a client of script/chaos; tests/kafka_chaos/client.rs says what it is told and what it says. */
public final class Sending {
    private static final int VALUE_LENGTH = 100;

    private final PrintStream out;
    private final long started = System.nanoTime();
    private final AtomicBoolean over = new AtomicBoolean();
    private final Map<String, Object> config = new HashMap<>();
    private String topic;
    private int partitions;
    private long run;
    private long rate;
    private int transaction;
    private KafkaProducer<byte[], byte[]> producer;
    private StringBuilder pending = new StringBuilder();

    private Sending(PrintStream out, String[] arguments) {
        this.out = out;
        config.put("key.serializer", ByteArraySerializer.class);
        config.put("value.serializer", ByteArraySerializer.class);
        for (int i = 0; i < arguments.length; i += 2) {
            String value = arguments[i + 1];
            switch (arguments[i]) {
                case "--bootstrap" -> config.put("bootstrap.servers", value);
                case "--topic" -> topic = value;
                case "--partitions" -> partitions = Integer.parseInt(value);
                case "--run" -> run = Long.parseUnsignedLong(value, 16);
                case "--rate" -> rate = Long.parseLong(value);
                case "--transaction" -> transaction = Integer.parseInt(value);
                case "--set" -> config.put(value.split("=", 2)[0], value.split("=", 2)[1]);
                default -> throw new IllegalArgumentException(Arrays.toString(arguments));
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = System.out;
        // What the library logs is not for the harness.
        System.setOut(System.err);
        new Sending(out, arguments).work();
        System.exit(0);
    }

    private void work() throws Exception {
        Thread writer = new Thread(this::writeAll);
        writer.setDaemon(true);
        writer.start();
        Thread reader = new Thread(this::awaitEnd);
        reader.setDaemon(true);
        reader.start();
        try (KafkaProducer<byte[], byte[]> opened = new KafkaProducer<>(config)) {
            producer = opened;
            if (transaction > 0) {
                producer.initTransactions();
            }
            out.println("clock " + now());
            out.flush();
            long sent = transaction > 0 ? sendTransactions() : sendAll();
            producer.flush();
            say("sent " + sent);
        }
        write();
    }

    private long sendAll() {
        long n = 0;
        while (!over.get()) {
            send(n++);
            pace();
        }
        return n;
    }

    private long sendTransactions() {
        long n = 0;
        while (!over.get()) {
            long first = n;
            try {
                producer.beginTransaction();
                while (n < first + transaction && !over.get()) {
                    send(n++);
                    pace();
                }
                untilKnown(producer::commitTransaction);
                say("c " + first + " " + n);
            } catch (ProducerFencedException | InvalidProducerEpochException | AuthorizationException e) {
                say("x " + e.getClass().getSimpleName());
                return n;
            } catch (KafkaException e) {
                say("a " + first + " " + n + " " + e.getClass().getSimpleName());
                untilKnown(producer::abortTransaction);
            }
        }
        return n;
    }

    /** A call that runs out of time is to be made again. */
    private static void untilKnown(Runnable call) {
        while (true) {
            try {
                call.run();
                return;
            } catch (TimeoutException e) {
                continue;
            }
        }
    }

    private void send(long n) {
        int partition = (int) (n % partitions);
        long tag = (long) partition << 32 | n / partitions;
        byte[] value = new byte[VALUE_LENGTH];
        ByteBuffer.wrap(value).putLong(run).putLong(tag);
        long at = now();
        producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) ->
                report(tag, partition, metadata, error, at));
    }

    private void report(long tag, int partition, RecordMetadata metadata, Exception error, long at) {
        if (error == null) {
            say("d " + tag + " " + partition + " " + metadata.offset() + " " + metadata.timestamp() + " " + at + " "
                    + now());
        } else {
            say("f " + tag + " " + partition + " 1 " + at + " " + now() + " " + error.getClass().getSimpleName());
        }
    }

    private long next = System.nanoTime();

    /** Holds the rate; what was missed while a call blocked is not made up for. */
    private void pace() {
        next = Math.max(next + 1_000_000_000L / rate, System.nanoTime() - 10_000_000);
        while (System.nanoTime() < next) {
            LockSupport.parkNanos(next - System.nanoTime());
        }
    }

    private long now() {
        return (System.nanoTime() - started) / 1000;
    }

    private synchronized void say(String line) {
        pending.append(line).append('\n');
    }

    private void write() {
        String lines;
        synchronized (this) {
            lines = pending.toString();
            pending = new StringBuilder();
        }
        byte[] bytes = lines.getBytes(StandardCharsets.UTF_8);
        out.write(bytes, 0, bytes.length);
        out.flush();
    }

    private void writeAll() {
        while (true) {
            write();
            LockSupport.parkNanos(10_000_000);
        }
    }

    private void awaitEnd() {
        try {
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
        } catch (IOException e) {
            System.err.println(e);
        }
        over.set(true);
    }
}

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** The answer to one request: rows, then its end; see {@link Helper}. */
final class Answer {
    /** Where lines go; whole lines only. */
    interface Sink {
        void write(byte[] lines) throws IOException;
    }

    private static final int FLUSH_AT = 1 << 16;

    private final String id;
    private final Sink sink;
    private final StringBuilder pending = new StringBuilder();
    private Object[] last = {};

    Answer(String id, Sink sink) {
        this.id = id;
        this.sink = sink;
    }

    void row(Object... fields) {
        line("row", fields);
        if (pending.length() > FLUSH_AT) {
            flush();
        }
    }

    /** What the final line carries if nothing goes wrong. */
    void result(Object... fields) {
        last = fields;
    }

    void ok() {
        line("ok", last);
        flush();
    }

    void error(Throwable error) {
        line("error", error.getClass().getSimpleName() + ": " + error.getMessage());
        flush();
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "-" : HexFormat.of().formatHex(bytes);
    }

    private void line(String kind, Object... fields) {
        pending.append(id).append('\t').append(kind);
        for (Object field : fields) {
            String text = String.valueOf(field);
            pending.append('\t');
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                pending.append(c < ' ' ? ' ' : c);
            }
        }
        pending.append('\n');
    }

    private void flush() {
        try {
            sink.write(pending.toString().getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        pending.setLength(0);
    }
}

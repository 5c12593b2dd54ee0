/*
 * What the small programs of the interop tests print: one JSON object per line on standard output, of
 * which the first field, `event`, says what the line is about.
 */

import java.security.MessageDigest;

final class Lines {

    private Lines() {
    }

    /** Prints a line; fields are names and values in turns. */
    static void print(String event, Object... fields) {
        StringBuilder line = new StringBuilder("{\"event\":").append(quoted(event));
        for (int i = 0; i < fields.length; i += 2) {
            line.append(',').append(quoted((String) fields[i])).append(':');
            Object value = fields[i + 1];
            line.append(value instanceof Number || value == null ? value : quoted(value.toString()));
        }
        synchronized (System.out) {
            System.out.println(line.append('}'));
            System.out.flush();
        }
    }

    /** A client has no body at all for a message whose body is empty. */
    static String sha256(byte[] body) {
        byte[] bytes = body == null ? new byte[0] : body;
        try {
            StringBuilder hex = new StringBuilder();
            for (byte each : MessageDigest.getInstance("SHA-256").digest(bytes)) {
                hex.append(String.format("%02x", each));
            }
            return hex.toString();
        } catch (java.security.NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible);
        }
    }

    private static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char each : text.toCharArray()) {
            if (each == '"' || each == '\\') {
                json.append('\\').append(each);
            } else if (each < 0x20) {
                json.append(String.format("\\u%04x", (int) each));
            } else {
                json.append(each);
            }
        }
        return json.append('"').toString();
    }
}

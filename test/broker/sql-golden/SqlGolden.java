import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.rocketmq.broker.filter.MessageEvaluationContext;
import org.apache.rocketmq.filter.expression.BooleanExpression;
import org.apache.rocketmq.filter.expression.ComparisonExpression;
import org.apache.rocketmq.filter.parser.SelectorParser;

/**
 * Writes cases.json: what Apache's filter says of some thousand expressions and some messages.
 *
 *   LIB=<folder with the jars of rocketmq-broker 5.3.3 and what it needs>
 *   java -cp "$LIB/*" SqlGolden.java > cases.json
 *
 * Each case is [expression, verdict]. A verdict is "error" (Apache does not compile it), "rest" (it
 * does, but ignores what stands behind the end of the expression), or hexadecimal digits of which each
 * bit, the highest first, stands for a message: 1 wanted, 0 not.
 */
public class SqlGolden {
    static final int CASES = 4000;
    static final Random random = new Random(92);

    static final String[] NAMES = {"a", "b", "c", "$x", "_y1", "Zz", "missing"};
    static final String[] VALUES = {
        "3", "3", "4", "0", "-0", "007", "-5", "+7", "3.0", "3.5", "-5.5", ".5", "5.", "1e3", "1E-2", "abc",
        "abc", "ab", "true", "TRUE", "false", "truex", "NaN", "-NaN", "Infinity", "-Infinity", "0x10",
        "0x1.8p1", "0X.8P-2", "0xFp", "1.5f", "2d", "2D ", " 4 ", "\t3", "3L", "\u0663", "\uff13", "-\uff15",
        "\ud835\udfd1", "2147483647", "2147483648", "-2147483648", "-2147483649", "9007199254740993",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e400", "-1e400", "1e-400",
        "-0.0", "0.0", "1_000", "1e", "e3", ".", "-", "+", "--3", "1.2.3", "it's", "\u4f60\u597d",
        "\ud83d\ude00", "x\u0000y", "a b", "'", "%", "A", "null", "0.1", "0.10000000000000000555",
        "4.35", "1.7976931348623157e308", "4.9e-324", "2.4e-324", "00000000000000000000000000000000003",
        "12345678901234567890123", "-00000000000000000000000000000000000000000001"};
    static final String[] INTEGERS = {
        "0", "1", "3", "4", "5", "7", "10", "100", "3L", "4l", "2147483647", "2147483648", "4294967296",
        "9007199254740993", "9007199254740992", "9223372036854775807", "9223372036854775808",
        "99999999999999999999"};
    static final String[] DECIMALS = {
        "3.0", "3.5", "5.", ".5", "1e3", "1E-2", "5.5e0", "00.5", "0.0", "1e400", "1e-400", "0.1", "4.35",
        "9007199254740993.0", "1.5E+2", "4.9e-324", "9223372036854775807.0", "012e1"};
    static final String[] TEXTS = {
        "'3'", "'abc'", "'ab'", "'b'", "'true'", "'it''s'", "''''", "''", "' '", "'\u4f60\u597d'", "'A'",
        "'\ud83d\ude00'", "'a b'", "'3.0'", "'null'", "'%'", "'-5'", "'x\u0000y'", "'--'", "'/*'", "'NaN'"};

    static String pick(String[] from) {
        return from[random.nextInt(from.length)];
    }

    static String cased(String word) {
        switch (random.nextInt(4)) {
            case 0:
                return word.toLowerCase();
            case 1:
                return word.charAt(0) + word.substring(1).toLowerCase();
            default:
                return word;
        }
    }

    static String gap() {
        int n = random.nextInt(60);
        return n == 0 ? " /* x ' ** */ " : n == 1 ? " -- y ' \n" : n == 2 ? "\t" : n == 3 ? "\r\n" : " ";
    }

    static String value(int depth) {
        int n = random.nextInt(24);
        if (n < 10) return pick(NAMES);
        if (n < 14) return pick(INTEGERS);
        if (n < 16) return pick(DECIMALS);
        if (n < 19) return pick(TEXTS);
        if (n < 20) return cased(random.nextInt(3) == 0 ? "NULL" : random.nextBoolean() ? "TRUE" : "FALSE");
        if (n < 22) return "-" + (random.nextInt(4) == 0 ? " " : "") + (depth > 0 ? value(depth - 1) : pick(INTEGERS));
        if (n < 23) return "+" + (depth > 0 ? value(depth - 1) : pick(INTEGERS));
        return depth > 0 ? "(" + condition(depth - 1) + ")" : pick(NAMES);
    }

    static String text() {
        return random.nextInt(40) == 0 ? value(0) : pick(TEXTS);
    }

    static String list() {
        StringBuilder list = new StringBuilder("(" + text());
        for (int n = random.nextInt(7); n > 0; n--) list.append(random.nextBoolean() ? "," : " , ").append(text());
        return list + ")";
    }

    static String not() {
        return random.nextInt(3) == 0 ? cased("NOT") + gap() : "";
    }

    static String condition(int depth) {
        int n = random.nextInt(30);
        if (depth > 0 && n < 5) return condition(depth - 1) + gap() + cased("AND") + gap() + condition(depth - 1);
        if (depth > 0 && n < 10) return condition(depth - 1) + gap() + cased("OR") + gap() + condition(depth - 1);
        if (depth > 0 && n < 12) return cased("NOT") + gap() + condition(depth - 1);
        if (depth > 0 && n < 14) return "(" + condition(depth - 1) + ")";
        if (n < 17) return value(depth) + gap() + (random.nextBoolean() ? "=" : "<>") + gap() + value(depth);
        if (n < 22) return value(depth) + gap() + pick(new String[] {">", ">=", "<", "<="}) + gap() + value(depth);
        if (n < 24) return value(depth) + gap() + cased("IS") + gap() + not() + cased("NULL");
        if (n < 26) {
            return value(depth) + gap() + not() + cased("BETWEEN") + gap() + value(0) + gap() + cased("AND") + gap() + value(0);
        }
        if (n < 27) return value(depth) + gap() + not() + cased("IN") + gap() + list();
        if (n < 29) {
            return value(depth) + gap() + not() + cased(pick(new String[] {"CONTAINS", "STARTSWITH", "ENDSWITH"})) + gap() + text();
        }
        return random.nextInt(3) == 0 ? value(depth) : pick(NAMES);
    }

    /** Takes a piece out, or doubles it: most of these are errors. */
    static String mutated(String expression) {
        int from = random.nextInt(expression.length());
        int to = Math.min(expression.length(), from + 1 + random.nextInt(4));
        String piece = expression.substring(from, to);
        return expression.substring(0, from) + (random.nextBoolean() ? "" : piece + piece) + expression.substring(to);
    }

    static final String[] CHOSEN = {
        "", " ", "a", "NOT a", "a = 3 -- the last line", "a = 3 --", "a = 3 -- it's\n", "--x\na = 3", "a = 3 /* x", "a = 3 /**/", "a = 3 /***/ AND b = 4",
        "a = 3 /", "a = 3;", "a = 3)", "(a = 3", "a = 3 b = 4", "a = 3 AND", "a == 3", "a != 3", "a < > 3", "a <> 3",
        "a=3", "a>3AND b<4", "a = 007", "a = 0L", "a = 3x", "a = 1..2", "a = 5E", "a = 5.E1", "a = .", "a = 'x", "a = 'x'' AND b = 3",
        "a = \"3\"", "\u0131n = 3", "a \u017fTARTSWITH 'a'", "\u212a = 3", "\u00e9 = 3", "a\u00e9 = 3", "a\u00a0= 3", "a = 3 && b = 4", "a.b = 3", "a:b = 3", "a-b = 3", "a - b = 3", "1 + 2 = 3",
        "notx = 3", "Not = 3", "in IN ('x')", "null IS NULL", "a IS", "a IS NOT", "a IS NOT 3", "a IS 3", "a NOT 3", "a NOT NULL", "a NOT LIKE 'x'", "a LIKE 'x'",
        "a IN ()", "a IN ('x',)", "a IN (3)", "a IN 'x'", "3 IN ('3')", "(a) IN ('3', 'abc')", "-a IN ('3')", "a IN ('3') IN ('4')",
        "a BETWEEN 3 AND 5", "a BETWEEN 5 AND 3", "a NOT BETWEEN 5 AND 3", "a BETWEEN 3 AND 3", "a BETWEEN -3 AND 3", "a BETWEEN 5 AND -3", "a BETWEEN 'a' AND 'b'", "a BETWEEN NULL AND 3",
        "a BETWEEN b AND c", "3 BETWEEN a AND b", "3.5 BETWEEN 3 AND 4", "a BETWEEN 3 AND 5 AND b = 3", "a BETWEEN 9007199254740993 AND 9007199254740992.0",
        "a = b = c", "a = 3 = TRUE", "(a = 3) = (b = 3)", "(a = 3) = b", "b = (a = 3)", "TRUE = a", "a = TRUE", "a <> TRUE", "TRUE = TRUE", "TRUE = 3", "3 = TRUE", "'true' = TRUE", "TRUE = 'true'", "NULL = a", "a = NULL", "a <> NULL",
        "TRUE", "FALSE", "NULL", "NOT NULL", "NOT TRUE", "3", "'x'", "-a", "NOT 3", "TRUE IS NULL", "NULL IS NULL", "NULL IS NOT NULL", "3 IS NULL", "'x' IS NOT NULL", "-a IS NULL", "-'x' IS NULL",
        "a > 'x'", "'x' < a", "a > TRUE", "a > (b = 3)", "3 > 2", "3 > 2 > 1", "1 = 1.0", "3 = '3'", "'3' = 3", "3 = 'x'", "'x' = 3", "3 = 'x' OR TRUE", "TRUE OR 3 = 'x'", "FALSE AND 3 = 'x'",
        "a = 'x' OR b = 3", "b = 3 OR a = 'x'", "a CONTAINS ''", "a NOT CONTAINS ''", "a STARTSWITH ''", "3 CONTAINS '3'", "'abc' CONTAINS 'b'", "TRUE NOT CONTAINS 'x'", "a CONTAINS 'b' CONTAINS 'c'", "a CONTAINS 3",
        "a > b", "a >= b", "a < b", "a <= b", "a <> b", "a = b", "missing = missing", "missing <> missing", "3 <> missing", "missing <> 3", "missing > a", "a > missing",
        "- - 3 = a", "--3 = a", "- -a = 3", "+-+3 = a", "+'x' = a", "-9223372036854775808 = a", "-9223372036854775807 = a", "a = -2147483648", "a > -0", "-a > 3 OR TRUE",
        "a = 3 AND b = 3 OR c = 3", "a = 3 OR b = 3 AND c = 3", "NOT a = 3 AND b = 3", "NOT (a = 3 AND b = 3)", "NOT a IS NULL", "a AND b", "a OR TRUE", "a OR b IS NULL", "TAGS = 'A'"};

    static List<Map<String, String>> messages() {
        List<Map<String, String>> messages = new ArrayList<>();
        messages.add(new HashMap<>());
        for (int n = 0; n < 39; n++) {
            Map<String, String> message = new HashMap<>();
            for (String name : NAMES) {
                boolean has = !name.equals("missing") && random.nextInt(5) > 0;
                if (has) message.put(name, n < 13 ? VALUES[random.nextInt(8)] : pick(VALUES));
            }
            messages.add(message);
        }
        for (String value : VALUES) messages.add(Map.of("a", value, "b", "3"));
        return messages;
    }

    static class Parser extends SelectorParser {
        Parser(String expression) {
            super(expression);
        }

        BooleanExpression whole() throws Exception {
            return parse();
        }
    }

    static String verdict(String expression, List<Map<String, String>> messages) {
        ComparisonExpression.CONVERT_STRING_EXPRESSIONS.set(true);
        Parser parser = new Parser(expression);
        BooleanExpression compiled;
        try {
            compiled = parser.whole();
        } catch (Throwable refused) {
            return "error";
        }
        try {
            if (parser.getNextToken().kind != 0) return "rest";
        } catch (Throwable refused) {
            return "rest";
        }
        StringBuilder wanted = new StringBuilder();
        for (int i = 0; i < messages.size(); i += 4) {
            int digit = 0;
            for (int j = i; j < i + 4; j++) {
                digit = digit * 2 + (j < messages.size() && isWanted(compiled, messages.get(j)) ? 1 : 0);
            }
            wanted.append(Integer.toHexString(digit));
        }
        return wanted.toString();
    }

    /** As the class ExpressionMessageFilter of the broker does it. */
    static boolean isWanted(BooleanExpression compiled, Map<String, String> message) {
        try {
            Object result = compiled.evaluate(new MessageEvaluationContext(message));
            return result instanceof Boolean && (Boolean) result;
        } catch (Throwable failed) {
            return false;
        }
    }

    static String json(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') json.append('\\').append(c);
            else if (c < 32 || c > 126) json.append(String.format("\\u%04x", (int) c));
            else json.append(c);
        }
        return json.append('"').toString();
    }

    public static void main(String[] arguments) {
        List<Map<String, String>> messages = messages();
        Set<String> expressions = new LinkedHashSet<>(List.of(CHOSEN));
        for (String value : INTEGERS) for (String sign : new String[] {"=", "<", ">="}) expressions.add("a " + sign + " " + value);
        for (String value : DECIMALS) for (String sign : new String[] {"=", "<", ">="}) expressions.add(value + " " + sign + " a");
        while (expressions.size() < CASES) {
            String expression = condition(3);
            int n = random.nextInt(10);
            if (n == 0) expression = mutated(expression);
            else if (n == 1) expression = "NOT (" + expression + ")";
            else if (n == 2) expression = "(" + expression + ") IS NULL";
            else if (n == 3) expression = "(" + expression + ") OR TRUE";
            boolean isError = verdict(expression, messages).equals("error");
            if (expression.length() < 200 && (!isError || random.nextInt(4) == 0)) expressions.add(expression);
        }
        PrintStream out = new PrintStream(System.out, false, java.nio.charset.StandardCharsets.US_ASCII);
        out.print("{\n  \"messages\": [\n");
        for (int i = 0; i < messages.size(); i++) {
            StringBuilder line = new StringBuilder();
            new java.util.TreeMap<>(messages.get(i)).forEach((name, value) ->
                line.append(line.length() == 0 ? "" : ", ").append(json(name)).append(": ").append(json(value)));
            out.print("    {" + line + "}" + (i + 1 < messages.size() ? ",\n" : "\n"));
        }
        out.print("  ],\n  \"cases\": [\n");
        int left = expressions.size();
        for (String expression : expressions) {
            out.print("    [" + json(expression) + ", \"" + verdict(expression, messages) + "\"]" + (--left > 0 ? ",\n" : "\n"));
        }
        out.print("  ]\n}\n");
        out.flush();
    }
}

/*
 * Apache's mqadmin kept running, because starting it anew for each command takes seconds. Each line
 * of standard input is one command line, its arguments separated by tabs. What the command printed
 * follows on standard output, then one line: the character U+0001 and "end". What it wrote to standard
 * error (mqadmin reports failures there and nowhere else) comes on standard error, ended likewise.
 */

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.rocketmq.tools.command.MQAdminStartup;

public final class AdminShell {

    private static final String END = "\u0001end";

    public static void main(String[] args) throws Exception {
        System.out.println(END);
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            forgetUsedCommands();
            MQAdminStartup.main0(line.split("\t"), null);
            System.out.println("\n" + END);
            System.err.println("\n" + END);
        }
        System.exit(0);
    }

    /** Some commands keep their client after they have shut it down. */
    private static void forgetUsedCommands() throws ReflectiveOperationException {
        Field commands = MQAdminStartup.class.getDeclaredField("SUB_COMMANDS");
        commands.setAccessible(true);
        ((List<?>) commands.get(null)).clear();
    }
}

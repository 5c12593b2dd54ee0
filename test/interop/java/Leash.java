/*
 * Runs another main class until standard input ends, then stops the whole process. A server started
 * this way cannot outlive the test run that holds the other end of the pipe, however that run ends.
 *
 *   Leash MAIN_CLASS [ARGUMENT…]     a line "stop" asks for an orderly shutdown
 */

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;

public final class Leash {

    public static void main(String[] args) throws Exception {
        Thread holder = new Thread(Leash::waitForTheEnd, "leash");
        holder.setDaemon(true);
        holder.start();
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        Class.forName(args[0]).getMethod("main", String[].class).invoke(null, (Object) rest);
    }

    private static void waitForTheEnd() {
        try (BufferedReader input = new BufferedReader(new InputStreamReader(System.in))) {
            for (String line = input.readLine(); line != null; line = input.readLine()) {
                if (line.equals("stop")) {
                    System.exit(0);
                }
            }
        } catch (java.io.IOException closed) {
            System.err.println("leash: standard input failed: " + closed);
        }
        Runtime.getRuntime().halt(0);
    }
}

/*
 * How long the small programs of the interop tests wait for an answer: machines may be busy with other
 * things. The client's own three seconds are not enough for a first answer of a JVM among others.
 */

final class Patience {

    static final int MS = 30_000;

    private Patience() {
    }
}

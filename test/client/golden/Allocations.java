import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.rocketmq.client.consumer.AllocateMessageQueueStrategy;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMachineRoomNearby;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragelyByCircle;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByConfig;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByMachineRoom;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueConsistentHash;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Lets Apache's classes share queues at random, and writes what came of it as JSON: the golden cases
 * of allocate.test.ts. Queues and members are given in no order, and sorted by Java.
 *
 * To make allocations.json anew, with the jars of rocketmq-client 5.3.3 in a folder:
 * java -cp 'folder/*' Allocations.java allocations.json
 */
public final class Allocations {
    private static final int CASES = 250;
    private static final String TOPIC = "orders";
    private static final Random CHANCE = new Random(20260000L);

    /** Names whose order is not the same in every language, and rooms in the forms people write. */
    private static final List<String> BROKERS = Arrays.asList(
        "broker-a", "broker-b", "broker-10", "broker-9", "Broker-a", "broker_a", "BROKER",
        "r1@broker-a", "r1@broker-b", "r2@broker-a", "r2@broker-c", "r3@x", "R1@y", "r1@a@b", "r2@a@",
        "@r1", "\u00e9t\u00e9", "\ud83d\ude00", "\uff21");

    private static final List<String> ROOMS = Arrays.asList("r1", "r2", "r3", "R1");

    public static void main(String[] fileName) throws IOException {
        StringBuilder out = new StringBuilder("{\n\"brokers\": ");
        texts(out, BROKERS);
        List<String> members = memberNames();
        out.append(",\n\"members\": ");
        texts(out, members);
        out.append(",\n\"cases\": [\n");
        for (int i = 0; i < CASES; i++) {
            out.append(i == 0 ? "" : ",\n");
            oneCase(out, members);
        }
        Files.write(Paths.get(fileName[0]), out.append("\n]\n}\n").toString().getBytes("US-ASCII"));
    }

    private static List<String> memberNames() {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            String ip = "10." + CHANCE.nextInt(3) + ".0." + CHANCE.nextInt(256);
            String instance = CHANCE.nextBoolean() ? "@DEFAULT" : "@" + CHANCE.nextInt(65536) + "#" + CHANCE.nextLong();
            names.add(ip + instance + (CHANCE.nextInt(4) == 0 ? "@STREAM" : ""));
        }
        names.addAll(Arrays.asList("a", "B", "b", "a-1", "a-", "\u00e9", "\ud83d\ude00", "\uff21", "[::1]@1"));
        return new ArrayList<>(new LinkedHashSet<>(names));
    }

    private static void oneCase(StringBuilder out, List<String> names) {
        List<MessageQueue> queues = someQueues();
        List<String> members = some(names, 1 + CHANCE.nextInt(CHANCE.nextInt(4) == 0 ? 40 : 6));
        Set<String> rooms = new HashSet<>(some(ROOMS, CHANCE.nextInt(ROOMS.size() + 1)));
        int places = 1 + CHANCE.nextInt(20);
        List<MessageQueue> configured = some(queues, CHANCE.nextInt(queues.size()) + 1);
        out.append("{\"queues\":").append(coded(queues)).append(",\"members\":[");
        for (int i = 0; i < members.size(); i++) {
            out.append(i == 0 ? "" : ",").append(names.indexOf(members.get(i)));
        }
        out.append("],\"rooms\":");
        texts(out, new ArrayList<>(rooms));
        out.append(",\"places\":").append(places);
        out.append(",\"configured\":").append(coded(configured));
        Collections.sort(queues);
        Collections.sort(members);
        out.append(",\n \"shares\":{");
        String separator = "";
        for (Map.Entry<String, AllocateMessageQueueStrategy> entry
            : strategies(rooms, places, configured).entrySet()) {
            out.append(separator).append('"').append(entry.getKey()).append("\":");
            shares(out, entry.getValue(), queues, members);
            separator = ",\n  ";
        }
        out.append("}}");
    }

    private static Map<String, AllocateMessageQueueStrategy> strategies(
        Set<String> rooms, int places, List<MessageQueue> configured) {
        Map<String, AllocateMessageQueueStrategy> all = new LinkedHashMap<>();
        all.put("averagely", new AllocateMessageQueueAveragely());
        all.put("byCircle", new AllocateMessageQueueAveragelyByCircle());
        AllocateMessageQueueByConfig byConfiguration = new AllocateMessageQueueByConfig();
        byConfiguration.setMessageQueueList(configured);
        all.put("byConfiguration", byConfiguration);
        AllocateMessageQueueByMachineRoom byRoom = new AllocateMessageQueueByMachineRoom();
        byRoom.setConsumeridcs(rooms);
        all.put("byMachineRoom", byRoom);
        all.put("nearbyAveragely", new AllocateMachineRoomNearby(new AllocateMessageQueueAveragely(), ROOM_OF));
        all.put("nearbyByCircle", new AllocateMachineRoomNearby(new AllocateMessageQueueAveragelyByCircle(), ROOM_OF));
        all.put("byConsistentHash", new AllocateMessageQueueConsistentHash());
        all.put("byConsistentHashOfPlaces", new AllocateMessageQueueConsistentHash(places));
        return all;
    }

    /** By lengths of names, so that a test can say the same: rooms 0 … 3. */
    private static final AllocateMachineRoomNearby.MachineRoomResolver ROOM_OF =
        new AllocateMachineRoomNearby.MachineRoomResolver() {
            @Override
            public String brokerDeployIn(MessageQueue queue) {
                return String.valueOf(queue.getBrokerName().length() % 4);
            }

            @Override
            public String consumerDeployIn(String clientId) {
                return String.valueOf(clientId.length() % 4);
            }
        };

    private static List<MessageQueue> someQueues() {
        List<MessageQueue> queues = new ArrayList<>();
        int each = 1 + CHANCE.nextInt(CHANCE.nextInt(6) == 0 ? 16 : 6);
        for (String broker : some(BROKERS, 1 + CHANCE.nextInt(5))) {
            for (int id = 0; id < each; id++) queues.add(new MessageQueue(TOPIC, broker, id));
        }
        Collections.shuffle(queues, CHANCE);
        return queues;
    }

    private static <T> List<T> some(List<T> all, int count) {
        List<T> shuffled = new ArrayList<>(all);
        Collections.shuffle(shuffled, CHANCE);
        return new ArrayList<>(shuffled.subList(0, Math.min(count, shuffled.size())));
    }

    /** What each member gets, in the order of the members: places of queues in the sorted list. */
    private static void shares(
        StringBuilder out, AllocateMessageQueueStrategy strategy, List<MessageQueue> queues, List<String> members) {
        out.append('[');
        for (int i = 0; i < members.size(); i++) {
            out.append(i == 0 ? "[" : ",[");
            String separator = "";
            for (MessageQueue queue : strategy.allocate("group", members.get(i), queues, members)) {
                out.append(separator).append(queues.indexOf(queue));
                separator = ",";
            }
            out.append(']');
            if (strategy instanceof AllocateMessageQueueByConfig) break;
        }
        out.append(']');
    }

    /** A queue as one number: index of its broker times 100, plus its own number. */
    private static String coded(List<MessageQueue> queues) {
        StringBuilder text = new StringBuilder("[");
        for (MessageQueue queue : queues) {
            text.append(text.length() == 1 ? "" : ",");
            text.append(BROKERS.indexOf(queue.getBrokerName()) * 100 + queue.getQueueId());
        }
        return text.append(']').toString();
    }

    /** In ASCII only: what is above is escaped. */
    private static void texts(StringBuilder out, List<String> texts) {
        String separator = "[";
        for (String text : texts) {
            out.append(separator).append('"');
            for (char unit : text.toCharArray()) {
                if (unit < 0x80) out.append(unit);
                else out.append(String.format("\\u%04x", (int) unit));
            }
            out.append('"');
            separator = ",";
        }
        out.append(texts.isEmpty() ? "[]" : "]");
    }

    private Allocations() {}
}

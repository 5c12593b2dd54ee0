/*
 * Many consumers of the unmodified Java client in one process, for the interop tests: starting a JVM
 * for each of them takes seconds. Compiled once against each client version under test. Each line of
 * standard input is a request, its parts separated by tabs:
 *
 *   ID open   NAME group=G topic=T [filter=TAGS | sql=EXPRESSION] [orderly=1] [broadcasting=1]
 *             [threads=N] [handle-ms=M] [fail=TAG,TIMES] [max-reconsume=N]
 *   ID lite   NAME group=G [topic=T] [filter=TAGS]       with a topic it subscribes to it
 *   ID assign NAME topic=T                               all queues of the topic
 *   ID seek   NAME queue=BROKER:ID offset=N
 *   ID poll   NAME [timeout-ms=M]                        answered after its messages
 *   ID commit NAME
 *   ID close  NAME
 *
 * Answers are lines of JSON, {"event":"answer","id":ID} or {"event":"refused","id":ID,"error":…}. Push
 * consumers print a line for each message when their listener returns; all print one each time the
 * queues that they own have changed. A listener fails messages with the tag TAG as long as they have
 * failed less than TIMES times, and asks for them after one second. The process stops when its
 * standard input ends.
 */

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

public final class Consumers {

    /** Instead of 30 s: a route that was missed once costs a test less time. */
    private static final int ROUTE_POLL_MS = 3_000;
    /** Instead of 30 s: the Java client skips a heartbeat while another is on its way. */
    private static final int HEARTBEAT_MS = 3_000;
    private static final int COMMIT_MS = 1_000;
    /** 1 s, the shortest delay there is. */
    private static final int SOON_LEVEL = 1;
    private static final int SUSPEND_MS = 100;
    private static final int WATCH_EVERY_MS = 50;

    private final String namesrv;
    private final Map<String, Member> members = new ConcurrentHashMap<>();
    private final ExecutorService requests = Executors.newCachedThreadPool();

    private Consumers(String namesrv) {
        this.namesrv = namesrv;
    }

    public static void main(String[] args) throws Exception {
        Consumers consumers = new Consumers(args[0]);
        Thread watch = new Thread(consumers::watchQueues);
        watch.setDaemon(true);
        watch.start();
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Lines.print("ready");
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] parts = line.split("\t");
            consumers.requests.submit(() -> consumers.answer(parts));
        }
        Runtime.getRuntime().halt(0);
    }

    private void answer(String[] parts) {
        Map<String, String> options = new HashMap<>();
        for (int i = 3; i < parts.length; i++) {
            int equals = parts[i].indexOf('=');
            options.put(parts[i].substring(0, equals), parts[i].substring(equals + 1));
        }
        try {
            perform(parts[1], parts[2], options);
            Lines.print("answer", "id", parts[0]);
        } catch (Throwable failure) {
            StringBuilder text = new StringBuilder();
            for (Throwable each = failure; each != null; each = each.getCause()) {
                text.append(each).append('\n');
            }
            Lines.print("refused", "id", parts[0], "error", text);
        }
    }

    private void perform(String command, String name, Map<String, String> options)
        throws Exception {
        switch (command) {
            case "open":
                members.put(name, new PushMember(name, options));
                break;
            case "lite":
                members.put(name, new LiteMember(name, options));
                break;
            case "assign":
                ((LiteMember) members.get(name)).assign(options.get("topic"));
                break;
            case "seek":
                ((LiteMember) members.get(name)).seek(options);
                break;
            case "poll":
                ((LiteMember) members.get(name)).poll(options);
                break;
            case "commit":
                ((LiteMember) members.get(name)).consumer.commitSync();
                break;
            case "close":
                members.remove(name).close();
                break;
            default:
                throw new IllegalArgumentException("unknown command " + command);
        }
    }

    /** Tells each time the set of queues that a member owns has changed. */
    private void watchQueues() {
        Map<String, Set<String>> known = new HashMap<>();
        while (true) {
            for (Map.Entry<String, Member> each : members.entrySet()) {
                Set<String> owned = each.getValue().queues();
                if (!owned.equals(known.put(each.getKey(), owned))) {
                    Lines.print("assigned", "member", each.getKey(), "queues", String.join(",", owned));
                }
            }
            try {
                Thread.sleep(WATCH_EVERY_MS);
            } catch (InterruptedException stop) {
                return;
            }
        }
    }

    private interface Member {
        Set<String> queues();

        void close();
    }

    private void prepare(ClientConfig client, String name, Map<String, String> options) {
        client.setNamesrvAddr(namesrv);
        client.setMqClientApiTimeout(Patience.MS);
        // Otherwise all consumers of a process share one client, and its queues.
        client.setInstanceName(options.getOrDefault("instance", name));
        client.setPollNameServerInterval(ROUTE_POLL_MS);
        client.setHeartbeatBrokerInterval(HEARTBEAT_MS);
        client.setPersistConsumerOffsetInterval(COMMIT_MS);
    }

    // ---- push

    private final class PushMember implements Member {
        private final String name;
        private final Map<String, String> options;
        private final DefaultMQPushConsumer consumer;

        PushMember(String name, Map<String, String> options) throws Exception {
            this.name = name;
            this.options = options;
            this.consumer = new DefaultMQPushConsumer(options.get("group"));
            prepare(consumer, name, options);
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            // Otherwise a shutdown may come between the end of a listener and the count of its message.
            consumer.setAwaitTerminationMillisWhenShutdown(5_000);
            consumer.setConsumeThreadMin(number("threads", 4));
            consumer.setConsumeThreadMax(number("threads", 4));
            consumer.setMaxReconsumeTimes(number("max-reconsume", -1));
            if (options.containsKey("broadcasting")) {
                // The package of the enum is another in each of the two versions.
                consumer.setMessageModel(Enum.valueOf(
                    consumer.getMessageModel().getDeclaringClass(), "BROADCASTING"));
            }
            String topic = options.get("topic");
            if (options.containsKey("sql")) {
                consumer.subscribe(topic, MessageSelector.bySql(options.get("sql")));
            } else {
                consumer.subscribe(topic, options.getOrDefault("filter", "*"));
            }
            listen();
            try {
                consumer.start();
            } catch (Exception failure) {
                consumer.shutdown();
                throw failure;
            }
        }

        private void listen() {
            if (options.containsKey("orderly")) {
                consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                    context.setSuspendCurrentQueueTimeMillis(SUSPEND_MS);
                    return handle(messages)
                        ? ConsumeOrderlyStatus.SUCCESS
                        : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                });
            } else {
                consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                    context.setDelayLevelWhenNextConsume(SOON_LEVEL);
                    return handle(messages)
                        ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS
                        : ConsumeConcurrentlyStatus.RECONSUME_LATER;
                });
            }
        }

        /** Whether the messages, by default one at a time, are to count as consumed. */
        private boolean handle(List<MessageExt> messages) {
            long beganAt = System.currentTimeMillis();
            sleep(number("handle-ms", 0));
            boolean isGood = true;
            for (MessageExt message : messages) {
                boolean fails = mustFail(message);
                isGood &= !fails;
                printMessage("message", name, message, beganAt, fails);
            }
            return isGood;
        }

        private boolean mustFail(MessageExt message) {
            String[] rule = options.getOrDefault("fail", ",0").split(",");
            return rule[0].equals(message.getTags())
                && message.getReconsumeTimes() < Integer.parseInt(rule[1]);
        }

        private int number(String option, int otherwise) {
            return Integer.parseInt(options.getOrDefault(option, String.valueOf(otherwise)));
        }

        @Override
        public Set<String> queues() {
            Set<String> owned = new TreeSet<>();
            consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable()
                .keySet().forEach(queue -> {
                    if (queue.getTopic().equals(options.get("topic"))) {
                        owned.add(nameOf(queue));
                    }
                });
            return owned;
        }

        @Override
        public void close() {
            consumer.shutdown();
        }
    }

    // ---- lite pull

    private final class LiteMember implements Member {
        private final String name;
        private final DefaultLitePullConsumer consumer;
        private final Map<String, MessageQueue> assigned = new ConcurrentHashMap<>();

        LiteMember(String name, Map<String, String> options) throws Exception {
            this.name = name;
            this.consumer = new DefaultLitePullConsumer(options.get("group"));
            prepare(consumer, name, options);
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.setAutoCommit(false);
            if (options.containsKey("topic")) {
                consumer.subscribe(options.get("topic"), options.getOrDefault("filter", "*"));
            }
            consumer.start();
        }

        void assign(String topic) throws Exception {
            Collection<MessageQueue> queues = consumer.fetchMessageQueues(topic);
            queues.forEach(queue -> assigned.put(nameOf(queue), queue));
            consumer.assign(new HashSet<>(queues));
        }

        void seek(Map<String, String> options) throws Exception {
            consumer.seek(assigned.get(options.get("queue")), Long.parseLong(options.get("offset")));
        }

        void poll(Map<String, String> options) {
            long timeoutMs = Long.parseLong(options.getOrDefault("timeout-ms", "1000"));
            for (MessageExt message : consumer.poll(timeoutMs)) {
                printMessage("message", name, message, System.currentTimeMillis(), false);
            }
        }

        @Override
        public Set<String> queues() {
            Set<String> owned = new TreeSet<>();
            try {
                consumer.assignment().forEach(queue -> owned.add(nameOf(queue)));
            } catch (Exception none) {
                return owned;
            }
            return owned;
        }

        @Override
        public void close() {
            consumer.shutdown();
        }
    }

    // ---- output

    private static String nameOf(MessageQueue queue) {
        return queue.getBrokerName() + ":" + queue.getQueueId();
    }

    private static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException stop) {
            Thread.currentThread().interrupt();
        }
    }

    private static void printMessage(String event, String member, MessageExt message, long beganAt,
        boolean hasFailed) {
        Lines.print(event, "member", member, "msgId", message.getMsgId(), "topic", message.getTopic(),
            "keys", message.getKeys(), "tags", message.getTags(),
            "index", message.getUserProperty("index"),
            "broker", message.getBrokerName(), "queueId", message.getQueueId(),
            "queueOffset", message.getQueueOffset(), "storeSize", message.getStoreSize(),
            "bornTimestamp", message.getBornTimestamp(), "storeTimestamp", message.getStoreTimestamp(),
            "reconsumeTimes", message.getReconsumeTimes(),
            "bodySize", message.getBody().length, "bodySha256", Lines.sha256(message.getBody()),
            "beganAt", beganAt, "endedAt", System.currentTimeMillis(),
            "outcome", hasFailed ? "failed" : "done",
            "realTopic", message.getProperty("RETRY_TOPIC"),
            "originId", message.getProperty("ORIGIN_MESSAGE_ID"));
    }
}

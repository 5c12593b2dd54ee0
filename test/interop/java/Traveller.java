/*
 * A client of Apache RocketMQ that stays while the broker behind one address is replaced, for the
 * interop tests of the store. It takes one command per line of standard input, its arguments
 * separated by tabs, and prints JSON objects, one per line, `event` saying what each is about; the
 * last line of each answer is {"event":"end"}, or {"event":"failed"} with what went wrong.
 *
 *   write FIRST_INDEX long|short       one message of each kind and many ordinary ones: "sent"
 *   load FIRST_INDEX TOPIC THREADS     sends until "rest"; ends at once, then prints "sent", or "lost"
 *                                      for a message of which it is not known whether it was stored
 *   rest                               ends the load
 *   read BROKER_ADDRESS TOPIC…         "queue" for each queue, "message" for each message in it
 *   tagged BROKER_ADDRESS TOPIC TAGS   the same for the messages with one of the tags, "TagA || TagB"
 *   times BROKER_ADDRESS TOPIC TIME…   for each queue and time: "time", the first and the last offset
 *   back FIRST COUNT BROKER soon|late  sends messages of "travel-plain" back, as a consumer that failed
 *                                      does: "soon" waits until the broker has stored them again
 *   commit GROUP TOPIC OFFSET…         commits an offset in each queue for a consumer group
 *   committed BROKER_ADDRESS GROUP TOPIC   "committed" for each queue
 *   keys TOPIC KEY…                    "found" for each message that has the key
 *   ids TOPIC ID…                      "found" for each id, of either kind
 */

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.client.impl.CommunicationMode;
import org.apache.rocketmq.client.impl.producer.DefaultMQProducerImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageBatch;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.admin.TopicOffset;
import org.apache.rocketmq.remoting.protocol.header.SendMessageRequestHeader;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

public final class Traveller {

    private static final int LOAD_TIMEOUT_MS = 2_000;
    private static final int ROUTE_POLL_MS = 1_000;
    private static final int PULL_COUNT = 32;
    private static final int QUEUES = 4;
    /** The level of two hours. */
    private static final int LONGEST_DELAY = 18;
    private static final String READER = "travel-reader";
    /** Its retry topic has a name longer than the 127 bytes that the older record format can hold. */
    private static final String LONG_GROUP =
        "travel-" + "long-".repeat(40) + "group";
    private static final String[] TAGS = {"TagA", "order-created", "Größe", null};

    private final DefaultMQProducer producer = new DefaultMQProducer("travel-producer");
    private final DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(READER);
    private final DefaultMQAdminExt admin = new DefaultMQAdminExt();
    private final Map<String, DefaultMQPullConsumer> members = new TreeMap<>();
    private final String broker;
    private final AtomicInteger nextOfLoad = new AtomicInteger();
    private List<Thread> load = new ArrayList<>();
    private volatile boolean isLoading;

    /** Arguments: the address of the name server and the name of the broker. */
    public static void main(String[] args) throws Exception {
        new Traveller(args[0], args[1]).serve();
    }

    private Traveller(String namesrv, String broker) throws Exception {
        this.broker = broker;
        producer.setNamesrvAddr(namesrv);
        producer.setMqClientApiTimeout(Patience.MS);
        producer.setPollNameServerInterval(ROUTE_POLL_MS);
        producer.setSendMsgTimeout(Patience.MS);
        producer.setRetryTimesWhenSendFailed(0);
        producer.setDefaultTopicQueueNums(QUEUES);
        producer.start();
        consumer.setNamesrvAddr(namesrv);
        consumer.setMqClientApiTimeout(Patience.MS);
        consumer.setPollNameServerInterval(ROUTE_POLL_MS);
        consumer.start();
        admin.setNamesrvAddr(namesrv);
        admin.setMqClientApiTimeout(Patience.MS);
        admin.setInstanceName("travel-admin");
        admin.start();
    }

    private void serve() throws Exception {
        Lines.print("end");
        BufferedReader input =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                obey(line.split("\t"));
                Lines.print("end");
            } catch (Throwable failure) {
                failure.printStackTrace();
                Lines.print("failed", "error", failure.toString());
            }
        }
        System.exit(0);
    }

    private void obey(String[] words) throws Exception {
        switch (words[0]) {
            case "write":
                write(Integer.parseInt(words[1]), words[2].equals("long"));
                return;
            case "back":
                sendBack(Integer.parseInt(words[1]), Integer.parseInt(words[2]), words[3],
                    words[4].equals("late"));
                return;
            case "load":
                startLoad(Integer.parseInt(words[1]), words[2], Integer.parseInt(words[3]));
                return;
            case "rest":
                endLoad();
                return;
            case "read":
                for (String topic : Arrays.copyOfRange(words, 2, words.length)) {
                    read(words[1], topic, "*");
                }
                return;
            case "tagged":
                read(words[1], words[2], words[3]);
                return;
            case "times":
                times(words[1], words[2], Arrays.copyOfRange(words, 3, words.length));
                return;
            case "commit":
                commit(words[1], words[2], Arrays.copyOfRange(words, 3, words.length));
                return;
            case "committed":
                committed(words[1], words[2], words[3]);
                return;
            case "keys":
                for (String key : Arrays.copyOfRange(words, 2, words.length)) {
                    keys(words[1], key);
                }
                return;
            case "ids":
                for (String id : Arrays.copyOfRange(words, 2, words.length)) {
                    printMessage("found", "asked", id, admin.viewMessage(words[1], id));
                }
                return;
            default:
                throw new IllegalArgumentException("unknown command " + words[0]);
        }
    }

    // ---- writing

    /** Apache's broker takes a message with a long topic name from itself only. */
    private void write(int first, boolean withLongTopic) throws Exception {
        int index = first;
        for (int i = 0; i < 240; i++, index++) {
            Message message = message("travel-plain", index, text(index, 40 + i % 300));
            message.setWaitStoreMsgOK(i % 5 != 0);
            message.setFlag(i);
            send(index, message);
        }
        for (int i = 0; i < 60; i++, index++) {
            send(index, message("travel-" + i % 6, index, noise(index, 30_000)));
        }
        send(index, message("travel-load", index, noise(index, 100)));
        index++;
        CompressionType[] types = CompressionType.values();
        for (int i = 0; i < 24; i++, index++) {
            producer.setCompressType(types[i % types.length]);
            send(index, message("travel-compressed", index, text(index, 5_000 + i * 1_000)));
        }
        for (int batch = 0; batch < 12; batch++, index += 8) {
            sendBatch(index, 8);
        }
        sendRaw(index, message("travel-plain", index, new byte[0]), true);
        index++;
        for (int i = 0; withLongTopic && i < 6; i++, index++) {
            sendRaw(index, message("%RETRY%" + LONG_GROUP, index, text(index, 90)), false);
        }
    }

    private static Message message(String topic, int index, byte[] body) {
        Message message = new Message(topic, body);
        String tag = TAGS[index % TAGS.length];
        if (tag != null) {
            message.setTags(tag);
        }
        message.setKeys(Arrays.asList("key" + index, "schlüssel" + index, "tens" + index / 10));
        message.putUserProperty("index", String.valueOf(index));
        message.putUserProperty("Straße", "東京 \uD83D\uDE80 №" + index);
        return message;
    }

    private void send(int index, Message message) throws Exception {
        printSent(index, message, producer.send(message, Patience.MS));
    }

    private void sendBatch(int first, int count) throws Exception {
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            messages.add(message("travel-batch", first + i, text(first + i, 10 + i * 100)));
        }
        SendResult result = producer.send(messages, Patience.MS);
        demandOk(result);
        String[] ids = result.getOffsetMsgId().split(",");
        for (int i = 0; i < count; i++) {
            Message message = messages.get(i);
            printSent(first + i, message, MessageClientIDSetter.getUniqID(message), ids[i],
                result.getMessageQueue().getQueueId(), result.getQueueOffset() + i);
        }
    }

    /** Sends what the client would refuse by itself: a long topic name, a batch of an empty body. */
    private void sendRaw(int index, Message message, boolean asBatch) throws Exception {
        MessageClientIDSetter.setUniqID(message);
        Message carrier = message;
        if (asBatch) {
            MessageBatch batch = MessageBatch.generateFromList(Arrays.asList(message));
            batch.setBody(batch.encode());
            carrier = batch;
        }
        SendMessageRequestHeader header = new SendMessageRequestHeader();
        header.setProducerGroup(producer.getProducerGroup());
        header.setTopic(message.getTopic());
        header.setDefaultTopic("TBW102");
        header.setDefaultTopicQueueNums(QUEUES);
        header.setQueueId(0);
        header.setSysFlag(0);
        header.setBornTimestamp(System.currentTimeMillis());
        header.setFlag(message.getFlag());
        header.setProperties(MessageDecoder.messageProperties2String(carrier.getProperties()));
        header.setReconsumeTimes(0);
        header.setBatch(asBatch);
        DefaultMQProducerImpl inside = producer.getDefaultMQProducerImpl();
        String address = inside.getMqClientFactory().findBrokerAddressInPublish(broker);
        SendResult result = inside.getMqClientFactory().getMQClientAPIImpl().sendMessage(address,
            broker, carrier, header, Patience.MS, CommunicationMode.SYNC, null, inside);
        demandOk(result);
        printSent(index, message, MessageClientIDSetter.getUniqID(message),
            result.getOffsetMsgId(), result.getMessageQueue().getQueueId(), result.getQueueOffset());
    }

    private void sendBack(int first, int count, String address, boolean isLate) throws Exception {
        DefaultMQPullConsumer owner = member(LONG_GROUP);
        MessageQueue queue = new MessageQueue("travel-plain", broker, 0);
        List<MessageExt> messages = new ArrayList<>();
        for (long next = first; messages.size() < count; next++) {
            messages.addAll(owner.pull(queue, "*", next, 1, Patience.MS).getMsgFoundList());
        }
        String topic = "%RETRY%" + LONG_GROUP;
        long before = isLate ? 0 : queuesOf(address, topic).get(0).getMaxOffset();
        for (MessageExt message : messages) {
            owner.sendMessageBack(message, isLate ? LONGEST_DELAY : 1, broker, LONG_GROUP);
        }
        while (!isLate && queuesOf(address, topic).get(0).getMaxOffset() < before + count) {
            Thread.sleep(50);
        }
    }

    private void startLoad(int first, String topic, int threads) {
        isLoading = true;
        nextOfLoad.set(first);
        load = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            Thread thread = new Thread(() -> keepSending(topic));
            thread.setDaemon(true);
            thread.start();
            load.add(thread);
        }
    }

    private void keepSending(String topic) {
        while (isLoading) {
            int index = nextOfLoad.getAndIncrement();
            int size = index % 20 == 0 ? 20_000 : 200;
            try {
                Message message = message(topic, index, noise(index, size));
                printSent(index, message, producer.send(message, LOAD_TIMEOUT_MS));
            } catch (Exception failure) {
                Lines.print("lost", "index", index, "error", failure.toString());
                isLoading = false;
            }
        }
    }

    private void endLoad() throws Exception {
        isLoading = false;
        for (Thread thread : load) {
            thread.join();
        }
    }

    private static void demandOk(SendResult result) {
        if (result.getSendStatus() != SendStatus.SEND_OK) {
            throw new IllegalStateException("a send was answered " + result.getSendStatus());
        }
    }

    private static byte[] text(int index, int size) {
        StringBuilder text = new StringBuilder();
        while (text.length() < size) {
            text.append(index).append(" bottles, ");
        }
        return text.substring(0, size).getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] noise(int index, int size) {
        byte[] bytes = new byte[size];
        new Random(index).nextBytes(bytes);
        return bytes;
    }

    // ---- reading

    private void read(String address, String topic, String tags) throws Exception {
        Map<Integer, TopicOffset> queues = queuesOf(address, topic);
        for (Map.Entry<Integer, TopicOffset> each : queues.entrySet()) {
            MessageQueue queue = new MessageQueue(topic, broker, each.getKey());
            long min = each.getValue().getMinOffset();
            long max = each.getValue().getMaxOffset();
            Lines.print("queue", "topic", topic, "queueId", each.getKey(), "minOffset", min,
                "maxOffset", max, "askedMin", admin.minOffset(queue),
                "askedMax", admin.maxOffset(queue),
                "lastUpdate", each.getValue().getLastUpdateTimestamp(),
                "earliest", max > min ? admin.earliestMsgStoreTime(queue) : -1);
            for (long next = min; next < max; ) {
                next = pull(queue, next, tags);
            }
        }
    }

    private long pull(MessageQueue queue, long from, String tags) throws Exception {
        PullResult result = consumer.pull(queue, tags, from, PULL_COUNT, Patience.MS);
        switch (result.getPullStatus()) {
            case FOUND:
                for (MessageExt message : result.getMsgFoundList()) {
                    printMessage("message", "asked", "", message);
                }
                return result.getNextBeginOffset();
            case NO_MATCHED_MSG:
                return result.getNextBeginOffset();
            default:
                throw new IllegalStateException(queue + " at " + from + ": " + result);
        }
    }

    private Map<Integer, TopicOffset> queuesOf(String address, String topic) throws Exception {
        Map<Integer, TopicOffset> queues = new TreeMap<>();
        admin.examineTopicStats(address, topic).getOffsetTable()
            .forEach((queue, offsets) -> queues.put(queue.getQueueId(), offsets));
        return queues;
    }

    private void times(String address, String topic, String[] times) throws Exception {
        for (int queueId : queuesOf(address, topic).keySet()) {
            MessageQueue queue = new MessageQueue(topic, broker, queueId);
            for (String time : times) {
                long at = Long.parseLong(time);
                Lines.print("time", "queueId", queueId, "at", at,
                    "lower", admin.searchLowerBoundaryOffset(queue, at),
                    "upper", admin.searchUpperBoundaryOffset(queue, at));
            }
        }
    }

    private void commit(String group, String topic, String[] offsets) throws Exception {
        DefaultMQPullConsumer owner = member(group);
        for (int queueId = 0; queueId < offsets.length; queueId++) {
            MessageQueue queue = new MessageQueue(topic, broker, queueId);
            owner.pull(queue, "*", 0, 1, Patience.MS);
            owner.getOffsetStore()
                .updateConsumeOffsetToBroker(queue, Long.parseLong(offsets[queueId]), false);
        }
    }

    private void committed(String address, String group, String topic) throws Exception {
        for (int queueId : queuesOf(address, topic).keySet()) {
            MessageQueue queue = new MessageQueue(topic, broker, queueId);
            Lines.print("committed", "queueId", queueId, "offset",
                member(group).getOffsetStore().readOffset(queue, ReadOffsetType.READ_FROM_STORE));
        }
    }

    /** The one member of a group, which all brokers know as such. */
    private DefaultMQPullConsumer member(String group) throws Exception {
        DefaultMQPullConsumer member = members.get(group);
        if (member == null) {
            member = new DefaultMQPullConsumer(group);
            member.setNamesrvAddr(consumer.getNamesrvAddr());
            member.setMqClientApiTimeout(Patience.MS);
            member.start();
            members.put(group, member);
        }
        return member;
    }

    private void keys(String topic, String key) throws Exception {
        List<MessageExt> found =
            admin.queryMessage(topic, key, PULL_COUNT, 0, Long.MAX_VALUE).getMessageList();
        for (MessageExt message : found) {
            printMessage("found", "asked", key, message);
        }
    }

    // ---- output

    private void printSent(int index, Message message, SendResult result) {
        demandOk(result);
        printSent(index, message, result.getMsgId(), result.getOffsetMsgId(),
            result.getMessageQueue().getQueueId(), result.getQueueOffset());
    }

    private void printSent(int index, Message message, String msgId, String offsetMsgId,
        int queueId, long queueOffset) {
        Lines.print("sent", "index", index, "topic", message.getTopic(), "queueId", queueId,
            "queueOffset", queueOffset, "msgId", msgId, "offsetMsgId", offsetMsgId,
            "tags", message.getTags(), "keys", message.getKeys(), "flag", message.getFlag(),
            "text", message.getUserProperty("Straße"), "bodySha256", Lines.sha256(message.getBody()));
    }

    private static void printMessage(String event, String name, String value, MessageExt message) {
        Lines.print(event, name, value, "topic", message.getTopic(), "queueId", message.getQueueId(),
            "queueOffset", message.getQueueOffset(), "logOffset", message.getCommitLogOffset(),
            "msgId", message.getMsgId(), "storeSize", message.getStoreSize(),
            "sysFlag", message.getSysFlag(), "flag", message.getFlag(),
            "bodyCrc", message.getBodyCRC(), "bornTimestamp", message.getBornTimestamp(),
            "storeTimestamp", message.getStoreTimestamp(),
            "bornHost", message.getBornHost(), "storeHost", message.getStoreHost(),
            "reconsumeTimes", message.getReconsumeTimes(),
            "tags", message.getTags(), "keys", message.getKeys(),
            "index", message.getUserProperty("index"), "text", message.getUserProperty("Straße"),
            "properties", stored(message.getProperties()),
            "bodySha256", Lines.sha256(message.getBody()));
    }

    /** Without those that the client adds when it receives a message. */
    private static String stored(Map<String, String> properties) {
        Map<String, String> sorted = new TreeMap<>(properties);
        sorted.keySet().removeAll(Arrays.asList("MIN_OFFSET", "MAX_OFFSET"));
        sorted.keySet().removeIf(name -> name.startsWith("__RMQ.TRANSIENT."));
        return sorted.toString();
    }
}

/*
 * A small program around the unmodified Java client of Apache RocketMQ, for the interop tests.
 * It is compiled once against each client version under test and driven by its command line:
 *
 *   send    --namesrv A --topic T --group G --count N [--start I] [--mode sync,async,oneway,batch]
 *           [--tags TagA,TagB] [--key-prefix K] [--body-size B] [--batch-size S] [--queue Q]
 *   consume --namesrv A --topic T --group G [--tags "TagA || TagB"] [--expect N] [--timeout-ms M]
 *           [--threads N]
 *   view    --namesrv A --topic T --ids ID,ID
 *   queues  --namesrv A --topic T
 *
 * More modes are hash, index and random, which choose a queue with a selector, and delayed and timed,
 * which send messages that come later: of level 1, and after 1,500 ms.
 *
 * It prints one JSON object per line on standard output; `event` says what the line is about. The
 * body of message number I is its text number, a colon, and bytes made of I and their position, so
 * that the reader can tell an altered body. The program stops when its standard input ends.
 */

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.MessageQueueSelector;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByRandom;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageClientIDSetter;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

public final class InteropClient {

    /** So many different keys selectors are given. */
    private static final int KEYS = 5;
    /** Instead of 30 s: a route that was missed once costs a test less time. */
    private static final int ROUTE_POLL_MS = 5_000;
    /**
     * Instead of 30 s. The Java client skips a heartbeat that comes while another is on its way; when
     * that was the one with its new subscription, brokers refuse its pulls until the next.
     */
    private static final int HEARTBEAT_MS = 3_000;

    private final Map<String, String> options;

    private InteropClient(Map<String, String> options) {
        this.options = options;
    }

    public static void main(String[] args) throws Exception {
        InteropClient client = new InteropClient(parse(args));
        try {
            switch (args[0]) {
                case "send":
                    client.send();
                    break;
                case "consume":
                    client.consume();
                    break;
                case "view":
                    client.view();
                    break;
                case "queues":
                    client.queues();
                    break;
                default:
                    throw new IllegalArgumentException("unknown sub-command " + args[0]);
            }
            System.exit(0);
        } catch (Throwable failure) {
            Lines.print("failed", "error", failure.toString());
            failure.printStackTrace();
            System.exit(1);
        }
    }

    // ---- sending

    private void send() throws Exception {
        DefaultMQProducer producer = producer(text("group", "interop-producer"));
        int next = number("start", 0);
        for (String mode : text("mode", "sync").split(",")) {
            int end = next + number("count", 1);
            switch (mode) {
                case "sync":
                    sendSync(producer, next, end);
                    break;
                case "async":
                    sendAsync(producer, next, end);
                    break;
                case "oneway":
                    sendOneway(producer, next, end);
                    break;
                case "batch":
                    sendBatch(producer, next, end);
                    break;
                case "hash":
                    sendSelected(producer, mode, new SelectMessageQueueByHash(), next, end);
                    break;
                case "index":
                    sendSelected(producer, mode, (queues, message, key) ->
                        queues.get(keyNumber(key) % queues.size()), next, end);
                    break;
                case "random":
                    sendSelected(producer, mode, new SelectMessageQueueByRandom(), next, end);
                    break;
                case "delayed":
                case "timed":
                    sendLater(producer, mode, next, end);
                    break;
                default:
                    throw new IllegalArgumentException("unknown mode " + mode);
            }
            next = end;
        }
        Lines.print("done");
        producer.shutdown();
    }

    private void sendSync(DefaultMQProducer producer, int start, int end) throws Exception {
        MessageQueue queue = chosenQueue(producer);
        for (int index = start; index < end; index++) {
            Message message = message(index);
            SendResult result = queue == null
                ? producer.send(message, Patience.MS)
                : producer.send(message, queue, Patience.MS);
            printSent("sync", index, result);
        }
    }

    private void sendAsync(DefaultMQProducer producer, int start, int end) throws Exception {
        CountDownLatch pending = new CountDownLatch(end - start);
        for (int i = start; i < end; i++) {
            final int index = i;
            producer.send(message(index), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    printSent("async", index, result);
                    pending.countDown();
                }

                @Override
                public void onException(Throwable failure) {
                    Lines.print("send-failed", "mode", "async", "index", index, "error", failure.toString());
                    pending.countDown();
                }
            }, Patience.MS);
        }
        pending.await(Patience.MS * 2, TimeUnit.MILLISECONDS);
    }

    private void sendOneway(DefaultMQProducer producer, int start, int end) throws Exception {
        for (int index = start; index < end; index++) {
            Message message = message(index);
            producer.sendOneway(message);
            Lines.print("sent", "mode", "oneway", "index", index,
                "msgId", MessageClientIDSetter.getUniqID(message));
        }
    }

    private void sendBatch(DefaultMQProducer producer, int start, int end) throws Exception {
        int batchSize = number("batch-size", 8);
        for (int from = start; from < end; from += batchSize) {
            List<Message> messages = new ArrayList<>();
            for (int index = from; index < Math.min(from + batchSize, end); index++) {
                messages.add(message(index));
            }
            printSent("batch", from, producer.send(messages, Patience.MS));
        }
    }

    private void sendSelected(
        DefaultMQProducer producer, String mode, MessageQueueSelector selector, int start, int end)
        throws Exception {
        for (int index = start; index < end; index++) {
            String key = "order-" + index % KEYS;
            printSent(mode, index, producer.send(message(index), selector, key, Patience.MS));
        }
    }

    private static int keyNumber(Object key) {
        return Integer.parseInt(key.toString().substring("order-".length()));
    }

    /** What version 5 calls setDelayTimeMs sets a property, which version 4 does not know. */
    private void sendLater(DefaultMQProducer producer, String mode, int start, int end)
        throws Exception {
        for (int index = start; index < end; index++) {
            Message message = message(index);
            if (mode.equals("delayed")) {
                message.setDelayTimeLevel(1);
            } else {
                MessageAccessor.putProperty(message, "TIMER_DELAY_MS", "1500");
            }
            printSent(mode, index, producer.send(message, Patience.MS));
        }
    }

    private MessageQueue chosenQueue(DefaultMQProducer producer) throws Exception {
        int queueId = number("queue", -1);
        if (queueId < 0) {
            return null;
        }
        for (MessageQueue queue : producer.fetchPublishMessageQueues(text("topic", ""))) {
            if (queue.getQueueId() == queueId) {
                return queue;
            }
        }
        throw new IllegalArgumentException("topic has no queue " + queueId);
    }

    private Message message(int index) {
        String[] tags = text("tags", "").split(",");
        Message message = new Message(text("topic", ""), body(index, number("body-size", 64)));
        if (!tags[0].isEmpty()) {
            message.setTags(tags[index % tags.length]);
        }
        message.setKeys(text("key-prefix", "key-") + index);
        message.putUserProperty("index", String.valueOf(index));
        return message;
    }

    private static byte[] body(int index, int size) {
        byte[] head = (index + ":").getBytes(StandardCharsets.US_ASCII);
        byte[] body = Arrays.copyOf(head, Math.max(size, head.length));
        for (int i = head.length; i < body.length; i++) {
            body[i] = (byte) (index * 31 + i);
        }
        return body;
    }

    private static void printSent(String mode, int index, SendResult result) {
        Lines.print("sent", "mode", mode, "index", index,
            "msgId", result.getMsgId(), "offsetMsgId", result.getOffsetMsgId(),
            "status", result.getSendStatus().name(),
            "broker", result.getMessageQueue().getBrokerName(),
            "queueId", result.getMessageQueue().getQueueId(),
            "queueOffset", result.getQueueOffset());
    }

    // ---- consuming

    private void consume() throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(text("group", "interop-consumer"));
        consumer.setNamesrvAddr(text("namesrv", ""));
        consumer.setMqClientApiTimeout(Patience.MS);
        consumer.setPollNameServerInterval(ROUTE_POLL_MS);
        consumer.setHeartbeatBrokerInterval(HEARTBEAT_MS);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        // Otherwise a shutdown may come between the end of a listener and the count of its message.
        consumer.setAwaitTerminationMillisWhenShutdown(5_000);
        consumer.setConsumeThreadMin(number("threads", 1));
        consumer.setConsumeThreadMax(number("threads", 1));
        consumer.subscribe(text("topic", ""), text("tags", "*"));
        CountDownLatch end = new CountDownLatch(1);
        listen(consumer, end);
        consumer.start();
        Lines.print("ready", "header", RemotingCommand.getSerializeTypeConfigInThisServer().name());
        inBackground(() -> watchAssignment(consumer));
        inBackground(() -> {
            waitForEndOfInput();
            end.countDown();
        });
        end.await(number("timeout-ms", 600_000), TimeUnit.MILLISECONDS);
        consumer.shutdown();
        Lines.print("done");
    }

    private static void inBackground(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    private void listen(DefaultMQPushConsumer consumer, CountDownLatch end) {
        AtomicInteger missing = new AtomicInteger(number("expect", Integer.MAX_VALUE));
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            receive(messages, missing, end);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
    }

    private static void receive(List<MessageExt> messages, AtomicInteger missing, CountDownLatch end) {
        for (MessageExt message : messages) {
            printMessage("message", message);
            if (missing.decrementAndGet() == 0) {
                end.countDown();
            }
        }
    }

    /** Tells each time the set of the topic's queues that this instance owns has changed. */
    private void watchAssignment(DefaultMQPushConsumer consumer) {
        Set<String> known = null;
        while (true) {
            Set<String> owned = new TreeSet<>();
            for (MessageQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl()
                .getProcessQueueTable().keySet()) {
                if (queue.getTopic().equals(text("topic", ""))) {
                    owned.add(queue.getBrokerName() + ":" + queue.getQueueId());
                }
            }
            if (!owned.equals(known)) {
                known = owned;
                Lines.print("assigned", "queues", String.join(",", owned));
            }
            try {
                Thread.sleep(100);
            } catch (InterruptedException stop) {
                return;
            }
        }
    }

    private static void waitForEndOfInput() {
        try {
            while (System.in.read() >= 0) {
                continue;
            }
        } catch (java.io.IOException closed) {
            return;
        }
    }

    // ---- looking

    private void view() throws Exception {
        DefaultMQProducer producer = producer("interop-view");
        for (String id : text("ids", "").split(",")) {
            printMessage("viewed", producer.viewMessage(text("topic", ""), id));
        }
        Lines.print("done");
        producer.shutdown();
    }

    private void queues() throws Exception {
        DefaultMQProducer producer = producer("interop-queues");
        for (MessageQueue queue : producer.fetchPublishMessageQueues(text("topic", ""))) {
            Lines.print("queue", "broker", queue.getBrokerName(), "queueId", queue.getQueueId(),
                "minOffset", producer.minOffset(queue), "maxOffset", producer.maxOffset(queue),
                "firstAfterEpoch", producer.searchOffset(queue, 0));
        }
        Lines.print("done");
        producer.shutdown();
    }

    private DefaultMQProducer producer(String group) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(group);
        producer.setNamesrvAddr(text("namesrv", ""));
        producer.setMqClientApiTimeout(Patience.MS);
        producer.setPollNameServerInterval(ROUTE_POLL_MS);
        producer.setSendMsgTimeout(Patience.MS);
        producer.start();
        Lines.print("ready", "header", RemotingCommand.getSerializeTypeConfigInThisServer().name());
        return producer;
    }

    // ---- command line and output

    private static Map<String, String> parse(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int i = 1; i < args.length; i++) {
            String name = args[i].substring(2);
            boolean hasValue = i + 1 < args.length && !args[i + 1].startsWith("--");
            options.put(name, hasValue ? args[++i] : "true");
        }
        return options;
    }

    private String text(String name, String otherwise) {
        return options.getOrDefault(name, otherwise);
    }

    private int number(String name, int otherwise) {
        return options.containsKey(name) ? Integer.parseInt(options.get(name)) : otherwise;
    }

    private static void printMessage(String event, MessageExt message) {
        Lines.print(event, "msgId", message.getMsgId(), "topic", message.getTopic(),
            "keys", message.getKeys(), "tags", message.getTags(),
            "index", message.getUserProperty("index"),
            "broker", message.getBrokerName(), "queueId", message.getQueueId(),
            "queueOffset", message.getQueueOffset(), "storeSize", message.getStoreSize(),
            "bornTimestamp", message.getBornTimestamp(), "storeTimestamp", message.getStoreTimestamp(),
            "reconsumeTimes", message.getReconsumeTimes(),
            "bodySize", message.getBody().length, "bodySha256", Lines.sha256(message.getBody()));
    }
}

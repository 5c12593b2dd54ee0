/*
 * Request and reply with the unmodified Java client of Apache RocketMQ, for the interop tests:
 *
 *   --role answer --namesrv A --group G --topic T
 *   --role ask    --namesrv A --group G --topic T --from I --count N --wait MS --sync true|false
 *
 * Who answers replies to each request with "java:" and its body, until standard input ends. Who asks
 * sends requests I to I + N - 1, the even ones one by one, then the odd ones all at once, with callbacks,
 * and last a request that nobody answers. Clients from 5.0 on end a request without a selector as soon as
 * it is stored (issue 9319 of apache/rocketmq): with --sync false all of them have one, and a callback.
 * Each third body is long enough to be compressed. --namespace N puts all names into it. It prints one JSON object per line on standard output;
 * `event` says what the line is about.
 */

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.MessageQueueSelector;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

public final class Questions {

    private static final int PADDING = 6_000;

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            options.put(args[i].substring(2), args[i + 1]);
        }
        try {
            if (options.get("role").equals("ask")) {
                ask(options);
            } else {
                answer(options);
            }
            System.exit(0);
        } catch (Throwable failure) {
            failure.printStackTrace();
            Lines.print("failed", "index", -1, "text", failure.toString());
            System.exit(1);
        }
    }

    private static DefaultMQProducer producerOf(Map<String, String> options) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(options.get("group") + "-producer");
        producer.setNamesrvAddr(options.get("namesrv"));
        producer.setMqClientApiTimeout(Patience.MS);
        producer.setNamespace(options.get("namespace"));
        producer.setSendMsgTimeout(Patience.MS);
        producer.start();
        return producer;
    }

    private static void ask(Map<String, String> options) throws Exception {
        DefaultMQProducer producer = producerOf(options);
        int from = Integer.parseInt(options.get("from"));
        int end = from + Integer.parseInt(options.get("count"));
        long waitMs = Long.parseLong(options.get("wait"));
        boolean isSync = options.get("sync").equals("true");
        for (int i = from; i < end; i += 2) {
            await(producer, requestOf(options, i), i, waitMs, isSync);
        }
        CountDownLatch open = new CountDownLatch((end - from) / 2);
        for (int i = from + 1; i < end; i += 2) {
            begin(producer, requestOf(options, i), i, waitMs, open);
        }
        open.await();
        Message lonely = requestOf(options, end);
        lonely.setTopic(options.get("topic") + "-nobody");
        await(producer, lonely, end, 1_000, isSync);
        producer.shutdown();
        Lines.print("done", "index", end, "text", "");
    }

    private static void await(
        DefaultMQProducer producer, Message message, int i, long waitMs, boolean isSync)
        throws Exception {
        if (!isSync) {
            CountDownLatch open = new CountDownLatch(1);
            begin(producer, message, i, waitMs, open);
            open.await();
            return;
        }
        try {
            tell(i, producer.request(message, waitMs));
        } catch (RequestTimeoutException late) {
            Lines.print("unanswered", "index", i, "text", late.toString());
        }
    }

    private static void begin(
        DefaultMQProducer producer, Message message, int i, long waitMs, CountDownLatch open)
        throws Exception {
        MessageQueueSelector selector = (queues, sent, number) -> {
            return queues.get((Integer) number % queues.size());
        };
        producer.request(message, selector, i, new Told(i, open), waitMs);
    }

    private static Message requestOf(Map<String, String> options, int i) {
        String padding = i % 3 == 0 ? String.join("", Collections.nCopies(PADDING, "x")) : "";
        byte[] body = ("question " + i + padding).getBytes(StandardCharsets.UTF_8);
        Message message = new Message(options.get("topic"), "TagQ", "q" + i, body);
        message.putUserProperty("index", String.valueOf(i));
        return message;
    }

    private static final class Told implements RequestCallback {

        private final int index;
        private final CountDownLatch open;

        Told(int index, CountDownLatch open) {
            this.index = index;
            this.open = open;
        }

        @Override
        public void onSuccess(Message message) {
            tell(index, message);
            open.countDown();
        }

        @Override
        public void onException(Throwable failure) {
            Lines.print("unanswered", "index", index, "text", failure.toString());
            open.countDown();
        }
    }

    private static void tell(int index, Message reply) {
        String body = new String(reply.getBody(), StandardCharsets.UTF_8);
        Lines.print("replied", "index", index, "text", body + " " + reply.getProperty("colour"));
    }

    private static void answer(Map<String, String> options) throws Exception {
        DefaultMQProducer producer = producerOf(options);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(options.get("group"));
        consumer.setNamesrvAddr(options.get("namesrv"));
        consumer.setMqClientApiTimeout(Patience.MS);
        consumer.setNamespace(options.get("namespace"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPullTimeDelayMillsWhenException(200);
        consumer.subscribe(options.get("topic"), "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                reply(producer, message);
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Lines.print("ready", "index", 0, "text", "");
        while (System.in.read() != -1) {
            continue;
        }
        consumer.shutdown();
        producer.shutdown();
    }

    private static void reply(DefaultMQProducer producer, MessageExt message) {
        int index = Integer.parseInt(message.getUserProperty("index"));
        try {
            String body = "java:" + new String(message.getBody(), StandardCharsets.UTF_8);
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            Message reply = MessageUtil.createReplyMessage(message, bytes);
            reply.putUserProperty("colour", "green");
            Lines.print("answered", "index", index,
                "text", producer.send(reply, Patience.MS).getSendStatus());
        } catch (Exception failure) {
            Lines.print("unreplied", "index", index, "text", failure.toString());
        }
    }
}

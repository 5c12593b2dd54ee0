/*
 * Clients that leave traces of their messages, around the unmodified Java client of Apache RocketMQ,
 * for the interop tests:
 *
 *   --namesrv A --topic T --producer G --consumer G --count N
 *
 * Sends N messages and commits a transaction, consumes all of them, the first at the second try only,
 * and goes on until its standard input ends. It prints one JSON object per line on standard output;
 * `event` says what the line is about.
 */

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

public final class Traced {

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            options.put(args[i].substring(2), args[i + 1]);
        }
        try {
            run(options);
            System.exit(0);
        } catch (Throwable failure) {
            failure.printStackTrace();
            print("failed", failure.toString());
            System.exit(1);
        }
    }

    private static void run(Map<String, String> options) throws Exception {
        TransactionMQProducer producer =
            new TransactionMQProducer(null, options.get("producer"), null, true, null);
        producer.setNamesrvAddr(options.get("namesrv"));
        producer.setMqClientApiTimeout(Patience.MS);
        producer.setSendMsgTimeout(Patience.MS);
        producer.setTransactionListener(new Commits());
        producer.start();
        int count = Integer.parseInt(options.get("count"));
        for (int i = 0; i < count; i++) {
            print("sent", producer.send(message(options, i)).getMsgId());
        }
        print("sent", producer.sendMessageInTransaction(message(options, count), null).getMsgId());
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(options.get("consumer"), null,
            new AllocateMessageQueueAveragely(), true, null);
        consumer.setNamesrvAddr(options.get("namesrv"));
        consumer.setMqClientApiTimeout(Patience.MS);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(options.get("topic"), "*");
        consumer.registerMessageListener(new Listener());
        consumer.start();
        print("ready", "");
        while (System.in.read() != -1) {
            continue;
        }
        consumer.shutdown();
        producer.shutdown();
    }

    private static Message message(Map<String, String> options, int index) {
        byte[] body = ("message " + index).getBytes(StandardCharsets.UTF_8);
        return new Message(options.get("topic"), "TagA", "k" + index, body);
    }

    private static final class Listener implements MessageListenerConcurrently {

        @Override
        public ConsumeConcurrentlyStatus consumeMessage(
                List<MessageExt> messages, ConsumeConcurrentlyContext context) {
            for (MessageExt message : messages) {
                boolean isFirst = "k0".equals(message.getKeys());
                context.setDelayLevelWhenNextConsume(1);
                if (isFirst && message.getReconsumeTimes() == 0) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                print("consumed", message.getKeys());
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        }
    }

    private static final class Commits implements TransactionListener {

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
            return LocalTransactionState.COMMIT_MESSAGE;
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            return LocalTransactionState.COMMIT_MESSAGE;
        }
    }

    private static void print(String event, String text) {
        Lines.print(event, "text", text);
    }
}

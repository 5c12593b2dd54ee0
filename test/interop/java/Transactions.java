/*
 * A transaction producer around the unmodified Java client of Apache RocketMQ, for the interop tests:
 *
 *   --namesrv A --group G --topic T --from I --count N --answers verdicts|nothing
 *
 * Begins transactions I to I + N - 1, then answers questions until its standard input ends. Of every
 * three transactions the first is committed at once, the second rolled back, and the third is unknown:
 * when it is asked about, the even ones are committed and the odd ones rolled back, or with --answers
 * nothing all stay unknown. It prints one JSON object per line on standard output; `event` says what
 * the line is about.
 */

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

public final class Transactions {

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
            Lines.print("failed", "index", -1, "text", failure.toString());
            System.exit(1);
        }
    }

    private static void run(Map<String, String> options) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(options.get("group"));
        producer.setNamesrvAddr(options.get("namesrv"));
        producer.setMqClientApiTimeout(Patience.MS);
        producer.setSendMsgTimeout(Patience.MS);
        producer.setTransactionListener(new Verdicts(options.get("answers").equals("verdicts")));
        producer.start();
        int from = Integer.parseInt(options.get("from"));
        int end = from + Integer.parseInt(options.get("count"));
        for (int i = from; i < end; i++) {
            byte[] body = ("transaction " + i).getBytes(StandardCharsets.UTF_8);
            Message message = new Message(options.get("topic"), "TagA", "k" + i, body);
            message.putUserProperty("index", String.valueOf(i));
            TransactionSendResult result = producer.sendMessageInTransaction(message, i);
            Lines.print("sent", "index", i,
                "text", result.getLocalTransactionState() + " " + result.getSendStatus());
        }
        Lines.print("done", "index", end, "text", "");
        while (System.in.read() != -1) {
            continue;
        }
        producer.shutdown();
    }

    private static final class Verdicts implements TransactionListener {

        private final boolean areKnown;

        Verdicts(boolean areKnown) {
            this.areKnown = areKnown;
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object index) {
            switch ((Integer) index % 3) {
                case 0:
                    return LocalTransactionState.COMMIT_MESSAGE;
                case 1:
                    return LocalTransactionState.ROLLBACK_MESSAGE;
                default:
                    return LocalTransactionState.UNKNOW;
            }
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            int index = Integer.parseInt(message.getUserProperty("index"));
            Lines.print("asked", "index", index,
                "text", message.getTopic() + " " + new String(message.getBody()));
            if (!areKnown) {
                return LocalTransactionState.UNKNOW;
            }
            boolean isCommitted = index % 3 == 0 || index % 3 == 2 && index % 2 == 0;
            return isCommitted
                ? LocalTransactionState.COMMIT_MESSAGE
                : LocalTransactionState.ROLLBACK_MESSAGE;
        }
    }
}

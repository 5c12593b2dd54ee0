import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.apache.rocketmq.client.AccessChannel;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.trace.TraceBean;
import org.apache.rocketmq.client.trace.TraceContext;
import org.apache.rocketmq.client.trace.TraceDataEncoder;
import org.apache.rocketmq.client.trace.TraceTransferBean;
import org.apache.rocketmq.client.trace.TraceType;
import org.apache.rocketmq.common.message.MessageType;

/**
 * Lets Apache's encoder write records of each kind: the golden text of trace.test.ts, one line for a
 * context, as JSON.
 *
 * To make traces.json anew, with the jars of rocketmq-client 5.3.3 in a folder:
 * java -cp 'folder/*' Traces.java traces.json
 */
public final class Traces {
    private static final List<String> LINES = new ArrayList<>();

    private static TraceContext context(TraceType type, TraceBean... beans) {
        TraceContext context = new TraceContext();
        context.setTraceType(type);
        context.setTimeStamp(1700000000123L);
        context.setRegionId("DefaultRegion");
        context.setGroupName("billing");
        context.setRequestId("REQ01");
        context.setAccessChannel(AccessChannel.LOCAL);
        context.setCostTime(7);
        context.setSuccess(true);
        context.setTraceBeans(new ArrayList<>(Arrays.asList(beans)));
        return context;
    }

    private static TraceBean bean(String msgId, String tags, String keys) {
        TraceBean bean = new TraceBean();
        bean.setTopic("orders");
        bean.setMsgId(msgId);
        bean.setOffsetMsgId("7F00000100002A9F0000000000000400");
        bean.setTags(tags);
        bean.setKeys(keys);
        bean.setStoreHost("127.0.0.1:10911");
        bean.setBodyLength(42);
        bean.setMsgType(MessageType.Normal_Msg);
        bean.setRetryTimes(2);
        bean.setTransactionId("TX01");
        bean.setTransactionState(LocalTransactionState.COMMIT_MESSAGE);
        bean.setFromTransactionCheck(true);
        return bean;
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    private static void write(String name, TraceContext context) {
        TraceTransferBean made = TraceDataEncoder.encoderFromContextBean(context);
        List<String> keys = new ArrayList<>();
        for (String key : new TreeSet<>(made.getTransKey())) {
            keys.add(quoted(key));
        }
        int again = TraceDataEncoder.decoderFromTraceDataString(made.getTransData()).size();
        LINES.add(quoted(name) + ": {\"text\": " + quoted(made.getTransData())
            + ", \"keys\": [" + String.join(", ", keys) + "], \"read\": " + again + "}");
    }

    public static void main(String[] arguments) throws IOException {
        write("pub", context(TraceType.Pub, bean("ID1", "red", "k1 k2")));
        write("pub without tag and keys", context(TraceType.Pub, bean("ID1", null, null)));
        TraceBean delayed = bean("ID1", "\u00e9t\u00e9", "\ud83d\ude00");
        delayed.setMsgType(MessageType.Delay_Msg);
        TraceContext failed = context(TraceType.Pub, delayed);
        failed.setSuccess(false);
        write("pub that failed", failed);
        TraceBean half = bean("ID1", "red", "k1");
        half.setMsgType(MessageType.Trans_Msg_Half);
        write("pub of a half", context(TraceType.Pub, half));
        write("before", context(TraceType.SubBefore, bean("ID1", "red", "k1"), bean("ID2", null, null)));
        for (int code = 0; code < 5; code++) {
            TraceContext after = context(TraceType.SubAfter, bean("ID1", "red", "k1"), bean("ID2", null, null));
            after.setContextCode(code);
            after.setSuccess(code == 0);
            write("after " + code, after);
        }
        for (LocalTransactionState state : LocalTransactionState.values()) {
            TraceBean end = bean("ID1", "red", "k1");
            end.setMsgType(MessageType.Trans_msg_Commit);
            end.setTransactionState(state);
            end.setFromTransactionCheck(state == LocalTransactionState.UNKNOW);
            write("end " + state.name(), context(TraceType.EndTransaction, end));
        }
        write("recall", context(TraceType.Recall, bean("ID1", null, null)));
        String all = "{\n" + String.join(",\n", LINES) + "\n}\n";
        Files.write(Paths.get(arguments[0]), all.getBytes(StandardCharsets.UTF_8));
    }
}

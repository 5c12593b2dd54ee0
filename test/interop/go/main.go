/*
 * The unmodified Go client of Apache RocketMQ at work, for the interop tests:
 *
 *   client NAMESRV BROKER TOPIC
 *
 * Starts consumers of five kinds, sends messages in all ways and three transactions to the topic,
 * makes and deletes another topic, and goes on until its standard input ends. The body of message
 * number I is its text number, a colon, and bytes made of I and their position. It prints one JSON
 * object per line on standard output; `event` says what the line is about.
 */
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

const (
	smallBytes = 100
	// Above the 4 KiB from which bodies are compressed.
	largeBytes = 20_000
	// Instead of 3 s: machines may be busy with other things.
	patience = 30 * time.Second
	pollFor  = time.Second
	// The message that fails at its first try.
	failing = "3"
)

var printing sync.Mutex

type fields map[string]any

func tell(event string, more fields) {
	line := fields{"event": event}
	for name, value := range more {
		line[name] = value
	}
	text, _ := json.Marshal(line)
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

func must(what string, err error) {
	if err == nil {
		return
	}
	tell("failed", fields{"text": what + ": " + err.Error()})
	os.Exit(1)
}

func message(topic string, index int, size int) *primitive.Message {
	body := []byte(strconv.Itoa(index) + ":")
	for i := len(body); i < size; i++ {
		body = append(body, byte(index*31+i))
	}
	made := primitive.NewMessage(topic, body).WithTag([]string{"TagA", "TagB"}[index%2])
	made.WithKeys([]string{"k" + strconv.Itoa(index)})
	made.WithProperty("index", strconv.Itoa(index))
	return made
}

func tellGot(by string, outcome string, got *primitive.MessageExt) {
	sum := sha256.Sum256(got.Body)
	tell("got", fields{
		"by": by, "outcome": outcome, "index": got.GetProperty("index"), "msgId": got.MsgId,
		"keys": got.GetKeys(), "tags": got.GetTags(), "broker": got.Queue.BrokerName,
		"queueId": got.Queue.QueueId, "queueOffset": got.QueueOffset,
		"bornTimestamp": got.BornTimestamp, "storeTimestamp": got.StoreTimestamp,
		"reconsumeTimes": got.ReconsumeTimes, "bodySize": len(got.Body),
		"bodySha256": hex.EncodeToString(sum[:]),
	})
}

func tellSent(mode string, index int, result *primitive.SendResult, err error) {
	must(mode+" "+strconv.Itoa(index), err)
	tell("sent", fields{
		"mode": mode, "index": index, "ok": result.Status == primitive.SendOK, "msgId": result.MsgID,
		"offsetMsgId": result.OffsetMsgID, "broker": result.MessageQueue.BrokerName,
		"queueId": result.MessageQueue.QueueId, "queueOffset": result.QueueOffset,
	})
}

// A push consumer of a group that is named after what it does.
func consume(servers primitive.NsResolver, topic string, kind string, filter string,
	more ...consumer.Option) rocketmq.PushConsumer {
	options := append([]consumer.Option{
		consumer.WithNsResolver(servers), consumer.WithGroupName(topic + "-" + kind),
		consumer.WithInstance(kind), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, more...)
	member, err := rocketmq.NewPushConsumer(options...)
	must("consumer", err)
	selector := consumer.MessageSelector{Type: consumer.TAG, Expression: filter}
	must("subscription", member.Subscribe(topic, selector, func(ctx context.Context,
		messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, got := range messages {
			if kind == "retry" && got.GetProperty("index") == failing && got.ReconsumeTimes == 0 {
				if concurrently, ok := primitive.GetConcurrentlyCtx(ctx); ok {
					concurrently.DelayLevelWhenNextConsume = 1
				}
				tellGot(kind, "failed", got)
				return consumer.ConsumeRetryLater, nil
			}
			tellGot(kind, "done", got)
		}
		return consumer.ConsumeSuccess, nil
	}))
	must("start of "+kind, member.Start())
	return member
}

func sendInEachWay(servers primitive.NsResolver, topic string) rocketmq.Producer {
	ctx := context.Background()
	sender, err := rocketmq.NewProducer(producer.WithNsResolver(servers),
		producer.WithGroupName("go-senders"), producer.WithSendMsgTimeout(patience))
	must("producer", err)
	must("start of the producer", sender.Start())
	for i := 0; i < 10; i++ {
		result, err := sender.SendSync(ctx, message(topic, i, smallBytes))
		tellSent("sync", i, result, err)
	}
	var open sync.WaitGroup
	for i := 10; i < 20; i++ {
		open.Add(1)
		index := i
		must("async", sender.SendAsync(ctx, func(_ context.Context, result *primitive.SendResult, err error) {
			tellSent("async", index, result, err)
			open.Done()
		}, message(topic, i, smallBytes)))
	}
	open.Wait()
	var batch []*primitive.Message
	for i := 20; i < 30; i++ {
		must("one way", sender.SendOneWay(ctx, message(topic, i, smallBytes)))
		batch = append(batch, message(topic, i+10, smallBytes))
	}
	result, err := sender.SendSync(ctx, batch...)
	tellSent("batch", 30, result, err)
	for i := 40; i < 44; i++ {
		result, err := sender.SendSync(ctx, message(topic, i, largeBytes))
		tellSent("large", i, result, err)
	}
	for i := 44; i < 46; i++ {
		result, err := sender.SendSync(ctx, message(topic, i, smallBytes).WithDelayTimeLevel(1))
		tellSent("delayed", i, result, err)
	}
	return sender
}

// Of three transactions the first is committed, the second rolled back, the third known when asked.
type verdicts struct{}

func indexOf(property string) int {
	index, _ := strconv.Atoi(property)
	return index
}

func (verdicts) ExecuteLocalTransaction(begun *primitive.Message) primitive.LocalTransactionState {
	if index := indexOf(begun.GetProperty("index")); index%3 != 2 {
		return endOf(index)
	}
	return primitive.UnknowState
}

func (verdicts) CheckLocalTransaction(asked *primitive.MessageExt) primitive.LocalTransactionState {
	tell("asked", fields{"index": asked.GetProperty("index")})
	return endOf(indexOf(asked.GetProperty("index")))
}

func endOf(index int) primitive.LocalTransactionState {
	if index%3 == 1 {
		return primitive.RollbackMessageState
	}
	return primitive.CommitMessageState
}

func sendTransactions(servers primitive.NsResolver, topic string) rocketmq.TransactionProducer {
	sender, err := rocketmq.NewTransactionProducer(verdicts{}, producer.WithNsResolver(servers),
		producer.WithGroupName("go-payments"), producer.WithInstanceName("payments"),
		producer.WithSendMsgTimeout(patience))
	must("transaction producer", err)
	must("start of the transaction producer", sender.Start())
	for i := 48; i < 51; i++ {
		begun := message(topic, i, smallBytes)
		result, err := sender.SendMessageInTransaction(context.Background(), begun)
		must("transaction", err)
		tell("begun", fields{"index": i, "ok": result.Status == primitive.SendOK})
	}
	return sender
}

func administer(servers primitive.NsResolver, broker string, topic string) {
	ctx := context.Background()
	tool, err := admin.NewAdmin(admin.WithResolver(servers))
	must("admin", err)
	other := topic + "-made"
	must("making a topic", tool.CreateTopic(ctx, admin.WithTopicCreate(other),
		admin.WithBrokerAddrCreate(broker), admin.WithReadQueueNums(3), admin.WithWriteQueueNums(3)))
	queues, err := tool.FetchPublishMessageQueues(ctx, other)
	must("the queues of a topic", err)
	tell("made", fields{"queues": len(queues)})
	must("deletion of a topic", tool.DeleteTopic(ctx, admin.WithTopicDelete(other),
		admin.WithBrokerAddrDelete(broker)))
	must("end of the admin", tool.Close())
}

// Polls as long as the program runs.
func poll(servers primitive.NsResolver, topic string) {
	member, err := rocketmq.NewPullConsumer(consumer.WithNsResolver(servers),
		consumer.WithGroupName(topic+"-pull"), consumer.WithInstance("pull"),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	must("pull consumer", err)
	must("subscription of the pull consumer", member.Subscribe(topic, consumer.MessageSelector{}))
	must("start of the pull consumer", member.Start())
	for {
		request, err := member.Poll(context.Background(), pollFor)
		if err != nil {
			continue
		}
		for _, got := range request.GetMsgList() {
			tellGot("pull", "done", got)
		}
		member.ACK(context.Background(), request, consumer.ConsumeSuccess)
	}
}

func main() {
	rlog.SetLogLevel("error")
	servers := primitive.NewPassthroughResolver([]string{os.Args[1]})
	topic := os.Args[3]
	members := []rocketmq.PushConsumer{
		consume(servers, topic, "retry", "*"),
		consume(servers, topic, "tags", "TagA"),
		consume(servers, topic, "orderly", "*", consumer.WithConsumerOrder(true)),
		consume(servers, topic, "broadcast", "*", consumer.WithConsumerModel(consumer.BroadCasting)),
	}
	go poll(servers, topic)
	administer(servers, os.Args[2], topic)
	sender := sendInEachWay(servers, topic)
	payments := sendTransactions(servers, topic)
	tell("done", nil)
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, member := range members {
		must("end of a consumer", member.Shutdown())
	}
	must("end of the producer", sender.Shutdown())
	must("end of the transaction producer", payments.Shutdown())
	tell("closed", nil)
	os.Exit(0)
}

/** What the judge of simulations finds, each promise broken once by hand. */
import {
  type Evidence,
  History,
  judge,
  type SentMessage,
  type StoredMessage,
} from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'

/** A small world in which all went well, to be spoilt. */
class Story {
  readonly history = new History(() => 0)
  readonly queues = new Map<number, StoredMessage[]>()

  /** A message that is sent, stored and acknowledged. */
  store(queueId: number, tag = 'red'): SentMessage {
    const number = this.history.sent.length + 1
    const key = `producer-1/${number}`
    const sent = this.history.send({ key, producer: 'producer-1', tag, body: `${key} body` })
    const queue = this.queues.get(queueId) ?? []
    this.queues.set(queueId, queue)
    queue.push({ key, tag, body: sent.body, queueId, queueOffset: queue.length })
    this.history.acknowledge(sent, { queueId, queueOffset: queue.length - 1 })
    return sent
  }

  begin(sent: SentMessage, changes: Partial<StoredMessage> = {}, wasGivenBack = false) {
    const { queueId = 0, queueOffset = 0 } = sent.acknowledged ?? {}
    const { tag, body } = sent
    const delivery = { consumer: 'consumer-1', tag, body, queueId, queueOffset, ...changes }
    return this.history.deliver(delivery, wasGivenBack)
  }

  handle(sent: SentMessage): void {
    this.history.handled(this.begin(sent))
  }

  commit(queueId: number, queueOffset: number): void {
    this.history.seeCommitted({ queueId, queueOffset })
  }

  findings(evidence: Partial<Evidence> = {}): string[] {
    const { history, queues } = this
    return judge({ history, queues, undisturbed: true, ...evidence }).map(({ rule }) => rule)
  }
}

/** Three messages in each of two queues, handled in order and committed. */
function quiet(): { story: Story; sent: SentMessage[] } {
  const story = new Story()
  const sent = [0, 1, 0, 1, 0, 1].map((queueId) => story.store(queueId))
  for (const message of sent) story.handle(message)
  story.commit(0, 3)
  story.commit(1, 3)
  return { story, sent }
}

test('a story without a broken promise has no findings', () => {
  const { story } = quiet()
  expect(story.findings()).toEqual([])
})

test('repeats and sends without an answer are no findings when something went wrong', () => {
  const { story, sent } = quiet()
  story.history.send({ key: 'producer-1/99', producer: 'producer-1', tag: 'red', body: 'lost' })
  for (const message of sent.slice(2)) story.handle(message)
  expect(story.findings({ undisturbed: false })).toEqual([])
})

test('a message that was given back comes again from elsewhere, and is the same', () => {
  const { story } = quiet()
  const message = story.store(0)
  story.history.failed(story.begin(message))
  story.commit(0, 4)
  story.history.handled(story.begin(message, { queueId: 0, queueOffset: 0 }, true))
  expect(story.findings({ undisturbed: false })).toEqual([])
  expect(story.history.isAllHandled).toBe(true)
})

describe('the judge finds', () => {
  test('an acknowledged message that is not stored', () => {
    const { story } = quiet()
    story.queues.get(1)?.pop()
    expect(story.findings()).toContain('an acknowledged message is where its result says')
  })

  test('an acknowledged message that is stored elsewhere', () => {
    const { story, sent } = quiet()
    story.history.acknowledge(sent[0] as SentMessage, { queueId: 0, queueOffset: 1 })
    expect(story.findings()).toContain('an acknowledged message is where its result says')
  })

  test('a hole in a queue, and an offset that comes twice', () => {
    for (const queueOffset of [2, 4]) {
      const { story } = quiet()
      story.queues.get(0)?.push({ key: 'a', tag: '', body: '', queueId: 0, queueOffset })
      expect(story.findings()).toContain('queues have no holes and no repeats')
    }
  })

  test('a message that nobody sent, and one that was changed', () => {
    for (const change of [{ key: 'producer-9/9' }, { body: 'other' }, { tag: 'blue' }]) {
      const { story } = quiet()
      const queue = story.queues.get(0) ?? []
      story.queues.set(0, [{ ...(queue[0] as StoredMessage), ...change }, ...queue.slice(1)])
      expect(story.findings()).toContain('what is stored was sent, unchanged')
    }
  })

  test('a message that was stored before one that its producer had sent earlier', () => {
    const { story, sent } = quiet()
    const [first, , third] = sent
    if (first?.acknowledged === undefined || third?.acknowledged === undefined) throw new Error()
    first.acknowledged = { ...first.acknowledged, queueOffset: 1 }
    third.acknowledged = { ...third.acknowledged, queueOffset: 0 }
    expect(story.findings()).toContain('a producer’s messages are stored in its order')
  })

  test('a message that was delivered and then taken back', () => {
    const { story } = quiet()
    const late = story.store(0)
    story.handle(late)
    story.queues.get(0)?.pop()
    expect(story.findings()).toContain('what was delivered is what is stored')
  })

  test('a message that was delivered changed', () => {
    const { story, sent } = quiet()
    story.begin(sent[0] as SentMessage, { body: 'producer-1/1 other' })
    expect(story.findings()).toContain('what was delivered is what is stored')
  })

  test('a message that was never delivered, and one whose handler never ended', () => {
    const { story } = quiet()
    const late = story.store(0)
    expect(story.findings()).toEqual(['every message of the subscription is handled'])
    story.begin(late)
    expect(story.findings()).toEqual(['every message of the subscription is handled'])
  })

  test('a message that the group did not subscribe to', () => {
    const { story } = quiet()
    const unwanted = story.store(0, 'blue')
    expect(story.findings({ wantedTags: new Set(['red']) })).toEqual([])
    story.handle(unwanted)
    expect(story.findings({ wantedTags: new Set(['red']) })).toEqual([
      'only messages of the subscription are delivered',
    ])
  })

  test('messages that come for the first time in another order than that of their queue', () => {
    const story = new Story()
    const [one, two] = [story.store(0), story.store(0)]
    story.handle(two)
    story.handle(one)
    expect(story.findings()).toEqual(['messages are first delivered in the order of their queue'])
  })

  test('a consumer that commits before it has handled', () => {
    const story = new Story()
    const message = story.store(0)
    const delivery = story.begin(message)
    story.commit(0, 1)
    story.history.handled(delivery)
    expect(story.findings()).toEqual(['an offset is committed after its messages were handled'])
  })

  test('a commit past a message that was never delivered, though its successor was', () => {
    const story = new Story()
    story.store(0)
    story.handle(story.store(0))
    story.commit(0, 2)
    expect(story.findings()).toContain('an offset is committed after its messages were handled')
  })

  test('a message that was given back and never came again', () => {
    const story = new Story()
    story.history.failed(story.begin(story.store(0)))
    story.commit(0, 1)
    expect(story.findings()).toEqual(['every message of the subscription is handled'])
    expect(story.history.isAllHandled).toBe(false)
  })

  test('a message that comes twice in quiet times, and one that is stored twice', () => {
    const { story, sent } = quiet()
    story.handle(sent[0] as SentMessage)
    expect(story.findings()).toEqual(['nothing is stored or delivered twice in quiet times'])
    const again = quiet().story
    const [first] = again.queues.get(0) ?? []
    again.queues.get(0)?.push({ ...(first as StoredMessage), queueOffset: 3 })
    expect(again.findings()).toContain('nothing is stored or delivered twice in quiet times')
  })

  test('a committed offset that moves back, unless something went wrong', () => {
    const { story } = quiet()
    story.commit(0, 1)
    expect(story.findings()).toEqual(['a committed offset does not move back in quiet times'])
    expect(story.findings({ undisturbed: false })).toEqual([])
  })
})

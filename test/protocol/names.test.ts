/** Which names topics and groups may have: `broker-api.md`, section 2.6. */
import {
  groupNameProblem,
  isDeadLetterTopic,
  isRetryTopic,
  isSendForbidden,
  isSystemTopic,
  retryTopicOf,
  topicNameProblem,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'

describe('a name', () => {
  it.each(['TopicTest', 'a-b_c|d%e', '0'.repeat(127), `%RETRY%${'g'.repeat(247)}`, '%DLQ%g'])(
    'of a topic may be %s',
    (topic) => {
      expect(topicNameProblem(topic)).toBeUndefined()
    },
  )

  it.each([
    ['', 'is empty'],
    ['a.b', 'not allowed'],
    ['../x', 'not allowed'],
    ['a b', 'not allowed'],
    ['ü', 'not allowed'],
    ['0'.repeat(128), '128 characters, 127'],
    [`%RETRY%${'g'.repeat(249)}`, '256 characters, 255'],
  ])('of a topic may not be "%s"', (topic, problem) => {
    expect(topicNameProblem(topic)).toContain(problem)
  })

  it('of a group may have 120 characters', () => {
    expect(groupNameProblem('g'.repeat(120))).toBeUndefined()
    expect(groupNameProblem('g'.repeat(121))).toContain('121 characters, 120')
  })

  it('of a group makes the topic of its retries', () => {
    expect(retryTopicOf('g')).toBe('%RETRY%g')
    expect(isRetryTopic('%RETRY%g')).toBe(true)
    expect(isDeadLetterTopic('%DLQ%g')).toBe(true)
    expect(isRetryTopic('g')).toBe(false)
  })

  it('can belong to the system', () => {
    expect(isSystemTopic('TBW102')).toBe(true)
    expect(isSendForbidden('TBW102')).toBe(false)
    expect(isSendForbidden('SCHEDULE_TOPIC_XXXX')).toBe(true)
    expect(isSystemTopic('rmq_sys_wheel_timer')).toBe(true)
    expect(isSystemTopic('TopicTest')).toBe(false)
  })
})

/** Bodies of JSON that are longer than any client needs. */
import {
  CHECK_CLIENT_CONFIG,
  type Command,
  HEART_BEAT,
  responseCode,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
} from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { BrokerScene, timeoutMs } from './scene.ts'

const commands = [HEART_BEAT, CHECK_CLIENT_CONFIG, UPDATE_AND_CREATE_SUBSCRIPTIONGROUP]

test.each(commands as readonly Command[])(
  '$name with many MiB of objects is refused unread, with a sentence',
  async (command) => {
    const scene = await BrokerScene.started()
    const body = [Buffer.from(`[${'{},'.repeat(3 * 1024 * 1024)}{}]`)]
    const { remoting } = scene.client()
    const call = remoting.call(scene.address, command, {}, { body, timeoutMs })
    const answer = await scene.settle(call)
    expect(answer.code).toBe(responseCode.INVALID_PARAMETER)
    expect(answer.remark).toMatch(/has \d+ bytes, 1048576 are possible/)
  },
)

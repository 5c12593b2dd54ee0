/**
 * What a slave refuses, whatever handles it at a master: it writes nothing of its own, for its log and
 * its tables are its master's. One table from command to refusal, with Apache's codes and remarks.
 * Source: Apache classes SendMessageProcessor, PullMessageProcessor (`rejectRequest`),
 * EndTransactionProcessor, RecallMessageProcessor, AdminBrokerProcessor (`validateSlave`).
 */
import {
  CLEAN_UNUSED_TOPIC,
  CLONE_GROUP_OFFSET,
  CONSUMER_SEND_MSG_BACK,
  type Command,
  DELETE_SUBSCRIPTIONGROUP,
  DELETE_TOPIC_IN_BROKER,
  END_TRANSACTION,
  type FieldTable,
  INVOKE_BROKER_TO_RESET_OFFSET,
  LITE_PULL_MESSAGE,
  PULL_MESSAGE,
  RECALL_MESSAGE,
  type ResponseCode,
  responseCode,
  SEND_BATCH_MESSAGE,
  SEND_MESSAGE,
  SEND_MESSAGE_V2,
  SEND_REPLY_MESSAGE,
  SEND_REPLY_MESSAGE_V2,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'

/** A command of any fields: it is refused before they matter. */
type AnyCommand = Command<FieldTable, FieldTable>

interface RefusalRow {
  readonly commands: readonly unknown[]
  readonly code: ResponseCode
  readonly remark: string
}

const rejected =
  '[REJECTREQUEST]system busy, start flow control for a while: this broker is a slave'

const rows: readonly RefusalRow[] = [
  {
    commands: [
      ...[SEND_MESSAGE, SEND_MESSAGE_V2, SEND_BATCH_MESSAGE, CONSUMER_SEND_MSG_BACK],
      ...[SEND_REPLY_MESSAGE, SEND_REPLY_MESSAGE_V2],
    ],
    code: responseCode.SYSTEM_BUSY,
    remark: `${rejected}, send to its master`,
  },
  {
    commands: [END_TRANSACTION, RECALL_MESSAGE],
    code: responseCode.SLAVE_NOT_AVAILABLE,
    remark: 'the broker is a slave: it ends no transaction and recalls no message, ask its master',
  },
  {
    commands: [
      UPDATE_AND_CREATE_TOPIC,
      DELETE_TOPIC_IN_BROKER,
      CLEAN_UNUSED_TOPIC,
      UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
      UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST,
      DELETE_SUBSCRIPTIONGROUP,
    ],
    code: responseCode.SYSTEM_ERROR,
    remark:
      "Can't modify topic or subscription group from slave broker, please execute it from master " +
      'broker.',
  },
  {
    commands: [INVOKE_BROKER_TO_RESET_OFFSET, CLONE_GROUP_OFFSET],
    code: responseCode.SYSTEM_ERROR,
    remark: 'Can not reset offset in slave broker',
  },
]

const pulls: RefusalRow = {
  commands: [PULL_MESSAGE, LITE_PULL_MESSAGE],
  code: responseCode.SYSTEM_BUSY,
  remark: `${rejected} with slaveReadEnable=false, read from its master`,
}

/** Takes the place of the handlers that are there: the last to be added. */
export function refuseAtSlave(
  router: Router,
  { slaveReadEnable }: { readonly slaveReadEnable: boolean },
): void {
  for (const { code, commands, remark } of slaveReadEnable ? rows : [...rows, pulls]) {
    for (const command of commands) {
      router.on(command as AnyCommand, () => {
        throw new Refusal(code, remark)
      })
    }
  }
}

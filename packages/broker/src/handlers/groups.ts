/**
 * Consumer groups: create, change, delete, list, and what they may not read.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 9.
 */
import {
  asList,
  asObject,
  DELETE_SUBSCRIPTIONGROUP,
  encodeGroupForbidden,
  GET_ALL_MESSAGE_REQUEST_MODE,
  GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
  GET_SUBSCRIPTIONGROUP_CONFIG,
  parseFastjson,
  responseCode,
  type SubscriptionGroupConfig,
  subscriptionGroupOf,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST,
  UPDATE_AND_GET_GROUP_FORBIDDEN,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import { changedAttributes, groupProblem } from '../rules/group-settings.ts'
import { shortBody } from '../rules/json-body.ts'
import { pageOf } from '../rules/table-page.ts'
import type { SavedTable } from '../services/table-files.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { OffsetTable } from '../tables/offsets.ts'

export interface GroupParts {
  readonly groups: GroupTable
  readonly offsets: OffsetTable
  readonly saved: SavedTable
}

export function handleGroups(router: Router, { groups, offsets, saved }: GroupParts): void {
  router
    .on(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, async (_header, { body }) => {
      groups.put(wanted(jsonOf(body), groups))
      await saved.upToDate()
      return {}
    })
    .on(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, async (_header, { body }) => {
      const list = asList(asObject(jsonOf(body))['groupConfigList'])
      // All or none: a group that is refused must not leave those before it changed.
      for (const group of list.map((json) => wanted(json, groups))) groups.put(group)
      await saved.upToDate()
      return {}
    })
    .on(DELETE_SUBSCRIPTIONGROUP, async ({ groupName, cleanOffset, removeOffset }) => {
      groups.delete(groupName)
      if (cleanOffset === true || removeOffset === true) offsets.deleteGroup(groupName)
      await saved.upToDate()
      return {}
    })
    .on(GET_ALL_SUBSCRIPTIONGROUP_CONFIG, ({ dataVersion, groupSeq: seq, maxGroupNum }) => {
      const wish = { seq, dataVersion, maxRows: maxGroupNum }
      const { names, total } = pageOf(groups.names(), wish, groups.dataVersion)
      return {
        header: { totalGroupNum: total },
        body: [Buffer.from(JSON.stringify(groups.toJson(names)))],
      }
    })
    // Nobody is pushed messages here: consumers ask for them.
    .on(GET_ALL_MESSAGE_REQUEST_MODE, () => ({
      body: [Buffer.from('{"messageRequestModeMap":{}}')],
    }))
    .on(GET_SUBSCRIPTIONGROUP_CONFIG, ({ group }) => {
      const known = groups.get(group)
      if (known !== undefined) return { body: [Buffer.from(JSON.stringify(known))] }
      throw new Refusal(
        responseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        `No group in this broker: "${group}" does not exist, create it with mqadmin updateSubGroup`,
      )
    })
    .on(UPDATE_AND_GET_GROUP_FORBIDDEN, async ({ group, readable, topic }) => {
      if (readable !== undefined) {
        groups.setReadable(group, topic, readable)
        await saved.upToDate()
      }
      return { body: [encodeGroupForbidden(group, topic, groups.mayRead(group, topic))] }
    })
}

function jsonOf(body: Buffer): unknown {
  return parseFastjson(shortBody(body).toString())
}

/** The settings that are asked for. Throws `Refusal` when they are not possible. */
function wanted(json: unknown, groups: GroupTable): SubscriptionGroupConfig {
  const config = subscriptionGroupOf(json)
  const known = groups.get(config.groupName)
  const full = known === undefined && !groups.hasRoom
  const problem =
    groupProblem(config) ?? (full ? 'this broker has as many as it can keep' : undefined)
  if (problem !== undefined) {
    throw new Refusal(
      responseCode.INVALID_PARAMETER,
      `the group "${config.groupName}" was not changed: ${problem}`,
    )
  }
  const attributes = changedAttributes(known?.attributes ?? {}, config.attributes)
  if (typeof attributes !== 'string') return { ...config, attributes }
  throw new Refusal(
    responseCode.SYSTEM_ERROR,
    `the group "${config.groupName}" was not changed: ${attributes}`,
  )
}

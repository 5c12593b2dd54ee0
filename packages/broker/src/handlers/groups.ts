/**
 * Consumer groups: create, change, delete, list.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 9.
 */
import {
  DELETE_SUBSCRIPTIONGROUP,
  GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
  GET_SUBSCRIPTIONGROUP_CONFIG,
  groupNameProblem,
  parseFastjson,
  responseCode,
  subscriptionGroupOf,
  UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import { shortBody } from '../rules/json-body.ts'
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
      const config = subscriptionGroupOf(parseFastjson(shortBody(body).toString()))
      const problem = groupNameProblem(config.groupName)
      if (problem !== undefined) throw new Refusal(responseCode.INVALID_PARAMETER, problem)
      groups.put(config)
      await saved.upToDate()
      return {}
    })
    .on(DELETE_SUBSCRIPTIONGROUP, async ({ groupName, cleanOffset, removeOffset }) => {
      groups.delete(groupName)
      if (cleanOffset === true || removeOffset === true) offsets.deleteGroup(groupName)
      await saved.upToDate()
      return {}
    })
    .on(GET_ALL_SUBSCRIPTIONGROUP_CONFIG, () => ({
      body: [Buffer.from(JSON.stringify(groups.toJson()))],
    }))
    .on(GET_SUBSCRIPTIONGROUP_CONFIG, ({ group }) => {
      const config = groups.get(group)
      if (config !== undefined) return { body: [Buffer.from(JSON.stringify(config))] }
      throw new Refusal(
        responseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
        `the group "${group}" does not exist: create it with mqadmin updateSubGroup`,
      )
    })
}

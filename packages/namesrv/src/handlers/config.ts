/**
 * GET_NAMESRV_CONFIG and UPDATE_NAMESRV_CONFIG: the configuration, read and changed at run time.
 * Source: Apache class DefaultRequestProcessor; `namesrv.md` section 10.
 */
import type { Logger } from '@rockhopper/host'
import {
  ConfigError,
  formatConfig,
  GET_NAMESRV_CONFIG,
  parseProperties,
  responseCode,
  UPDATE_NAMESRV_CONFIG,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import { isBlackListed, type NamesrvConfig, namesrvConfigTable } from '../config.ts'
import { MAX_CONFIG_UPDATE_BYTES } from '../limits.ts'
import type { LiveConfig } from '../live-config.ts'
import { onDisk } from '../rules/on-disk.ts'

export function handleConfig(router: Router, config: LiveConfig, logger: Logger): void {
  router
    .on(GET_NAMESRV_CONFIG, () => ({
      body: [Buffer.from(formatConfig(namesrvConfigTable, config.current))],
    }))
    .on(UPDATE_NAMESRV_CONFIG, async (_header, { body, connection }) => {
      if (body.length === 0) return {}
      const text = updateText(body, config.current)
      const keys = await explained(onDisk('the configuration', config.update(text)))
      if (keys.length > 0) {
        logger.info('The configuration was changed.', { keys, peer: connection.remote })
      }
      return {}
    })
}

function updateText(body: Buffer, config: NamesrvConfig): string {
  if (body.length > MAX_CONFIG_UPDATE_BYTES) {
    const remark = `a change of the configuration may have ${MAX_CONFIG_UPDATE_BYTES} bytes at most`
    throw new Refusal(responseCode.SYSTEM_ERROR, remark)
  }
  const text = body.toString()
  const listed = parseProperties(text).find(({ key }) => isBlackListed(config, key))
  if (listed === undefined) return text
  throw new Refusal(
    responseCode.NO_PERMISSION,
    `Can not update config in black list. ${listed.key} is on it.`,
  )
}

async function explained<T>(change: Promise<T>): Promise<T> {
  try {
    return await change
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new Refusal(responseCode.SYSTEM_ERROR, error.message)
  }
}

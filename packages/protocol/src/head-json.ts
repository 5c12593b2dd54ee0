/**
 * Heads as JSON text (serialization 0), the form of every Apache client's default.
 * Source: Apache class RemotingSerializable; `remoting.md` section 2.
 */
import { FrameError, type Head, serialization } from './head.ts'
import { languageCode, languageName } from './identity.ts'
import { isNestedTooDeep, MAX_JSON_DEPTH } from './json-depth.ts'

type Json = Readonly<Record<string, unknown>>

/** Reads a JSON head. Throws `FrameError` when the text is not a JSON object. */
export function decodeJsonHead(text: Buffer): Head {
  const json = parseObject(text)
  return {
    code: numberOf(json['code']),
    opaque: numberOf(json['opaque']),
    flag: numberOf(json['flag']),
    version: numberOf(json['version']),
    language: languageCode(json['language'] ?? 'JAVA'),
    remark: typeof json['remark'] === 'string' ? json['remark'] : undefined,
    serialization: serialization.json,
    ext: { form: 'map', map: isObject(json['extFields']) ? json['extFields'] : {} },
  }
}

/**
 * The head as JSON text; `ext` are its ext fields without the braces around them, undefined when the
 * head is to have none.
 */
export function jsonHead(
  head: Omit<Head, 'ext' | 'serialization'>,
  ext: string | undefined,
): string {
  const extFields = ext === undefined ? '' : `,"extFields":{${ext}}`
  const remark = head.remark === undefined ? '' : `,"remark":${JSON.stringify(head.remark)}`
  return (
    `{"code":${head.code}${extFields},"flag":${head.flag},` +
    `"language":"${languageName(head.language)}","opaque":${head.opaque}${remark},` +
    `"serializeTypeCurrentRPC":"JSON","version":${head.version}}`
  )
}

function parseObject(bytes: Buffer): Json {
  const text = bytes.toString()
  if (isNestedTooDeep(text)) {
    throw new FrameError(`the JSON head is nested deeper than ${MAX_JSON_DEPTH} levels`)
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new FrameError('the JSON head is not JSON', { cause: error })
  }
  if (!isObject(json)) throw new FrameError('the JSON head is not an object')
  return json
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Only a number or a text can be one: the conversion of an object may throw. */
function numberOf(value: unknown): number {
  if (value === undefined || value === null) return 0
  const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN
  if (Number.isInteger(number)) return number | 0
  throw new FrameError(`a number of the JSON head is ${JSON.stringify(value).slice(0, 40)}`)
}

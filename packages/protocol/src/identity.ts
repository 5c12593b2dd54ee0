/**
 * How the suite names itself to its peers. Source: Apache classes MQVersion and LanguageCode.
 */

/** V5_3_3: the behaviour that peers may expect of us. */
export const PROTOCOL_VERSION = 479

const FIRST_ALTERNATING_ORDINAL = 213
const HIGHER_VERSION_ORDINAL = 612

/** `V5_3_3` for 479: the name of a version ordinal, from 4.0.0 on. */
export function versionName(ordinal: number): string {
  if (ordinal >= HIGHER_VERSION_ORDINAL) return 'HIGHER_VERSION'
  if (ordinal < FIRST_ALTERNATING_ORDINAL - 1) return `V3_OR_OLDER_${ordinal}`
  const step = ordinal - FIRST_ALTERNATING_ORDINAL
  const release = Math.ceil(step / 2)
  const digits = `V${4 + Math.floor(release / 100)}_${Math.floor(release / 10) % 10}_${release % 10}`
  return step % 2 === 0 ? digits : `${digits}_SNAPSHOT`
}

const LANGUAGES: readonly string[] = [
  'JAVA',
  'CPP',
  'DOTNET',
  'PYTHON',
  'DELPHI',
  'ERLANG',
  'RUBY',
  'OTHER',
  'HTTP',
  'GO',
  'PHP',
  'OMS',
  'RUST',
  'NODE_JS',
]

/**
 * What we send: OTHER. NODE_JS exists since 5.3.2 only, and an older server loses track of a client
 * whose language it cannot name.
 */
export const LANGUAGE_OTHER = LANGUAGES.indexOf('OTHER')

export function languageName(code: number): string {
  return LANGUAGES[code] ?? 'OTHER'
}

/** The code of a language name; −1 for a name nobody has told us about, which is no error. */
export function languageCode(name: unknown): number {
  if (typeof name === 'number') return name
  return typeof name === 'string' ? LANGUAGES.indexOf(name) : -1
}

/** Ext field by which a client asks, and a server of this suite shows, that it reads msgpack heads. */
export const ACCEPT_SERIALIZATION = 'acceptSerialization'

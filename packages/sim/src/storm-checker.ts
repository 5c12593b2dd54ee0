/**
 * Judges what happened to the groups of a storm by what consumers are promised. Pure: each rule
 * takes the evidence and gives back a sentence for each broken promise.
 */
import type { Finding } from './run.ts'
import type { StormDelivery, StormHistory, StormSpot, Trouble } from './storm-history.ts'
import type { GroupProgress } from './storm-operator.ts'

export interface StormEvidence {
  readonly history: Pick<StormHistory, 'sent' | 'deliveries' | 'troubles' | 'standstills'>
  readonly groups: readonly { readonly group: string; readonly isOrderly: boolean }[]
  /** Everything the topics have at the end. */
  readonly stored: readonly (StormSpot & { readonly key: string })[]
  /** How far each group is at the end. */
  readonly progress: ReadonlyMap<string, readonly GroupProgress[]>
  /** Whose each queue is at the end, by group and queue. */
  readonly owners: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>
}

/** A queue that has messages is not left alone for longer. */
const IDLE_LIMIT_MS = 30_000
/** The members hear of a change from the brokers, and do not wait for their next turn (20 s). */
const UNOWNED_LIMIT_MS = 10_000
/** What is under way when a trouble ends is explained by it, too. */
const AFTERMATH_MS = 10_000
/** Who joined while a broker was away learns of it with the next look at the routes, and asks it then. */
export const BROKER_AFTERMATH_MS = 12_000

type Rule = (evidence: StormEvidence) => string[]

const RULES: Readonly<Record<string, Rule>> = {
  'an acknowledged message is where its result says': lostMessages,
  'every group handles every message': unhandledMessages,
  'a message comes twice only after a kill': unexplainedRepeats,
  'an orderly queue is handled by one at a time': overlaps,
  'an orderly queue is handled in its order': overtakings,
  'a queue with messages does not stand still for 30 s': standstills('idle', IDLE_LIMIT_MS),
  'a queue without an owner gets one at once': standstills('unowned', UNOWNED_LIMIT_MS),
  'in the end each queue has one owner': doubtfulOwners,
  'in the end everything is committed': uncommitted,
}

/** Every broken promise; of each rule at most `limit`. */
export function judgeStorm(evidence: StormEvidence, limit = 4): Finding[] {
  return Object.entries(RULES).flatMap(([rule, check]) => {
    const found = check(evidence)
    const more = found.length > limit ? [`and so ${found.length - limit} times more`] : []
    return [...found.slice(0, limit), ...more].map((sentence) => ({ rule, sentence }))
  })
}

function lostMessages({ history, stored }: StormEvidence): string[] {
  const places = new Map(stored.map((each) => [`${each.queue} ${each.queueOffset}`, each.key]))
  return history.sent.flatMap(({ key, acknowledged }) => {
    if (acknowledged === undefined) return []
    const place = `${acknowledged.queue} ${acknowledged.queueOffset}`
    return places.get(place) === key ? [] : [`${key} was acknowledged as ${place}`]
  })
}

function unhandledMessages({ groups, history, stored }: StormEvidence): string[] {
  const handled = new Set(
    history.deliveries
      .filter(({ end }) => end?.how === 'handled')
      .map(({ group, key }) => `${group} ${key}`),
  )
  return groups.flatMap(({ group }) =>
    stored
      .filter(({ key }) => !handled.has(`${group} ${key}`))
      .map(
        ({ key, queue, queueOffset }) => `${group} never handled ${key} (${queue} ${queueOffset})`,
      ),
  )
}

function unexplainedRepeats({ history }: StormEvidence): string[] {
  return repeats(history.deliveries).flatMap(([before, again]) => {
    const isExplained = before.some((each) => explains(history.troubles, each, again))
    if (isExplained) return []
    const first = before.map((each) => shown(each)).join(', and ')
    return [`${shown(again)}, but ${first}`]
  })
}

/**
 * Deliveries of messages that their group had before, each with those before it. A message whose
 * handler failed is to come again.
 */
export function repeats(
  deliveries: readonly StormDelivery[],
): (readonly [before: readonly StormDelivery[], again: StormDelivery])[] {
  const known = new Map<string, StormDelivery[]>()
  return deliveries.flatMap((delivery) => {
    const name = `${delivery.group} ${delivery.key}`
    const before = known.get(name)
    known.set(name, [...(before ?? []), delivery])
    const isRepeat = before !== undefined && before.at(-1)?.end?.how !== 'failed'
    return isRepeat ? [[before, delivery] as const] : []
  })
}

/**
 * Whether one of those who had the message was killed or cut off meanwhile; or a broker ended: each of
 * them knows who the members are, and the queue's own how far the group is. That another member was
 * cut off explains nothing: what it says late does not put its group back.
 */
function explains(
  troubles: readonly Trouble[],
  before: StormDelivery,
  again: StormDelivery,
): boolean {
  return troubles.some(({ who, fromMs, untilMs }) => {
    if (!isBroker(who) && who !== before.member && who !== again.member) return false
    const aftermathMs = isBroker(who) ? BROKER_AFTERMATH_MS : AFTERMATH_MS
    return fromMs <= again.atMs && untilMs + aftermathMs >= before.atMs
  })
}

function placeOf({ group, queue }: StormDelivery): string {
  return `${group} ${queue}`
}

function overlaps(evidence: StormEvidence): string[] {
  return orderlyQueues(evidence).flatMap((deliveries) => {
    const found: string[] = []
    let busy: StormDelivery | undefined
    for (const delivery of deliveries) {
      const isBusy = busy !== undefined && (busy.end?.step ?? Infinity) > delivery.step
      if (busy !== undefined && isBusy) {
        const until =
          busy.end === undefined ? 'is still busy' : `was busy until ${time(busy.end.atMs)}`
        found.push(`${shown(delivery)} while ${busy.member} ${until} with ${spot(busy)}`)
      }
      if (!isBusy || (busy?.end?.step ?? Infinity) < (delivery.end?.step ?? Infinity))
        busy = delivery
    }
    return found
  })
}

/** A message is not begun before all in front of it were handled by somebody. */
function overtakings(evidence: StormEvidence): string[] {
  return orderlyQueues(evidence).flatMap((deliveries) => {
    const handled = new Map<number, number>()
    for (const { end, queueOffset } of deliveries) {
      if (end?.how !== 'handled') continue
      handled.set(queueOffset, Math.min(end.step, handled.get(queueOffset) ?? Infinity))
    }
    let next = 0
    return deliveries.flatMap((delivery) => {
      while ((handled.get(next) ?? Infinity) < delivery.step) next++
      return delivery.queueOffset > next
        ? [`${shown(delivery)} before offset ${next} was handled`]
        : []
    })
  })
}

function standstills(kind: 'idle' | 'unowned', limitMs: number): Rule {
  return ({ history }) =>
    history.standstills
      .filter((each) => each.kind === kind && each.untilMs - each.fromMs > limitMs)
      .map(({ fromMs, group, queue, untilMs }) => {
        const seconds = ((untilMs - fromMs) / 1000).toFixed(1)
        return `${queue} of ${group} from ${time(fromMs)} on for ${seconds} s`
      })
}

function doubtfulOwners({ owners }: StormEvidence): string[] {
  return [...owners].flatMap(([group, queues]) =>
    [...queues]
      .filter(([, members]) => members.length !== 1)
      .map(([queue, members]) => `${queue} of ${group} has ${members.join(' and ') || 'nobody'}`),
  )
}

function uncommitted({ progress }: StormEvidence): string[] {
  return [...progress].flatMap(([group, queues]) =>
    queues
      .filter(({ committedOffset, endOffset }) => committedOffset !== endOffset)
      .map(
        ({ committedOffset, endOffset, queue }) =>
          `${group} is at ${committedOffset} of ${endOffset} in ${queue}`,
      ),
  )
}

/** The deliveries of each queue of each orderly group, in order. */
function orderlyQueues({ groups, history }: StormEvidence): StormDelivery[][] {
  const orderly = new Set(groups.filter(({ isOrderly }) => isOrderly).map(({ group }) => group))
  const queues = new Map<string, StormDelivery[]>()
  for (const delivery of history.deliveries) {
    if (!orderly.has(delivery.group)) continue
    const name = placeOf(delivery)
    const known = queues.get(name)
    if (known === undefined) queues.set(name, [delivery])
    else known.push(delivery)
  }
  return [...queues.values()]
}

function isBroker(who: string): boolean {
  return who.startsWith('broker-')
}

/** The longest standstill of a kind, in ms. */
export function longest(
  history: Pick<StormHistory, 'standstills'>,
  kind: 'idle' | 'unowned',
): number {
  const times = history.standstills
    .filter((each) => each.kind === kind)
    .map(({ fromMs, untilMs }) => untilMs - fromMs)
  return Math.max(0, ...times)
}

function shown(delivery: StormDelivery): string {
  return `${delivery.member} got ${delivery.key} (${spot(delivery)}) at ${time(delivery.atMs)}`
}

function spot({ queue, queueOffset }: StormDelivery): string {
  return `${queue} offset ${queueOffset}`
}

function time(atMs: number): string {
  return `${(atMs / 1000).toFixed(3)} s`
}

/** A store directory goes from broker to broker, each killed while it takes messages. */
import { apache } from './apache.ts'
import { ours } from './ours.ts'
import { describeTravel } from './store-travel-facts.ts'

describeTravel('a store that our broker made, after kills', [
  { family: ours, end: 'kill' },
  { family: apache, end: 'kill' },
  { family: ours, end: 'kill' },
  { family: apache },
])

describeTravel('a store that Apache made, after kills', [
  { family: apache, end: 'kill' },
  { family: ours, end: 'kill' },
  { family: apache, end: 'kill' },
  { family: ours },
])

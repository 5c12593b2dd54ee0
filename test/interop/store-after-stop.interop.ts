/** A store directory goes from our broker to Apache's and back, each stopped in good order. */
import { apache } from './apache.ts'
import { ours } from './ours.ts'
import { describeTravel } from './store-travel-facts.ts'

describeTravel('a store that our broker made, after orderly stops', [
  { family: ours, end: 'stop' },
  { family: apache, end: 'stop' },
  { family: ours },
])

describeTravel('a store that Apache made, after orderly stops', [
  { family: apache, end: 'stop' },
  { family: ours, end: 'stop' },
  { family: apache },
])

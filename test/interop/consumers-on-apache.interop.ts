/**
 * Our consumers on Apache's servers, and Apache's own: when those fail, the harness is wrong, not
 * we.
 */
import { inject } from 'vitest'
import { describeConsumers } from './consumer-facts.ts'

describeConsumers('Apache', ['5.3.3', 'ours'], async () => inject('apacheServers'))

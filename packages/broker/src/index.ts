/**
 * Keeps messages and hands them to consumers.
 */
export { type Broker, startBroker } from './broker.ts'
export {
  type BrokerConfig,
  brokerConfigTable,
  completeBrokerConfig,
  readBrokerConfig,
} from './config.ts'

/**
 * Keeps copies of a log equal to it: machines that decide, and drivers that do what they say.
 */
export { FollowerDriver, type FollowerLog, type FollowerOptions } from './follower-driver.ts'
export {
  type FollowerFigures,
  LeaderDriver,
  type LeaderLog,
  type LeaderOptions,
  type Mark,
} from './leader-driver.ts'

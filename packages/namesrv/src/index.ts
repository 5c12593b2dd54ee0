/**
 * Who serves which topic right now: the name server, to be started by a program or inside a test.
 */
export { type NamesrvConfig, namesrvConfigTable, readNamesrvConfig } from './config.ts'
export { type Namesrv, startNamesrv } from './namesrv.ts'

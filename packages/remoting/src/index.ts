/**
 * Requests and answers over connections: the remoting protocol, without knowing what it is about.
 */
export { type ClientOptions, RemotingClient } from './client.ts'
export type { Answer, Asked, CallOptions, Connection, Reply, Translation } from './connection.ts'
export { ConnectionError, Refusal, RemoteError, TimeoutError } from './errors.ts'
export { type Handler, type RequestContext, type Result, Router } from './router.ts'
export { RemotingServer, type ServerOptions } from './server.ts'

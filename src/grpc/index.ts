export { isLoopback, joinAddress, splitAddress } from './address.js';
export { type CallOptions, RpcChannel, type RpcChannelOptions, type UnaryReply } from './channel.js';
export type { ChannelSecurity } from './channel-credentials.js';
export { defaultRpcLimits, type RpcLimits } from './limits.js';
export { RpcServer, type RpcServerOptions, type ServerSecurity } from './server.js';
export type { ServerTls } from './server-tls.js';
export {
  type CallContext,
  type DuplexHandler,
  type MessageCodec,
  type RpcDuplex,
  type RpcService,
  type UnaryHandler,
  unaryOf,
} from './service.js';
export { openStream, type StreamOptions } from './stream/stream-client.js';
export { ROOM_BYTES } from './stream/wire-duplex.js';

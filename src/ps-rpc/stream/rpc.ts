import { MonolithError } from '../../base/index.js';
import { openStream, RpcChannel, type RpcChannelOptions, type RpcDuplex } from '../../grpc/index.js';
import type { MessageDuplex } from './duplex.js';
import { MOST_FRAME_BYTES } from './frame.js';
import type { ShardConnect } from './patience.js';

/** Full name of the service of protos/shard_stream.proto. */
export const SHARD_STREAM_SERVICE = 'monolith_local.shard_stream.ShardStream';

/** One attempt to reach an address; the caller tries again, asking for the address anew. */
const CONNECT_TIMEOUT_MS = 1000;

/** How long the other side has to close its half of a stream before it is cut. */
const CLOSE_TIMEOUT_MS = 1000;

/** A stream of a gRPC call as the shard stream wants it. */
export function rpcMessages(stream: RpcDuplex, side: 'server' | 'client', whenOver: () => void = () => {}): MessageDuplex {
  let open = true;
  const duplex: MessageDuplex = {
    peer: stream.peer,
    onMessage: null,
    onEnd: null,
    send: (message, done, framed) => {
      // A server reads on when its answers have gone out: a client that asks and does not listen fills nothing here.
      if (open && !stream.write(message, done, framed) && side === 'server') stream.pause();
    },
    close: () => {
      if (!open) return;
      open = false;
      stream.end();
      if (side === 'client') {
        const timer = setTimeout(() => stream.fail(new MonolithError('Cancelled', `${stream.peer}: closed`)), CLOSE_TIMEOUT_MS);
        timer.unref();
        stream.onClose(() => clearTimeout(timer));
      }
    },
  };
  const end = (reason: MonolithError | null): void => {
    if (!open) return;
    open = false;
    duplex.onEnd?.(reason);
  };
  if (side === 'server') stream.onDrain(() => stream.resume());
  stream.onMessage((message) => {
    if (open) duplex.onMessage?.(message);
  });
  stream.onEnd(() => {
    end(null);
    if (side === 'server') stream.end();
  });
  stream.onClose((error) => {
    end(error === null ? null : MonolithError.from(error));
    whenOver();
  });
  return duplex;
}

export type RpcShardOptions = {
  /** Where the shard is now, host:port; asked before each attempt. */
  readonly resolveAddress: () => Promise<string>;
  readonly channel?: RpcChannelOptions;
};

/** For {@link ShardBridge}: streams of lookups and gradients, each on a connection of its own that is made for large messages. */
export function rpcExchange({ resolveAddress, channel = {} }: RpcShardOptions): ShardConnect {
  return async () => {
    const options = { ...channel, messageBytes: MOST_FRAME_BYTES, connectMs: CONNECT_TIMEOUT_MS };
    return rpcMessages(await openStream(await resolveAddress(), `/${SHARD_STREAM_SERVICE}/Exchange`, options), 'client');
  };
}

/** For {@link RemoteShard}: one stream for each call, each with a connection of its own, so that one that is stuck takes no other with it. */
export function rpcControl({ resolveAddress, channel = {} }: RpcShardOptions): ShardConnect {
  return async () => {
    const connection = new RpcChannel(await resolveAddress(), { ...channel, keepNothing: true });
    try {
      await connection.ready(CONNECT_TIMEOUT_MS);
      return rpcMessages(connection.duplex(`/${SHARD_STREAM_SERVICE}/Control`), 'client', () => connection.close());
    } catch (error) {
      connection.close();
      throw error;
    }
  };
}

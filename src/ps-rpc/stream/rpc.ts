import { MonolithError } from '../../base/index.js';
import { RpcChannel, type RpcChannelOptions, type RpcDuplex } from '../../grpc/index.js';
import type { MessageDuplex } from './duplex.js';
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
    send: (message, done) => {
      if (open) stream.write(message, done);
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

/** Opens streams of one method of a shard; each has a connection of its own, so that one that is stuck takes no other with it. */
function rpcConnect(method: string, { resolveAddress, channel = {} }: RpcShardOptions): ShardConnect {
  return async () => {
    const connection = new RpcChannel(await resolveAddress(), { ...channel, keepNothing: true });
    try {
      await connection.ready(CONNECT_TIMEOUT_MS);
      return rpcMessages(connection.duplex(`/${SHARD_STREAM_SERVICE}/${method}`), 'client', () => connection.close());
    } catch (error) {
      connection.close();
      throw error;
    }
  };
}

/** For {@link ShardBridge}: streams of lookups and gradients. */
export function rpcExchange(options: RpcShardOptions): ShardConnect {
  return rpcConnect('Exchange', options);
}

/** For {@link RemoteShard}: one stream for each call. */
export function rpcControl(options: RpcShardOptions): ShardConnect {
  return rpcConnect('Control', options);
}

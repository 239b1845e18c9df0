// A parameter-server process for tests that kill it: node shard-process.js SHARD SHARDS STATE-FOLDER PORT; prints its address.
import { RpcServer } from '../../src/grpc/index.js';
import { ShardHost } from '../../src/ps-rpc/index.js';

const [shard, numShards, stateFolder, port] = process.argv.slice(2);
const host = new ShardHost({ shard: Number(shard), numShards: Number(numShards), backend: 'auto', stateFolder, journalBytes: 1_000_000 });
const server = await RpcServer.start({ services: host.services, port: Number(port) });
process.stdout.write(`${server.address}\n`);
process.stdin.on('end', () => process.exit(0)).resume();

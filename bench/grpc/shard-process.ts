// One parameter-server process for rows.bench: prints its address and serves until the chief says that the job is done.
import { RpcServer } from '../../src/grpc/index.js';
import { ShardHost } from '../../src/ps-rpc/index.js';

const host = new ShardHost({ shard: 0, numShards: 1, backend: 'auto', stateFolder: process.argv[2] ?? null });
const server = await RpcServer.start({ services: host.services });
process.stdout.write(`${server.address}\n`);
process.stdin.on('end', () => process.exit(0)).resume();
await host.finished;
process.stdout.write(`${process.cpuUsage().user + process.cpuUsage().system}\n`);
setTimeout(() => process.exit(0), 100);

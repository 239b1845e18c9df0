export { DENSE_BLOCK_LENGTH, type DenseBlock, type DenseTensor, initializeDenseState, planDenseBlocks } from './dense-blocks.js';
export { type DenseClip, DenseShard } from './dense-shard.js';
export { EmbeddingClient, type SparseView } from './embedding-client.js';
export { type ExchangeLayout, ExchangeRegion, type ExchangeTable } from './exchange.js';
export { PsShard, type PsShardParts, SHARD_STATS, ShardStat } from './shard.js';
export { IDLE_TIMEOUT_MS, SHARD_REQUEST_WORDS, type ShardChannel, ShardOp } from './shard-channel.js';
export { type InPlaceLines, InPlaceShardChannel } from './transport/in-place.js';
export { LocalShardChannel, LocalShardServer } from './transport/local.js';

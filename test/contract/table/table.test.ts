import { candidates } from './backends.js';
import { dedupeSuite } from './suite-dedupe.js';
import { halfSuite } from './suite-half.js';
import { optimizerSuite } from './suite-optimizers.js';
import { poolSuite } from './suite-pool.js';
import { refreshSuite } from './suite-refresh.js';
import { tableSuite } from './suite-table.js';

for (const candidate of candidates()) {
  tableSuite(candidate);
  halfSuite(candidate);
  refreshSuite(candidate);
  optimizerSuite(candidate);
  dedupeSuite(candidate);
  poolSuite(candidate);
}

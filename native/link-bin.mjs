// Makes `npx monolith-local` work inside a checkout: node_modules/.bin/monolith-local → dist/src/cli/main.js.
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(root, 'dist', 'src', 'cli', 'main.js');
if (existsSync(target) && existsSync(join(root, 'node_modules'))) {
  chmodSync(target, 0o755);
  const bin = join(root, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, 'monolith-local'), { force: true });
  symlinkSync('../../dist/src/cli/main.js', join(bin, 'monolith-local'));
}

// Which format a file is in.
import { MonolithError, maskedCrc32c, suggest } from '../base/index.js';
import { type FileInfo, readHead, sniffEncoding } from '../data/index.js';
import { recordFormats } from './formats.js';
import type { RecordFormat } from './record-batch.js';

const HEAD_BYTES = 16384;

/** Endings of compressions, which stand behind that of the format. */
const COMPRESSION = /\.(gz|gzip|zz|zlib|zst|zstd|sz|snappy)$/i;

/** First bytes of formats. */
const magic: readonly (readonly [string, string])[] = [
  ['CRLK0001', 'criteo-bin'],
  ['PAR1', 'parquet'],
  ['ARROW1', 'arrow'],
  ['Obj\u0001', 'avro'],
];

/** @throws InvalidConfig for a name that no format has. */
export function formatNamed(name: string): RecordFormat {
  const format = recordFormats.find((known) => known.name === name);
  if (format !== undefined) return format;
  const names = recordFormats.map((known) => known.name);
  const meant = suggest(name, names);
  throw new MonolithError(
    'InvalidConfig',
    `there is no format "${name}"${meant === null ? '' : `; did you mean ${meant}?`} Formats: ${names.join(', ')}`,
  );
}

/** The format that a name of a file ends in; null where it ends in none of them. */
export function formatOfName(path: string): RecordFormat | null {
  const plain = path.replace(COMPRESSION, '').toLowerCase();
  return recordFormats.find(({ extensions }) => extensions.some((ending) => plain.endsWith(ending))) ?? null;
}

/**
 * The format of a file: by its first bytes, Criteo's by its 40 columns, then by its name, then by the form of its first line.
 * @throws DataFormat where nothing tells.
 */
export async function formatOfFile(info: FileInfo): Promise<{ format: RecordFormat; reason: string }> {
  const head = await readHead(info, HEAD_BYTES);
  const latin = Buffer.from(head).toString('latin1');
  for (const [bytes, name] of magic)
    if (latin.startsWith(bytes)) return { format: known(info.path, name), reason: `its first bytes are those of ${name}` };
  if (head.length >= 12 && maskedCrc32c(head.subarray(0, 8)) === Buffer.from(head).readUInt32LE(8)) {
    return { format: known(info.path, 'tfrecord'), reason: 'it begins with a length and its right checksum' };
  }
  const { encoding, markBytes } = sniffEncoding(head);
  const text =
    encoding === 'utf-16be'
      ? Buffer.from(head.subarray(0, head.length & ~1))
          .swap16()
          .toString('utf16le')
      : encoding === 'utf-16le'
        ? Buffer.from(head).toString('utf16le')
        : Buffer.from(head.subarray(markBytes)).toString('utf8');
  const line =
    text
      .split('\n')
      .find((one) => one.trim() !== '' && !one.startsWith('#'))
      ?.replace(/\r$/, '') ?? '';
  const tabs = line.split('\t');
  if ((tabs.length === 40 && /^[01]?$/.test(tabs[0])) || (tabs.length === 39 && tabs.slice(0, 13).every((word) => /^-?\d*$/.test(word)))) {
    if (tabs.slice(-26).every((word) => /^([0-9a-f]{8})?$/.test(word)))
      return { format: known(info.path, 'criteo'), reason: `its first line has ${tabs.length} columns of Criteo's form` };
  }
  const byName = formatOfName(info.path);
  if (byName !== null) return { format: byName, reason: 'by its name' };
  const byForm = (name: string, reason: string): { format: RecordFormat; reason: string } => ({ format: known(info.path, name), reason });
  if (head.length === 0) throw new MonolithError('DataFormat', `${info.path}: nothing is in it`, { path: info.path });
  if (/^\{.*\}\s*$/.test(line)) return byForm('jsonl', 'its first line is a JSON object');
  if (/^\S+(\s+\d+:\d+:\S+)+\s*$/.test(line)) return byForm('libffm', 'its first line is field:index:value …');
  if (/^[^\s:,]+(\s+\d+:[^\s:,]+)+\s*$/.test(line)) return byForm('libsvm', 'its first line is index:value …');
  if (tabs.length > 1) return byForm('tsv', 'its first line has tabs');
  if (/[,;|]/.test(line)) return byForm('csv', 'its first line has separators');
  throw new MonolithError(
    'DataFormat',
    `${info.path}: the format can't be told from its name or its first bytes ${JSON.stringify(line.slice(0, 40))}. Name it with --format: ${recordFormats.map(({ name }) => name).join(', ')}`,
    { path: info.path },
  );
}

function known(path: string, name: string): RecordFormat {
  const format = recordFormats.find((one) => one.name === name);
  if (format !== undefined) return format;
  throw new MonolithError(
    'DataFormat',
    `${path} looks like ${name}, which is not among the formats read here: ${recordFormats.map((one) => one.name).join(', ')}`,
    { path },
  );
}

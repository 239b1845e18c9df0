import { crc32c, type ErrorDetails, MonolithError } from '../base/index.js';
import {
  type BaseReference,
  checkpointName,
  DELTA_VERSION,
  FORMAT_NAME,
  FORMAT_VERSION,
  hex32,
  isSectionName,
  manifestFileName,
  numBlocks,
  parseOwnedName,
  type SectionInfo,
  WHOLE_VERSION,
} from './format.js';

/** What JSON can hold. Numbers that are not finite become null, as JSON has it. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** What training puts in a manifest besides the sections: config, data position, metrics, model, … */
export type ManifestFields = { readonly [key: string]: JsonValue };

/** The content of `checkpoint-<step>.json`. */
export type CheckpointManifest = {
  readonly formatVersion: number;
  readonly step: number;
  /** Folder of the sections beside the manifest: `checkpoint-<step>`, or `checkpoint-<step>.N` if the step was saved again. */
  readonly folder: string;
  /** What a delta stands on; null: a whole checkpoint. */
  readonly base: BaseReference | null;
  readonly sections: readonly SectionInfo[];
  readonly fields: ManifestFields;
  /** The manifest's own checksum: what deltas name it by. */
  readonly crc32c: number;
};

/** What a manifest is made from. */
export type ManifestContent = Omit<CheckpointManifest, 'formatVersion' | 'crc32c'>;

/** Keys of the manifest that training can't use for its own. */
const reservedKeys: ReadonlySet<string> = new Set(['format', 'formatVersion', 'step', 'folder', 'base', 'sections', 'crc32c']);

// The file ends in `"crc32c": "0x` · eight lower-case digits · `"\n}\n`. The checksum covers every byte before the digits, the rest is
// compared as it stands: so no byte of the file can change unseen. This rule holds for all versions of the format.
const CHECKSUM_OPENING = ',\n  "crc32c": "0x';
const CHECKSUM_CLOSING = '"\n}\n';
const CHECKSUM_DIGITS = 8;

/**
 * The manifest's text. Equal content gives equal bytes: keys stand in the order given, and neither time nor machine enters.
 * @throws InvalidArgument if `fields` uses a reserved key or holds what JSON can't (a BigInt, a cycle)
 */
export function encodeManifest(manifest: ManifestContent): string {
  const { step, folder, base, sections, fields } = manifest;
  for (const key of Object.keys(fields)) {
    if (reservedKeys.has(key) && !(key === 'step' && fields.step === step)) {
      throw new MonolithError('InvalidArgument', `checkpoint manifest: field "${key}" is reserved by the format; choose another name`, {
        key,
      });
    }
  }
  const content = {
    format: FORMAT_NAME,
    formatVersion: base === null ? WHOLE_VERSION : DELTA_VERSION,
    step,
    folder,
    ...(base === null ? {} : { base: { step: base.step, crc32c: hex32(base.crc32c) } }),
    ...fields,
    sections: sections.map((section) => ({ name: section.name, bytes: section.bytes, crc32c: hex32(section.crc32c) })),
  };
  const open = jsonOf(content).slice(0, -'\n}'.length) + CHECKSUM_OPENING;
  return open + hex32(crc32c(new TextEncoder().encode(open))).slice(2) + CHECKSUM_CLOSING;
}

function jsonOf(content: object): string {
  try {
    return JSON.stringify(content, null, 2);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new MonolithError('InvalidArgument', `checkpoint manifest: fields are not plain JSON: ${text}`, {}, { cause });
  }
}

/**
 * Reads and checks a manifest: checksum first, then version, then content. Nothing of a damaged one is used.
 *
 * @param bytes the whole file.
 * @param step  the step in the file's name.
 * @throws CheckpointCorrupt, CheckpointIncompatible (a newer version)
 */
export function decodeManifest(bytes: Uint8Array, step: number): CheckpointManifest {
  const file = manifestFileName(step);
  const checksum = checkChecksum(bytes, file);
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw manifestError(file, `is no JSON although its checksum is right: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (!isObject(content) || content.format !== FORMAT_NAME)
    throw manifestError(file, `is not a manifest ("format" is not "${FORMAT_NAME}")`);
  const formatVersion = checkVersion(content.formatVersion, file);
  if (content.step !== step) throw manifestError(file, `is the manifest of step ${String(content.step)} under another name`);
  const folder = content.folder;
  const owned = typeof folder === 'string' ? parseOwnedName(folder) : null;
  if (typeof folder !== 'string' || owned?.kind !== 'folder' || owned.step !== step) {
    throw manifestError(file, `names the folder ${JSON.stringify(folder)}, expected "${checkpointName(step)}"`);
  }
  const fields: [string, JsonValue][] = [];
  for (const [key, value] of Object.entries(content)) if (!reservedKeys.has(key)) fields.push([key, value as JsonValue]);
  return {
    formatVersion,
    step,
    folder,
    base: formatVersion === DELTA_VERSION ? readBase(content.base, step, file) : null,
    sections: readSections(content.sections, file),
    fields: Object.fromEntries(fields),
    crc32c: checksum,
  };
}

function checkChecksum(bytes: Uint8Array, file: string): number {
  const closingAt = bytes.length - CHECKSUM_CLOSING.length;
  const digitsAt = closingAt - CHECKSUM_DIGITS;
  const text = new TextDecoder('latin1');
  const ending = text.decode(bytes.subarray(Math.max(0, digitsAt - CHECKSUM_OPENING.length)));
  const match = /^,\n {2}"crc32c": "0x([0-9a-f]{8})"\n\}\n$/.exec(ending);
  if (digitsAt < 0 || match === null) {
    throw manifestError(file, `(${bytes.length} bytes) does not end in its checksum: it is cut off or damaged`, {
      block: 0,
      firstByte: 0,
      lastByte: Math.max(0, bytes.length - 1),
    });
  }
  const actual = crc32c(bytes.subarray(0, digitsAt));
  const expected = Number.parseInt(match[1], 16);
  if (actual !== expected) {
    throw manifestError(file, `block 0 (bytes 0–${digitsAt - 1}): crc32c ${hex32(actual)}, its last line says ${hex32(expected)}`, {
      block: 0,
      firstByte: 0,
      lastByte: digitsAt - 1,
      actual: hex32(actual),
      expected: hex32(expected),
    });
  }
  return actual;
}

function checkVersion(version: unknown, file: string): number {
  if (version === WHOLE_VERSION || version === DELTA_VERSION) return version;
  if (typeof version === 'number' && Number.isInteger(version) && version > FORMAT_VERSION) {
    throw new MonolithError(
      'CheckpointIncompatible',
      `${file}: checkpoint format version ${version}, this monolith-local reads up to version ${FORMAT_VERSION}. Use the release that wrote it, or a newer one`,
      { file, version, newestReadable: FORMAT_VERSION },
    );
  }
  throw manifestError(file, `has format version ${JSON.stringify(version)}, expected ${WHOLE_VERSION} or ${DELTA_VERSION}`);
}

function readBase(value: unknown, step: number, file: string): BaseReference {
  const { step: baseStep, crc32c: checksum } = isObject(value) ? value : {};
  const isStep = typeof baseStep === 'number' && Number.isSafeInteger(baseStep) && baseStep >= 0 && baseStep < step;
  if (!isStep || typeof checksum !== 'string' || !/^0x[0-9a-f]{8}$/.test(checksum)) {
    throw manifestError(file, `is that of a delta and names no base before it: ${JSON.stringify(value)}`);
  }
  return { step: baseStep, crc32c: Number.parseInt(checksum.slice(2), 16) };
}

function readSections(value: unknown, file: string): SectionInfo[] {
  if (!Array.isArray(value)) throw manifestError(file, 'has no list of sections');
  const seen = new Set<string>();
  return value.map((entry: unknown) => {
    if (!isObject(entry)) throw manifestError(file, `lists a section that is no object: ${JSON.stringify(entry)}`);
    const { name, bytes, crc32c: checksum } = entry;
    if (typeof name !== 'string' || !isSectionName(name))
      throw manifestError(file, `lists a section with a bad name: ${JSON.stringify(name)}`);
    if (seen.has(name.toLowerCase())) throw manifestError(file, `lists the section ${name} twice`);
    seen.add(name.toLowerCase());
    const isLength =
      typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0 && Number.isSafeInteger(numBlocks(bytes) * 5 + bytes);
    if (!isLength) throw manifestError(file, `section ${name}: bad length ${JSON.stringify(bytes)}`);
    if (typeof checksum !== 'string' || !/^0x[0-9a-f]{8}$/.test(checksum)) {
      throw manifestError(file, `section ${name}: bad checksum ${JSON.stringify(checksum)}`);
    }
    return { name, bytes, crc32c: Number.parseInt(checksum.slice(2), 16) };
  });
}

function manifestError(file: string, problem: string, details: ErrorDetails = {}): MonolithError {
  return new MonolithError('CheckpointCorrupt', `${file} ${problem}`, { file, ...details });
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

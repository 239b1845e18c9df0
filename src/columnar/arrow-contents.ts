// What lies in an Arrow file or stream: its schema, and where its batches are.
import type { Schema } from 'apache-arrow';
import { checkArrowFooter, checkArrowMessage, HeaderType } from './arrow-guard.js';
import { type ArrowLayout, layOut } from './arrow-layout.js';
import type { ColumnarGroup } from './columnar-file.js';
import { damaged, guarded, unsupported } from './problem.js';

const FILE_MAGIC = 'ARROW1';
const FILE_START = 8;
const FILE_TAIL = FILE_MAGIC.length + 4;
const CONTINUATION = 0xffffffff;
const MOST_MESSAGE_BYTES = 64 << 20;

type Node = { readonly length: number; readonly nullCount: number };
type Region = { readonly offset: number; readonly length: number };

/** A record batch or the data of a dictionary. */
export type Batch = {
  readonly rows: number;
  readonly nodes: readonly Node[];
  readonly buffers: readonly Region[];
  /** 0: LZ4 frames, 1: Zstandard; null: none. */
  readonly codec: number | null;
  readonly bodyAt: number;
  readonly bodyLength: number;
};

type ArrowDictionary = { readonly id: number; readonly isDelta: boolean; readonly batch: Batch };
type ArrowGroup = ColumnarGroup & {
  readonly batch: Batch;
  /** Dictionaries of the file that come before it: later ones may replace them. */
  readonly dictionaries: number;
};

/** The library's form of a message's header. */
type Header = {
  readonly length: number;
  readonly nodes: readonly Node[];
  readonly buffers: readonly Region[];
  readonly compression: { readonly type: number } | null;
  readonly id?: number;
  readonly isDelta?: boolean;
  readonly data?: Header;
};

export type ArrowContents = { schema: Schema; layout: ArrowLayout; groups: ArrowGroup[]; dictionaries: ArrowDictionary[]; rows: number };

type ReadAt = (at: number, length: number) => Promise<Uint8Array>;
type Message = {
  readonly type: number;
  readonly header: unknown;
  readonly at: number;
  readonly bodyAt: number;
  readonly bodyLength: number;
};

/** Reads the footer of a file, or goes through a stream from message to message. @throws RecordCorrupt, DataFormat. */
export async function readArrowContents(path: string, size: number, readAt: ReadAt): Promise<ArrowContents> {
  const magic = Buffer.from(await readAt(0, FILE_MAGIC.length)).toString('latin1');
  const reader = new MessageReader(path, size, readAt, await import('apache-arrow'));
  return magic === FILE_MAGIC ? readFile(path, size, readAt, reader) : readStream(path, size, reader);
}

class MessageReader {
  constructor(
    private readonly path: string,
    private readonly size: number,
    private readonly readAt: ReadAt,
    private readonly library: typeof import('apache-arrow'),
  ) {}

  /** The message at a byte; null: the stream ends there. */
  async at(at: number): Promise<Message | null> {
    const { path, size } = this;
    const place = { path, part: `message at byte ${at}` };
    const head = await this.readAt(at, 8);
    if (head.length < 4) throw damaged(place, 'its length is cut off');
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    // Before version 0.15 there was no mark before the length.
    const marked = view.getUint32(0, true) === CONTINUATION;
    if (marked && head.length < 8) throw damaged(place, 'its length is cut off');
    const length = view.getInt32(marked ? 4 : 0, true);
    const metadataAt = at + (marked ? 8 : 4);
    if (length === 0) return null;
    if (length < 0 || length > MOST_MESSAGE_BYTES || length > size - metadataAt) {
      throw damaged(place, `its metadata have ${length} bytes, ${size - metadataAt} are left in the file`);
    }
    const bytes = await this.readAt(metadataAt, length);
    const bodyAt = metadataAt + length;
    const { type, bodyLength, header } = guarded(place, 'malformed', () => {
      const checked = checkArrowMessage(bytes);
      const message = this.library.Message.decode(bytes);
      return { type: checked.type, bodyLength: message.bodyLength, header: message.header() as unknown };
    });
    if (!(bodyLength >= 0 && bodyLength <= size - bodyAt)) {
      throw damaged(place, `its body has ${bodyLength} bytes, ${size - bodyAt} are left in the file`);
    }
    return { type, header, at, bodyAt, bodyLength };
  }
}

async function readStream(path: string, size: number, reader: MessageReader): Promise<ArrowContents> {
  let contents: ArrowContents | null = null;
  for (let at = 0; at < size; ) {
    const message = await reader.at(at);
    if (message === null) break;
    const place = { path, part: `message at byte ${at}` };
    if (message.type === HeaderType.schema) {
      if (contents !== null) throw damaged(place, 'a second schema');
      contents = guarded(place, 'the schema', () => contentsOf(path, message.header as Schema));
    } else if (message.type === HeaderType.recordBatch || message.type === HeaderType.dictionaryBatch) {
      if (contents === null) throw damaged(place, 'a batch before the schema');
      addChecked(path, contents, message);
    }
    at = message.bodyAt + message.bodyLength;
  }
  if (contents === null) throw damaged({ path }, 'it has no schema: is it Arrow IPC?');
  return contents;
}

/** Some writers put the schema into the footer alone, and blocks may lie in any order. */
async function readFile(path: string, size: number, readAt: ReadAt, reader: MessageReader): Promise<ArrowContents> {
  const place = { path, part: 'footer' };
  const tail = await readAt(size - FILE_TAIL, FILE_TAIL);
  if (size < FILE_START + FILE_TAIL || Buffer.from(tail.subarray(4)).toString('latin1') !== FILE_MAGIC) {
    throw damaged({ path }, `the file does not end with ${FILE_MAGIC}`);
  }
  const length = new DataView(tail.buffer, tail.byteOffset).getInt32(0, true);
  if (!(length > 0 && length <= size - FILE_START - FILE_TAIL)) {
    throw damaged(place, `${length} bytes, ${size - FILE_START - FILE_TAIL} lie before it`);
  }
  if (length > MOST_MESSAGE_BYTES)
    throw unsupported(place, `${length} bytes, at most ${MOST_MESSAGE_BYTES} are read: write larger batches`);
  const bytes = await readAt(size - FILE_TAIL - length, length);
  const { Footer } = await import('apache-arrow/ipc/metadata/file');
  const { contents, blocks } = guarded(place, 'malformed', () => {
    checkArrowFooter(bytes);
    const footer = Footer.decode(bytes);
    const list = [
      ...Array.from({ length: footer.numDictionaries }, (_, i) => footer.getDictionaryBatch(i)),
      ...Array.from({ length: footer.numRecordBatches }, (_, i) => footer.getRecordBatch(i)),
    ];
    return { contents: contentsOf(path, footer.schema), blocks: list };
  });
  for (const block of blocks) {
    const at = block?.offset ?? -1;
    if (!(at >= FILE_START && at < size)) throw damaged(place, `a batch at byte ${at} of ${size}`);
    const message = await reader.at(at);
    const known = message?.type === HeaderType.recordBatch || message?.type === HeaderType.dictionaryBatch;
    if (message === null || !known) throw damaged(place, `no batch is at byte ${at}`);
    addChecked(path, contents, message);
  }
  return contents;
}

function addChecked(path: string, contents: ArrowContents, { type, header, at, bodyAt, bodyLength }: Message): void {
  const place = { path, part: `message at byte ${at}` };
  guarded(place, 'malformed', () => addBatch(contents, type, header as Header, at, bodyAt, bodyLength));
}

function contentsOf(path: string, schema: Schema): ArrowContents {
  let layout: ArrowLayout;
  try {
    layout = layOut(schema.fields);
  } catch (error) {
    throw unsupported({ path }, (error as Error).message);
  }
  const names = new Set<string>();
  for (const { name } of layout.leaves) {
    if (names.has(name)) throw unsupported({ path, column: name }, 'two columns have this name');
    names.add(name);
  }
  return { schema, layout, groups: [], dictionaries: [], rows: 0 };
}

function addBatch(contents: ArrowContents, type: number, header: Header, at: number, bodyAt: number, bodyLength: number): void {
  const data = header.data ?? header;
  for (const { offset, length } of data.buffers) {
    if (!(offset >= 0 && length >= 0 && offset + length <= bodyLength))
      throw new Error(`a buffer of bytes ${offset} to ${offset + length} in a body of ${bodyLength}`);
  }
  for (const { length, nullCount } of data.nodes) {
    if (!(length >= 0 && length <= 0x7fffffff && nullCount >= 0 && nullCount <= length))
      throw new Error(`a column of ${length} elements, ${nullCount} of them null`);
  }
  const codec = data.compression?.type ?? null;
  if (codec !== null && codec !== 0 && codec !== 1) throw new Error(`compression ${codec}`);
  const { nodes, buffers } = data;
  const batch = { rows: data.length, nodes, buffers, codec, bodyAt, bodyLength };
  if (type === HeaderType.dictionaryBatch) {
    contents.dictionaries.push({ id: header.id ?? 0, isDelta: header.isDelta ?? false, batch });
    return;
  }
  const { layout } = contents;
  if (!(data.length >= 0 && data.length <= 0x7fffffff)) throw new Error(`${data.length} rows`);
  if (nodes.length !== layout.nodes || buffers.length !== layout.buffers) {
    throw new Error(`${nodes.length} nodes and ${buffers.length} buffers, the schema has ${layout.nodes} and ${layout.buffers}`);
  }
  for (const { steps } of layout.leaves) {
    if (nodes[steps[0].node].length !== data.length)
      throw new Error(`a column of ${nodes[steps[0].node].length} elements in ${data.length} rows`);
  }
  contents.groups.push({
    rows: data.length,
    firstRow: contents.rows,
    bytes: bodyAt + bodyLength - at,
    batch,
    dictionaries: contents.dictionaries.length,
  });
  contents.rows += data.length;
}

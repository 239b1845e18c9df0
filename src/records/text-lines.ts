import { fileInfo, openSource, readHead, sniffEncoding } from '../data/index.js';
import { TextReader } from './text-reader.js';

/** A line without its end, its number from 1, and its first byte in the decompressed file. */
export type TextLine = { readonly text: string; readonly line: number; readonly byte: number };

/** The lines of a text file of any encoding that is told by its first bytes. @throws DataNotFound, RecordCorrupt, DataFormat. */
export async function* textLines(path: string): AsyncGenerator<TextLine> {
  const info = await fileInfo(path);
  const { markBytes, encoding } = sniffEncoding(await readHead(info, 4096));
  const source = await openSource(info, 0);
  try {
    const reader = new TextReader(source, path, encoding, markBytes);
    const pieces: string[] = [];
    let line = 1;
    let byte = markBytes;
    for (;;) {
      const chunk = await reader.next();
      if (chunk === null) break;
      let at = 0;
      for (let newline = chunk.text.indexOf('\n'); newline >= 0; newline = chunk.text.indexOf('\n', at)) {
        pieces.push(chunk.text.slice(at, newline));
        const text = pieces.length === 1 ? pieces[0] : pieces.join('');
        yield { text: text.endsWith('\r') ? text.slice(0, -1) : text, line: line++, byte };
        byte += reader.byteLength(text) + reader.byteLength('\n');
        pieces.length = 0;
        at = newline + 1;
      }
      if (at < chunk.text.length) pieces.push(chunk.text.slice(at));
    }
    if (pieces.length > 0) yield { text: pieces.join(''), line, byte };
  } finally {
    await source.close();
  }
}

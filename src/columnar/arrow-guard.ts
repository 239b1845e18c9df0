// A look at an Arrow message's FlatBuffer before the library reads it: the library trusts the lengths and references that stand there.

const MOST_NESTING = 32;
export const HeaderType = { schema: 1, dictionaryBatch: 2, recordBatch: 3 } as const;

/** Tables, vectors and references of one FlatBuffer, each held against its bytes. */
class FlatWalk {
  private readonly view: DataView;
  private visited = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A file's footer. */
  footer(): void {
    const table = this.reference(0);
    const schema = this.field(table, 1, 4);
    if (schema === 0) throw new Error('a footer without a schema');
    this.schema(this.reference(schema));
    this.vector(table, 2, 24);
    this.vector(table, 3, 24);
    this.keyValues(table, 4);
  }

  message(): { readonly type: number } {
    const table = this.reference(0);
    const typeAt = this.field(table, 1, 1);
    const type = typeAt === 0 ? 0 : this.bytes[typeAt];
    const headerAt = this.field(table, 2, 4);
    if (headerAt === 0) throw new Error('a message without a header');
    this.keyValues(table, 4);
    const header = this.reference(headerAt);
    if (type === HeaderType.schema) this.schema(header);
    else if (type === HeaderType.recordBatch) this.batch(header);
    else if (type === HeaderType.dictionaryBatch) {
      const data = this.field(header, 1, 4);
      if (data === 0) throw new Error('a dictionary without data');
      this.batch(this.reference(data));
    }
    return { type };
  }

  private schema(table: number): void {
    const endianness = this.field(table, 0, 2);
    if (endianness !== 0 && this.view.getInt16(endianness, true) !== 0) throw new Error('its numbers are big-endian, which is not read');
    this.tables(table, 1, (field) => this.columnField(field, 0));
    this.keyValues(table, 2);
  }

  private columnField(table: number, depth: number): void {
    // References may lead to one table again and again.
    if (++this.visited * 4 > this.bytes.length) throw new Error('more fields than its bytes can hold');
    if (depth > MOST_NESTING) throw new Error(`columns are nested more than ${MOST_NESTING} deep`);
    this.keyValues(table, 6);
    this.tables(table, 5, (child) => this.columnField(child, depth + 1));
  }

  private batch(table: number): void {
    this.vector(table, 1, 16);
    this.vector(table, 2, 16);
    this.vector(table, 4, 8);
  }

  private keyValues(table: number, slot: number): void {
    this.vector(table, slot, 4);
  }

  private tables(table: number, slot: number, each: (table: number) => void): void {
    const { at, length } = this.vector(table, slot, 4);
    for (let i = 0; i < length; i++) each(this.reference(at + i * 4));
  }

  private vector(table: number, slot: number, width: number): { at: number; length: number } {
    const field = this.field(table, slot, 4);
    if (field === 0) return { at: 0, length: 0 };
    const at = this.reference(field);
    const length = this.view.getUint32(at, true);
    if (length * width > this.bytes.length - at - 4) throw new Error(`a list of ${length} elements in ${this.bytes.length - at - 4} bytes`);
    return { at: at + 4, length };
  }

  /** Where a table's field stands; 0: it has none. */
  private field(table: number, slot: number, width: number): number {
    const vtable = table - this.view.getInt32(table, true);
    if (vtable < 0 || vtable + 4 > this.bytes.length) throw new Error('a table outside the message');
    const size = this.view.getUint16(vtable, true);
    const entry = 4 + slot * 2;
    if (entry + 2 > size) return 0;
    if (vtable + entry + 2 > this.bytes.length) throw new Error('a table outside the message');
    const offset = this.view.getUint16(vtable + entry, true);
    if (offset === 0) return 0;
    if (table + offset + width > this.bytes.length) throw new Error('a field outside the message');
    return table + offset;
  }

  private reference(at: number): number {
    if (at + 4 > this.bytes.length) throw new Error('a reference outside the message');
    const target = at + this.view.getUint32(at, true);
    if (target + 4 > this.bytes.length) throw new Error('a reference outside the message');
    return target;
  }
}

/** Checks the footer of a file. @throws Error that says what is wrong. */
export function checkArrowFooter(bytes: Uint8Array): void {
  new FlatWalk(bytes).footer();
}

/** Checks a message. @returns what its header is. @throws Error that says what is wrong. */
export function checkArrowMessage(bytes: Uint8Array): { readonly type: number } {
  return new FlatWalk(bytes).message();
}

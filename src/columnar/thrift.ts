// A look at Thrift compact bytes before a library reads them: the library makes arrays of the lengths that stand there.

const MOST_DEPTH = 32;
/** Structs of a footer are longer than this on average; empty ones would cost memory without end. */
const LEAST_STRUCT_BYTES = 3;
const Type = { stop: 0, true: 1, false: 2, byte: 3, i16: 4, i32: 5, i64: 6, double: 7, binary: 8, list: 9, set: 10, struct: 12 } as const;

class ThriftWalk {
  private structs = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
    private readonly end: number,
  ) {}

  /** Walks one struct; the position behind it. */
  struct(depth: number): number {
    if (depth > MOST_DEPTH) throw new Error(`structs are nested more than ${MOST_DEPTH} deep`);
    if (++this.structs * LEAST_STRUCT_BYTES > this.end + 64) throw new Error('more structs than its bytes can hold');
    for (;;) {
      const head = this.byte();
      const type = head & 15;
      if (type === Type.stop) return this.at;
      if (head >> 4 === 0) this.varint(5);
      if (type !== Type.true && type !== Type.false) this.element(type, depth);
    }
  }

  private element(type: number, depth: number): void {
    switch (type) {
      case Type.true:
      case Type.false:
      case Type.byte:
        this.skip(1);
        return;
      case Type.i16:
      case Type.i32:
        this.varint(5);
        return;
      case Type.i64:
        this.varint(10);
        return;
      case Type.double:
        this.skip(8);
        return;
      case Type.binary:
        this.skip(this.varint(5));
        return;
      case Type.list:
      case Type.set:
        this.list(depth);
        return;
      case Type.struct:
        this.struct(depth + 1);
        return;
      default:
        throw new Error(`unknown Thrift type ${type}`);
    }
  }

  private list(depth: number): void {
    if (depth > MOST_DEPTH) throw new Error(`lists are nested more than ${MOST_DEPTH} deep`);
    const head = this.byte();
    const size = head >> 4 === 15 ? this.varint(5) : head >> 4;
    if (size > this.end - this.at) throw new Error(`a list of ${size} elements in ${this.end - this.at} bytes`);
    for (let i = 0; i < size; i++) this.element(head & 15, depth + 1);
  }

  private byte(): number {
    if (this.at >= this.end) throw new Error('it is cut off');
    return this.bytes[this.at++];
  }

  private skip(count: number): void {
    if (count > this.end - this.at) throw new Error(`${count} bytes wanted, ${this.end - this.at} are left`);
    this.at += count;
  }

  private varint(most: number): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < most; i++) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw new Error(`a number of more than ${most} bytes`);
  }
}

/**
 * Checks the struct that begins at bytes[start] and must end before `end`: lengths within the bytes, numbers and nesting within bounds.
 * @returns the position behind it.
 * @throws Error that says what is wrong.
 */
export function checkThriftStruct(bytes: Uint8Array, start: number, end: number): number {
  return new ThriftWalk(bytes, start, end).struct(0);
}

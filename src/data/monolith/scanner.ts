// Where the columns of a message lie: one walk over its fields, without an object for any of them.
import { Bad } from '../program.js';
import { OK } from '../twins/emitter.js';
import { FieldReader } from '../twins/field-reader.js';
import { type ColumnName, lineIdFields, ValueType } from './columns.js';
import { ColumnPlaces, NameTable, type SlotChains, type ValueScratch } from './values.js';

/** Value types of the fields of monolith.io.proto.Feature, and whether they hold lists of lists or one value. */
const featureTypes = [
  0,
  ValueType.fidV1,
  ValueType.fidV2,
  ValueType.float,
  ValueType.double,
  ValueType.int64,
  ValueType.bytes,
  ValueType.fidV2,
  ValueType.float,
  ValueType.double,
  ValueType.int64,
  ValueType.bytes,
  ValueType.int64,
  ValueType.float,
  ValueType.double,
  ValueType.bytes,
  ValueType.fidV1,
];
const isListOfLists = (field: number): boolean => (field >= 7 && field <= 11) || field === 16;
const isOneValue = (field: number): boolean => field >= 12 && field <= 15;

/** Value types of the fields of idl.matrix.proto.Feature: 2 to 5 hold values, 6 to 9 lists of them. */
const instanceTypes = [ValueType.fidV2, ValueType.float, ValueType.int64, ValueType.bytes];

const NONE = -1;

export class MessageScanner {
  /** Columns of the example that was looked at last. */
  readonly places: ColumnPlaces;
  column = 0;
  extra = 0;
  batchSize = 0;
  private readonly view: DataView;
  private readonly outer: FieldReader;
  private readonly middle: FieldReader;
  private readonly inner: FieldReader;
  private readonly feature: FieldReader;
  private readonly names: NameTable;
  private readonly label: number;
  private readonly weight: number;
  /** Columns out of the LineId: [column, field, type]. */
  private readonly lineIdColumns: (readonly [number, number, number])[] = [];
  /** instance: columns of plain float fields by field number. */
  private readonly floats: number[] = [];
  /** The column that stands for a LineId as the bytes of a feature; NONE: none is wanted. */
  private readonly lineId: number;
  private readonly shared: ColumnPlaces;
  /** Batches: where each column's list is, how far it has been read, whether all examples share its one feature. */
  private readonly listAt: Int32Array;
  private readonly listEnd: Int32Array;
  private readonly listShared: Uint8Array;
  private readonly listFeatures: Int32Array;
  private rowsAt = 0;
  private rowsEnd = 0;

  /** @param names the program's columns, several of which may be of one base. */
  constructor(
    bytes: Uint8Array,
    names: readonly ColumnName[],
    bases: ReadonlyMap<string, number>,
    private readonly chains: SlotChains,
    private readonly values: ValueScratch,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.outer = new FieldReader(bytes);
    this.middle = new FieldReader(bytes);
    this.inner = new FieldReader(bytes);
    this.feature = new FieldReader(bytes);
    this.names = new NameTable(bytes, bases.size + 4);
    this.label = bases.get('label') ?? NONE;
    this.weight = bases.get('instance_weight') ?? NONE;
    for (const [base, column] of bases) {
      const name = names.find((known) => known.base === base);
      if (name === undefined) continue;
      const field = name.kind === 'lineId' ? lineIdFields[base.slice('line_id.'.length)] : undefined;
      if (field !== undefined) this.lineIdColumns.push([column, field.number, field.type]);
      else if (name.kind === 'slot') chains.columnOf[name.number] = column;
      else if (name.kind === 'floats') this.floats[name.number] = column;
      else this.names.add(name.kind === 'label' ? '__LABEL__' : base, column);
    }
    const columns = bases.size + 1;
    this.lineId = this.lineIdColumns.length > 0 ? bases.size : NONE;
    if (this.lineId >= 0) this.names.add('__LINE_ID__', this.lineId);
    this.places = new ColumnPlaces(columns);
    this.shared = new ColumnPlaces(columns);
    this.listAt = new Int32Array(columns);
    this.listEnd = new Int32Array(columns);
    this.listShared = new Uint8Array(columns);
    this.listFeatures = new Int32Array(columns);
  }

  /** parser.proto.Instance in bytes [start, end); a code. */
  instance(start: number, end: number): number {
    const { outer, places, chains, view } = this;
    places.clear();
    chains.clear();
    for (let p = start; p < end; ) {
      const tag = p;
      p = outer.next(p, end);
      if (p < 0) return Bad.message;
      const { wire } = outer;
      switch (outer.number) {
        case 1:
          if ((wire !== 1 && wire !== 2) || (outer.end - outer.start) % 8 !== 0) return Bad.message;
          for (let q = outer.start; q < outer.end; q += 8) {
            const column = chains.take(view, q);
            if (column >= 0) places.type[column] = ValueType.slotFids;
          }
          break;
        case 2:
        case 6:
          if (this.floats[outer.number] !== undefined) places.extend(this.floats[outer.number], ValueType.float, tag, p, outer.number);
          break;
        case 3:
          if (this.label >= 0) places.extend(this.label, ValueType.float, tag, p, 3);
          break;
        case 4:
          if (this.weight >= 0) places.set(this.weight, ValueType.float, tag, p, 4);
          break;
        case 5:
          if (wire !== 2) return Bad.message;
          this.setLineId(outer.start, outer.end);
          break;
        case 9:
          if (wire !== 2 || !this.instanceFeature(outer.start, outer.end)) return Bad.message;
          break;
        default:
      }
    }
    return OK;
  }

  /** monolith.io.proto.Example in bytes [start, end) over what the places hold; a code. */
  example(start: number, end: number): number {
    const { middle, places } = this;
    let label = false;
    for (let p = start; p < end; ) {
      const tag = p;
      p = middle.next(p, end);
      if (p < 0) return Bad.message;
      const { wire, number } = middle;
      if (number === 1) {
        if (wire !== 2 || !this.namedFeature(middle.start, middle.end)) return Bad.message;
      } else if (number === 100) {
        if (wire !== 2) return Bad.message;
        if (this.lineId >= 0) places.type[this.lineId] = ValueType.none;
        this.setLineId(middle.start, middle.end);
      } else if (number === 101 && this.label >= 0) {
        if (label) places.extend(this.label, ValueType.float, tag, p, 101);
        else places.set(this.label, ValueType.float, tag, p, 101);
        label = true;
      } else if (number === 102 && this.weight >= 0) places.set(this.weight, ValueType.float, tag, p, 102);
    }
    return this.lineIdOfFeature();
  }

  /** monolith.io.proto.ExampleBatch in bytes [start, end): finds the wanted columns and `batchSize`; then {@link nextRow}. */
  batch(start: number, end: number): number {
    const { outer, listAt, listShared } = this;
    this.batchSize = 0;
    listAt.fill(NONE);
    this.column = 0;
    this.extra = 0;
    for (let p = start; p < end; ) {
      p = outer.next(p, end);
      if (p < 0) return Bad.message;
      if (outer.number === 1) {
        if (outer.wire !== 2 || !this.namedList(outer.start, outer.end)) return Bad.message;
      } else if (outer.number === 3) {
        if (outer.wire !== 0) return Bad.message;
        this.batchSize = outer.low | 0;
      }
    }
    // Only now is the batch's size known: it stands behind the columns.
    for (let column = 0; column < listAt.length; column++) {
      if (listAt[column] < 0) continue;
      const features = this.listFeatures[column];
      if (listShared[column] !== 0 ? features > 0 : features === this.batchSize) continue;
      this.column = column;
      this.extra = features;
      return Bad.batch;
    }
    return OK;
  }

  /** The columns of the batch's next example; a code. */
  nextRow(): number {
    const { middle, places, listAt, listEnd, listShared } = this;
    places.clear();
    let whole = true;
    for (let column = 0; column < listAt.length; column++) {
      let p = listAt[column];
      if (p < 0) continue;
      const end = listEnd[column];
      while (p >= 0 && p < end) {
        p = middle.next(p, end);
        if (middle.number === 2) break;
      }
      if (listShared[column] === 0) listAt[column] = p;
      // The other columns go on all the same: the next example stands behind this one in each.
      if (!this.featureValues(column, middle.start, middle.end)) whole = false;
    }
    return whole ? this.lineIdOfFeature() : Bad.message;
  }

  /** monolith.io.proto.ExampleBatchRowMajor in bytes [start, end): the features that all examples share; then {@link nextExample}. */
  sharedFeatures(start: number, end: number): number {
    const { outer, places, shared } = this;
    places.clear();
    for (let p = start; p < end; ) {
      p = outer.next(p, end);
      if (p < 0) return Bad.message;
      if (outer.number !== 1 && outer.number !== 3) continue;
      if (outer.wire !== 2) return Bad.message;
      if (outer.number === 1 && !this.namedFeature(outer.start, outer.end)) return Bad.message;
    }
    shared.copyFrom(places);
    this.rowsAt = start;
    this.rowsEnd = end;
    return OK;
  }

  /** Goes to the next example of the message; false at its end. */
  nextExample(): boolean {
    const { outer } = this;
    while (this.rowsAt < this.rowsEnd) {
      this.rowsAt = outer.next(this.rowsAt, this.rowsEnd);
      if (outer.number === 3) return true;
    }
    return false;
  }

  /** The columns of that example; what it does not have itself it has from the shared features. */
  exampleWithShared(): number {
    this.places.copyFrom(this.shared);
    return this.example(this.outer.start, this.outer.end);
  }

  /** NamedFeature: 1 name, 2 feature. */
  private namedFeature(start: number, end: number): boolean {
    const { inner } = this;
    let column = NONE;
    let from = start;
    let to = start;
    for (let p = start; p < end; ) {
      p = inner.next(p, end);
      if (p < 0) return false;
      if (inner.number > 2) continue;
      if (inner.wire !== 2) return false;
      if (inner.number === 1) column = this.names.find(inner.start, inner.end);
      else {
        from = inner.start;
        to = inner.end;
      }
    }
    if (column < 0) return true;
    this.places.type[column] = ValueType.none;
    return this.featureValues(column, from, to);
  }

  /** NamedFeatureList: 1 name, 2 feature (repeated), 3 type (1: shared). */
  private namedList(start: number, end: number): boolean {
    const { inner } = this;
    let column = NONE;
    let features = 0;
    let isShared = 0;
    for (let p = start; p < end; ) {
      p = inner.next(p, end);
      if (p < 0) return false;
      if (inner.number === 1) {
        if (inner.wire !== 2) return false;
        column = this.names.find(inner.start, inner.end);
      } else if (inner.number === 2) {
        if (inner.wire !== 2) return false;
        features++;
      } else if (inner.number === 3) {
        if (inner.wire !== 0) return false;
        isShared = inner.low === 1 ? 1 : 0;
      }
    }
    if (column < 0) return true;
    this.listAt[column] = start;
    this.listEnd[column] = end;
    this.listShared[column] = isShared;
    this.listFeatures[column] = features;
    return true;
  }

  /** The values of a monolith.io.proto.Feature: of its kinds the last one that is set. */
  private featureValues(column: number, start: number, end: number): boolean {
    const { feature, places } = this;
    for (let p = start; p < end; ) {
      const tag = p;
      p = feature.next(p, end);
      if (p < 0) return false;
      const { number } = feature;
      const type = featureTypes[number];
      if (type === undefined) continue;
      if (isOneValue(number)) places.set(column, type, tag, p, number);
      else if (feature.wire !== 2) return false;
      else places.set(column, type, feature.start, feature.end, 1, isListOfLists(number) ? 1 : 0);
    }
    return true;
  }

  /** idl.matrix.proto.Feature: of its kinds the first one that holds values. */
  private instanceFeature(start: number, end: number): boolean {
    const { inner, places } = this;
    let column = NONE;
    let kind = 0;
    for (let p = start; p < end; ) {
      p = inner.next(p, end);
      if (p < 0) return false;
      const { number } = inner;
      if (number === 1) {
        if (inner.wire !== 2) return false;
        column = this.names.find(inner.start, inner.end);
      } else if (number <= 9 && (kind === 0 || number < kind)) kind = number;
    }
    if (column < 0) return true;
    if (kind === 0) places.type[column] = ValueType.none;
    else if (kind <= 5) places.set(column, instanceTypes[kind - 2], start, end, kind);
    else places.set(column, instanceTypes[kind - 6], start, end, 1, kind);
    return true;
  }

  /** The LineId that came as the bytes of a feature; a code. */
  private lineIdOfFeature(): number {
    const { lineId, places, values } = this;
    if (lineId < 0 || places.type[lineId] === ValueType.none) return OK;
    const code = values.collect(places, lineId);
    if (code !== OK) return code;
    if (places.type[lineId] !== ValueType.bytes) return Bad.message;
    if (values.count > 0) this.setLineId(values.start[0], values.end[0]);
    return OK;
  }

  private setLineId(start: number, end: number): void {
    for (const [column, field, type] of this.lineIdColumns) this.places.set(column, type, start, end, field);
  }
}

export { type InitializerSpec, resolveInitializer } from './initializers.js';
export { type NamedSlice, rowLayout, type SliceInfo } from './row-layout.js';
export { EmbeddingTable, type EmbeddingTableSpec, type RowStorage } from './table.js';

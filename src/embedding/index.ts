export { type InitializerSpec, resolveInitializer } from './initializers.js';
export { type NamedSlice, rowLayout, type SliceInfo } from './row-layout.js';
export { EmbeddingTable, type EmbeddingTableSpec } from './table.js';

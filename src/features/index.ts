export * from './cross.js';
export * from './feature-schema.js';
export * from './record-filter.js';

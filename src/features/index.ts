export * from './cross.js';
export * from './feature-schema.js';

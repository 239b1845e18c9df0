export * from './feature-schema.js';

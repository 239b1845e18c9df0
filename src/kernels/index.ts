export * from './kernel-backend.js';

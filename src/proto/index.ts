export * from './training-job.js';

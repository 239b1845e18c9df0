export { type BatchGroup, type BatchGroupLayout, BatchHeader, type BatchLayout, BatchSlot } from './batch.js';

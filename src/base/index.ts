export { type ErrorCode, type ErrorDetails, MonolithError, type SerializedError, shapeMismatch } from './errors.js';

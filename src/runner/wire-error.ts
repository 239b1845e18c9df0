import { type ErrorCode, type ErrorDetails, MonolithError } from '../base/index.js';
import type { WireError } from '../proto/index.js';

/** An error in the form in which it crosses hosts. */
export function toWire(error: MonolithError): WireError {
  return { code: error.code, message: error.message, details: JSON.stringify(error.details) };
}

/** An error that came from another host; what can't be read of it is left out. */
export function fromWire(error: WireError): MonolithError {
  const code = /^[A-Z][A-Za-z]{2,40}$/.test(error.code ?? '') ? (error.code as ErrorCode) : 'Internal';
  return new MonolithError(code, error.message ?? 'no message came with the error', detailsOf(error.details));
}

function detailsOf(text: string | undefined): ErrorDetails {
  try {
    const details: unknown = JSON.parse(text ?? '{}');
    return typeof details === 'object' && details !== null && !Array.isArray(details) ? (details as ErrorDetails) : {};
  } catch {
    return {};
  }
}

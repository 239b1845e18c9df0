export * from './kernel-backend.js';
export type { AddonInfo } from './native/load.js';
export { type BackendChoice, describeAddon, referenceBackend, type SelectedBackend, selectBackend } from './select.js';

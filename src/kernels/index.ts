export * from './kernel-backend.js';
export { lineOffset, populateMemory } from './memory.js';
export { type Addon, type AddonInfo, loadAddon } from './native/load.js';
export { type BackendChoice, backendUnavailable, describeAddon, referenceBackend, type SelectedBackend, selectBackend } from './select.js';

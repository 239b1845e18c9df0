/** HTTP/2 window of a stream and of a connection: the default of 64 KiB costs a factor of two to four on messages of 64 KiB and more. */
export const FLOW_CONTROL_WINDOW = 16 << 20;

/**
 * Windows of our own streams. Node's HTTP/2 does not read while the system does not take what it writes, so two ends that both write more than
 * the sockets between them hold would wait for each other for ever. What a client may have on its way to a server is therefore kept below what
 * any path holds: the default of HTTP/2 at first, more when so much has come that the system has made its buffers larger. Larger windows were
 * no faster over loopback: what is on its way then no longer fits the caches.
 */
export const FIRST_SERVER_WINDOW = 65_535;
export const SERVER_WINDOW = 256 << 10;
export const GROWN_AFTER_BYTES = 1 << 20;
export const CLIENT_WINDOW = 512 << 10;

/** Largest HTTP/2 frame that our own streams take. */
export const FRAME_SIZE = 1 << 20;

/** MB that one HTTP/2 session of our own streams may have queued before it refuses new streams. */
export const SESSION_MB = 256;

/** A silent peer is asked for a sign of life after the first, and given up after the second: a vanished one is noticed within their sum. */
export const KEEPALIVE_TIME_MS = 5000;
export const KEEPALIVE_TIMEOUT_MS = 5000;

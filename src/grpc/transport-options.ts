/** HTTP/2 window of a stream and of a connection: the default of 64 KiB costs a factor of two to four on messages of 64 KiB and more. */
export const FLOW_CONTROL_WINDOW = 16 << 20;

/** A silent peer is asked for a sign of life after the first, and given up after the second: a vanished one is noticed within their sum. */
export const KEEPALIVE_TIME_MS = 5000;
export const KEEPALIVE_TIMEOUT_MS = 5000;

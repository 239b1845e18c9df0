import { Socket } from 'node:net';
import type { FrameReceiver } from './frame-receiver.js';

/** What Node keeps of a socket's system half. */
type Handle = { reading: boolean; readStop(): number; useUserBuffer(buffer: Uint8Array): void };

/**
 * Lets an accepted socket read into the receiver's buffer, from its next bytes on. Node gives an accepted socket no way to say where it reads
 * to, as a connecting one has (`onread`); so its system half gets another socket round it. Where that can't be done (TLS, whose records are
 * decrypted elsewhere; a Node that keeps it otherwise) it reads as sockets do.
 *
 * @returns the socket to write to and to listen to; the one that was given ends with it, and it with the one that was given.
 */
export function readInto(accepted: Socket, receiver: FrameReceiver): Socket {
  const owner = accepted as unknown as { _handle: Handle | null };
  const handle = owner._handle;
  if (accepted.constructor !== Socket || typeof handle?.useUserBuffer !== 'function' || typeof handle.readStop !== 'function') {
    accepted.on('data', (chunk: Buffer) => receiver.push(chunk));
    return accepted;
  }
  handle.readStop();
  handle.reading = false;
  owner._handle = null;
  const options = { handle, onread: receiver.onread, noDelay: true, readable: true, writable: true };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  socket.once('close', () => accepted.destroy());
  accepted.once('close', () => socket.destroy());
  return socket;
}

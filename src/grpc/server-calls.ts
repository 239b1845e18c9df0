import type { handleBidiStreamingCall, handleUnaryCall, MethodDefinition, ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js';
import { Metadata, status } from '@grpc/grpc-js';
import { MonolithError, monotonicMs } from '../base/index.js';
import { CarriedDuplex } from './duplex-base.js';
import { asBuffer, type CallContext, type DuplexHandler, peerOf, type UnaryHandler } from './service.js';
import { toStatus } from './status.js';

/** Told of what a handler threw that is no error of ours: a defect of the server. */
export type DefectListener = (path: string, error: unknown) => void;

/** A method whose messages are the bytes themselves. */
export function rawMethod(path: string, streaming: boolean): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer) => bytes;
  return {
    path,
    requestStream: streaming,
    responseStream: streaming,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

type AnyCall = ServerUnaryCall<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

class ServerCallContext implements CallContext {
  readonly peer: string;
  readonly path: string;
  readonly deadlineMs: number;
  readonly #call: AnyCall;
  #abort: AbortController | null = null;
  #reply: Metadata | null = null;

  constructor(call: AnyCall) {
    this.#call = call;
    this.peer = peerOf(call);
    this.path = call.getPath();
    const deadline = Number(call.getDeadline());
    this.deadlineMs = Number.isFinite(deadline) ? monotonicMs() + deadline - Date.now() : Number.POSITIVE_INFINITY;
  }

  header(name: string): string | undefined {
    return this.#call.metadata.get(name)[0]?.toString();
  }

  setHeader(name: string, value: string): void {
    this.#reply ??= new Metadata();
    this.#reply.set(name, value);
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.#call.cancelled) abort.abort();
      else this.#call.on('cancelled', () => abort.abort());
    }
    return this.#abort.signal;
  }

  sendHeaders(): void {
    if (this.#reply !== null && !this.#call.cancelled) this.#call.sendMetadata(this.#reply);
  }
}

/** A handler of ours as grpc-js calls it. A call whose deadline has passed before the handler runs is not run. */
export function unaryHandler(handler: UnaryHandler, defect: DefectListener): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const context = new ServerCallContext(call);
    const fail = (error: unknown): void => {
      if (!(error instanceof MonolithError)) defect(context.path, error);
      context.sendHeaders();
      callback({ ...toStatus(error), name: 'ServerError', message: '' });
    };
    const answer = (bytes: Uint8Array): void => {
      context.sendHeaders();
      callback(null, asBuffer(bytes));
    };
    try {
      if (context.deadlineMs <= monotonicMs())
        throw new MonolithError('DeadlineExceeded', `${context.path}: the deadline passed before it ran`);
      const reply = handler(call.request, context);
      if (reply instanceof Promise) reply.then(answer).catch(fail);
      else answer(reply);
    } catch (error) {
      fail(error);
    }
  };
}

export function duplexHandler(handler: DuplexHandler, defect: DefectListener): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    const context = new ServerCallContext(call);
    const stream = new ServerDuplex(call, context.peer, context.path);
    try {
      handler(stream, context);
    } catch (error) {
      if (!(error instanceof MonolithError)) defect(context.path, error);
      stream.fail(error as Error);
    }
  };
}

class ServerDuplex extends CarriedDuplex<ServerDuplexStream<Buffer, Buffer>> {
  constructor(call: ServerDuplexStream<Buffer, Buffer>, peer: string, path: string) {
    super(call, peer);
    call.on('cancelled', () => this.settle(streamLost(peer, path)));
    call.on('error', (error: Error) => this.settle(streamLost(peer, path, error.message)));
    call.on('finish', () => this.settle(null));
  }

  write(message: Uint8Array, sent?: () => void): boolean {
    return this.isClosed || this.carrier.write(asBuffer(message), sent);
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.carrier.on('data', listener);
  }

  end(): void {
    if (!this.isClosed) this.carrier.end();
  }

  fail(error: Error): void {
    if (this.isClosed) return;
    this.carrier.emit('error', { ...toStatus(error), message: error.message });
    this.settle(error);
  }
}

/** Why a server's stream ended before its time. */
export function streamLost(peer: string, path: string, why = 'the client cancelled the stream or its connection was lost'): MonolithError {
  return new MonolithError('Unavailable', `${peer}: ${path}: ${why}`, { peer, method: path });
}

/** Answers that the call gate and the token check give; the handler never runs. */
export function refusal(error: MonolithError): { code: number; details: string; metadata: Metadata } {
  const answer = toStatus(error);
  return answer.code === status.OK ? { ...answer, code: status.INTERNAL } : answer;
}

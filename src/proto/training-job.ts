import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** An error as it crosses hosts; `details` is JSON. */
export type WireError = { readonly code: string; readonly message: string; readonly details: string };

export type BeginOrder = {
  readonly fingerprint: string;
  readonly trainIdentity: string;
  readonly evalIdentity: string;
  readonly position: string;
};

/** See protos/training_job.proto. */
export const Operation = { begin: 1, train: 2, evaluate: 3, sync: 4 } as const;

export type Command = {
  readonly sequence: number;
  readonly operation: number;
  readonly slot?: number;
  readonly step?: number;
  readonly examples?: number;
  readonly begin?: BeginOrder;
};

export type Answer = {
  readonly sequence: number;
  readonly loss?: number;
  readonly examples?: number;
  readonly logits?: Uint8Array;
  readonly stats?: readonly number[];
};

export type FollowerMessage = {
  readonly acknowledged: number;
  readonly hello?: {
    readonly protocol: number;
    readonly worker: number;
    readonly session: string;
    readonly config: string;
    readonly version: string;
  };
  readonly answer?: Answer;
  readonly failure?: { readonly error?: WireError; readonly badBatch?: string };
  readonly alive?: Record<string, never>;
};

export type ChiefMessage = {
  readonly acknowledged: number;
  readonly welcome?: { readonly job: string };
  readonly command?: Command;
  readonly end?: { readonly error?: WireError };
  readonly alive?: Record<string, never>;
};

export type EndRequest = { readonly job: string; readonly error?: WireError };
export type AliveRequest = { readonly job: string };

const PACKAGE = 'monolith_local.training_job';

const root = protobuf.loadSync(fileURLToPath(new URL('../../../protos/training_job.proto', import.meta.url)));

/** One message type in both directions. Decoding throws what protobufjs throws for bytes that are no such message. */
export type MessageCodec<T> = { encode(message: T): Uint8Array; decode(bytes: Uint8Array): T };

function codec<T>(name: string): MessageCodec<T> {
  const type = root.lookupType(`${PACKAGE}.${name}`);
  return {
    encode: (message) => type.encode(type.fromObject(message as Record<string, unknown>)).finish(),
    // Sequences and steps stay far below 2^53; members that were not sent take their defaults, messages and unset bodies stay out.
    decode: (bytes) => type.toObject(type.decode(bytes), { longs: Number, defaults: false }) as T,
  };
}

export const followerMessage = codec<FollowerMessage>('FollowerMessage');
export const chiefMessage = codec<ChiefMessage>('ChiefMessage');
export const endRequest = codec<EndRequest>('EndRequest');
export const aliveRequest = codec<AliveRequest>('AliveRequest');

/** Paths of the calls. */
export const trainingJobPaths = {
  follow: `/${PACKAGE}.TrainingJob/Follow`,
  alive: `/${PACKAGE}.JobLifetime/Alive`,
  end: `/${PACKAGE}.JobLifetime/End`,
} as const;

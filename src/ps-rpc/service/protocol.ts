/** Path of the unary service. */
export const PS_SERVICE = 'monolith.ps_training.ParameterServerTraining';

/** Metadata beyond the messages; servers and clients that don't know it lose exactly-once applies and nothing else. */
export const PsHeader = {
  /** Client: 'new' with a HealthCheck to begin a session, its name with an apply. Server: the name of the new session. */
  session: 'monolith-session',
  /** Place of an apply in its session: 0, 1, 2 … */
  sequence: 'monolith-sequence',
  /** Lowest sequence whose answer the client still waits for. */
  base: 'monolith-base',
  /** Equal for repetitions of one barrier arrival. */
  request: 'monolith-request',
  /** '1': the caller knows that the barrier's number of workers has changed. */
  resize: 'monolith-resize',
  /** Server: code of the error behind a status_code that is not 0. */
  code: 'monolith-code',
} as const;

export interface PlaybackOptions {
  /** Where your back end answers: `${url}/start`, `${url}/heartbeat` and `${url}/end`. */
  url: string;
  /** A session of your choice; without one each start makes a new UUID. */
  session?: string;
  /** What your back end is to be told of it, such as `{content: 'film'}`. */
  details?: Record<string, unknown>;
}

/** Where a playback is. `hidden`: its page was left, and starts it again when it comes back as it was. */
export type PlaybackState =
  | 'idle' | 'starting' | 'playing' | 'unavailable' | 'denied' | 'gone' | 'hidden' | 'stopped';

export interface Started {
  start: string;
  heartbeatInterval: number;
  concurrentSessions?: number;
  limit?: number;
}

export interface Denied {
  /** 409; 429 where the user starts too often; another 4xx where the back end refuses. */
  status: number;
  error?: string;
  message?: string;
  retryAfter?: number;
  /** Who is watching. */
  sessions?: Array<Record<string, unknown>>;
}

export interface Gone {
  status: number;
  reason?: string;
  message?: string;
}

export interface PlaybackEvents {
  /** It counts, at first or again. */
  started: CustomEvent<Started>;
  /** It may not be watched. It is not tried again by itself. */
  denied: CustomEvent<Denied>;
  /** Somebody ended it: it was evicted or purged, or ended or started in another place. Stop playing. */
  gone: CustomEvent<Gone>;
  /** Nobody says yes or no (5xx, 429, silence). Play on: the lease counts. It is tried again. */
  unavailable: CustomEvent<Record<string, never>>;
  /** That is over. */
  available: CustomEvent<Record<string, never>>;
  /** Still nobody, and the lease is over, or there was none yet: your own rule decides, to play on or not. */
  lapsed: CustomEvent<Record<string, never>>;
}

/** One playback of the page, counted from `start()` to `stop()`. */
export class Playback extends EventTarget {
  constructor(options: PlaybackOptions);
  readonly state: PlaybackState;
  readonly session: string | undefined;
  start(): Promise<PlaybackState>;
  stop(): void;
  addEventListener<K extends keyof PlaybackEvents>(
    type: K, listener: (event: PlaybackEvents[K]) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(
    type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

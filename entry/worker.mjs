// The worker's entry: starts the WebAssembly module and passes the platform's events on to it.
//
// The actors are wrapped for two reasons: the platform finds RPC methods on the prototype of a `DurableObject` class only,
// and an actor must outlive the WebAssembly instance. A panic unwinds and fails its own request. A trap (stack or memory
// exhausted) spoils the whole instance: the calls it has not answered fail, a new instance takes its place, and each actor
// starts anew from its SQL.

import { DurableObject } from 'cloudflare:workers';
import wasm from './selvedge_bg.wasm';
import * as selvedge from 'selvedge';

// Deep enough to name the function behind a panic.
Error.stackTraceLimit = 100;

selvedge.initSync({ module: wasm });

/** The number of the WebAssembly instance, and what rejects the calls that it has not answered yet. */
let instance = liveInstance();
const unanswered = new Set();

/** The number of the live instance, after replacing one that has trapped. */
function liveInstance() {
  return selvedge.__worker_init_state().instanceId;
}

/** Replaces the instance if it has trapped. Its memory is gone, and the calls it has not answered with it. */
function revive() {
  const live = liveInstance();
  if (live === instance) return;
  instance = live;
  for (const reject of unanswered) reject(new Error('The WebAssembly instance was lost'));
  unanswered.clear();
}

// A trap outside a call from here, as in a resumed future.
addEventListener('error', revive);

/** Runs `operation`, which calls the live instance, and fails if the instance is lost before it answers. */
function call(operation) {
  revive();
  return new Promise((resolve, reject) => {
    unanswered.add(reject);
    operation()
      .then(resolve, reject)
      .finally(() => unanswered.delete(reject));
  });
}

/** A Durable Object class around the actor that Rust exports as `name`. */
function actor(name) {
  return class extends DurableObject {
    #actor;
    #instance;

    constructor(ctx, env) {
      super(ctx, env);
      revive();
      this.#live();
    }

    #live() {
      if (this.#instance !== instance) {
        this.#actor = new selvedge[name](this.ctx, this.env);
        this.#instance = instance;
      }
      return this.#actor;
    }

    fetch(request) {
      return call(() => this.#live().fetch(request));
    }

    rpc(operation, body) {
      return call(() => this.#live().rpc(operation, body));
    }

    alarm() {
      return call(() => this.#live().alarm());
    }

    webSocketMessage(socket, message) {
      return call(() => this.#live().webSocketMessage(socket, message));
    }

    webSocketClose(socket, code, reason, wasClean) {
      return call(() => this.#live().webSocketClose(socket, code, reason, wasClean));
    }

    webSocketError(socket, error) {
      return call(() => this.#live().webSocketError(socket, error));
    }
  };
}

export const Room = actor('Room');
export const User = actor('User');
export const Directory = actor('Directory');
export const RemoteServer = actor('RemoteServer');
export const AppService = actor('AppService');
export const MediaIndex = actor('MediaIndex');

export default {
  async fetch(request, env, ctx) {
    const answer = call(() => selvedge.fetch(request, env, ctx));
    // A client that goes away would otherwise stop its request wherever it is, never to be resumed or dropped: what it
    // holds of the instance's memory would be lost.
    ctx.waitUntil(answer.catch(() => {}));
    try {
      return await answer;
    } catch (error) {
      console.error('The request failed:', request.method, new URL(request.url).pathname, error?.stack ?? error);
      return Response.json(
        { errcode: 'M_UNKNOWN', error: 'Internal server error' },
        { status: 500, headers: { 'Access-Control-Allow-Origin': '*' } },
      );
    }
  },
};

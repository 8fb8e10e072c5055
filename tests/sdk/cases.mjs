// Named cases of one vendor's client, and what they are run against. The sibling of cases.py.
//
// Where the text of an answer is compared with the text of another, both calls ask the same: the
// simulator's words depend on the conversation alone.

import assert from 'node:assert/strict';

export const BASE = (process.env.TIDEGATE_URL ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
// A gateway whose models stand for one protocol of a provider each: see cases.py.
export const CROSS = (process.env.TIDEGATE_CROSS_URL ?? 'http://127.0.0.1:8081').replace(/\/+$/, '');
export const KEY = process.env.TIDEGATE_KEY ?? 'tg-demo-key';
export const WRONG_KEY = KEY.slice(0, -1) + (KEY.endsWith('x') ? 'y' : 'x');

export const HELLO = 'Say hello';
// The simulator calls a tool when the last words of the user have this in them.
export const WEATHER = 'What is the weather in Paris?';
export const WEATHER_SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city', 'days'],
};
export const FORECAST = { city: 'Paris', days: 1 };

export class Suite {
  constructor(client) {
    this.client = client;
    this.cases = [];
  }

  case(name, run) {
    assert(!this.cases.some((known) => known.name === name), `two cases are called "${name}"`);
    this.cases.push({ name, run });
  }
}

export const words = (text) => text.split(/\s+/).filter(Boolean).length;

/** The error with which `call` ends, which must be of this class. */
export async function rejects(kind, call) {
  try {
    await call();
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: `no ${kind.name} was thrown` });
}

export async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

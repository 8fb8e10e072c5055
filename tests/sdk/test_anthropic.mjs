// The npm `@anthropic-ai/sdk` client.

import Anthropic from '@anthropic-ai/sdk';
import assert from 'node:assert/strict';

import { BASE, HELLO, KEY, Suite, WEATHER, WEATHER_SCHEMA, WRONG_KEY, collect, rejects, words } from './cases.mjs';

export const suite = new Suite('@anthropic-ai/sdk');

const options = { baseURL: BASE, apiKey: KEY, maxRetries: 0, timeout: 20_000 };
const client = new Anthropic(options);
const model = 'claude-demo';
const messages = [{ role: 'user', content: HELLO }];
const weather = [{ role: 'user', content: WEATHER }];
const tools = [{ name: 'get_weather', description: 'A forecast.', input_schema: WEATHER_SCHEMA }];
const forecast = { city: 'Paris', days: 1 };

suite.case('lists models and reads one', async () => {
  const ids = (await collect(client.models.list())).map((one) => one.id);
  assert(ids.includes(model), ids.join());
  assert.equal((await client.models.retrieve(model)).type, 'model');
});

suite.case('sends a message', async () => {
  const answer = await client.messages.create({ model, max_tokens: 6, messages });
  assert.equal(words(answer.content[0].text), 6);
  assert.equal(answer.usage.output_tokens, 6);
});

suite.case('streams a message', async () => {
  const whole = await client.messages.create({ model, max_tokens: 8, messages });
  const stream = client.messages.stream({ model, max_tokens: 8, messages });
  let text = '';
  stream.on('text', (piece) => (text += piece));
  const final = await stream.finalMessage();
  assert.equal(text, whole.content[0].text);
  assert.equal(final.usage.output_tokens, 8);
  const events = await collect(await client.messages.create({ model, max_tokens: 8, messages, stream: true }));
  assert.equal(events[0].type, 'message_start');
  assert.equal(events.at(-1).type, 'message_stop');
});

suite.case('calls a tool, streamed and not', async () => {
  const answer = await client.messages.create({ model, max_tokens: 60, messages: weather, tools });
  assert.equal(answer.stop_reason, 'tool_use');
  assert.deepEqual(answer.content.at(-1).input, forecast);
  const final = await client.messages.stream({ model, max_tokens: 60, messages: weather, tools }).finalMessage();
  assert.deepEqual(final.content.at(-1).input, forecast);
});

suite.case('counts tokens', async () => {
  const short = await client.messages.countTokens({ model, messages });
  const longer = [{ role: 'user', content: HELLO.repeat(50) }];
  assert(short.input_tokens > 0);
  assert((await client.messages.countTokens({ model, messages: longer })).input_tokens > short.input_tokens);
});

suite.case('gets AuthenticationError for a wrong key', async () => {
  const stranger = new Anthropic({ ...options, apiKey: WRONG_KEY });
  for (const call of [
    () => stranger.messages.create({ model, max_tokens: 3, messages }),
    () => stranger.messages.create({ model, max_tokens: 3, messages, stream: true }),
  ]) {
    const error = await rejects(Anthropic.AuthenticationError, call);
    assert.equal(error.error.error.type, 'authentication_error');
    assert(!String(error).includes(WRONG_KEY));
  }
});

suite.case('gets BadRequestError from the provider', async () => {
  const headers = { 'x-sim-fault': 'status:400' };
  await rejects(Anthropic.BadRequestError, () =>
    client.messages.create({ model, max_tokens: 3, messages }, { headers }),
  );
});

suite.case('gets APIError for an error inside a stream', async () => {
  const headers = { 'x-sim-fault': 'error-after:3' };
  await rejects(Anthropic.APIError, () =>
    client.messages.stream({ model, max_tokens: 8, messages }, { headers }).finalMessage(),
  );
});

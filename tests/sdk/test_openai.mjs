// The npm `openai` client.

import assert from 'node:assert/strict';
import OpenAI, { AzureOpenAI, toFile } from 'openai';

import { BASE, HELLO, KEY, Suite, WEATHER, WEATHER_SCHEMA, WRONG_KEY, collect, rejects, words } from './cases.mjs';

export const suite = new Suite('openai');

const options = { baseURL: `${BASE}/v1`, apiKey: KEY, maxRetries: 0, timeout: 20_000 };
const client = new OpenAI(options);
const model = 'gpt-demo';
const messages = [{ role: 'user', content: HELLO }];
const weather = [{ role: 'user', content: WEATHER }];
const tool = { name: 'get_weather', description: 'A forecast.', parameters: WEATHER_SCHEMA };
const chatTools = [{ type: 'function', function: tool }];
const forecast = { city: 'Paris', days: 1 };
const delta = (chunk) => chunk.choices[0]?.delta?.content ?? '';

suite.case('lists models and reads one', async () => {
  const ids = (await collect(client.models.list())).map((one) => one.id);
  for (const id of ['gpt-demo', 'claude-demo', 'gemini-demo']) assert(ids.includes(id), ids.join());
  assert.equal((await client.models.retrieve(model)).id, model);
});

suite.case('chats', async () => {
  const answer = await client.chat.completions.create({ model, messages, max_tokens: 7 });
  assert.equal(words(answer.choices[0].message.content), 7);
  assert.equal(answer.usage.completion_tokens, 7);
});

suite.case('streams chat', async () => {
  const whole = await client.chat.completions.create({ model, messages, max_tokens: 9 });
  const chunks = await collect(
    await client.chat.completions.create({ model, messages, max_tokens: 9, stream: true }),
  );
  // The gateway asks for usage on its own account; a client that did not ask must not see it.
  assert(chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage));
  assert.equal(chunks.map(delta).join(''), whole.choices[0].message.content);
});

suite.case('streams chat with usage where it is asked for', async () => {
  const stream = await client.chat.completions.create({
    model, messages, max_tokens: 5, stream: true, stream_options: { include_usage: true },
  });
  const last = (await collect(stream)).at(-1);
  assert.equal(last.usage.completion_tokens, 5);
  assert.deepEqual(last.choices, []);
});

suite.case('calls a tool, streamed and not', async () => {
  const answer = await client.chat.completions.create({ model, messages: weather, tools: chatTools });
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments), forecast);
  const final = await client.chat.completions
    .stream({ model, messages: weather, tools: chatTools })
    .finalChatCompletion();
  assert.deepEqual(JSON.parse(final.choices[0].message.tool_calls[0].function.arguments), forecast);
});

suite.case('completes a prompt', async () => {
  const whole = await client.completions.create({ model, prompt: HELLO, max_tokens: 6 });
  const chunks = await collect(
    await client.completions.create({ model, prompt: HELLO, max_tokens: 6, stream: true }),
  );
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join(''), whole.choices[0].text);
});

suite.case('creates, reads and deletes a response', async () => {
  const made = await client.responses.create({ model, input: HELLO });
  assert.equal(made.status, 'completed');
  assert.equal((await client.responses.retrieve(made.id)).output_text, made.output_text);
  await client.responses.delete(made.id);
  await rejects(OpenAI.NotFoundError, () => client.responses.retrieve(made.id));
});

suite.case('streams a response, with a tool too', async () => {
  const events = await collect(await client.responses.create({ model, input: HELLO, stream: true }));
  assert.equal(events.at(-1).type, 'response.completed');
  const text = events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
  assert.equal(events.at(-1).response.output[0].content[0].text, text);
  const final = await client.responses
    .stream({ model, input: WEATHER, tools: [{ type: 'function', strict: false, ...tool }] })
    .finalResponse();
  assert.deepEqual(JSON.parse(final.output[0].arguments), forecast);
});

suite.case('embeds texts', async () => {
  const answer = await client.embeddings.create({ model, input: ['one', 'two'] });
  assert.equal(answer.data.length, 2);
  assert.notDeepEqual(answer.data[0].embedding, answer.data[1].embedding);
});

suite.case('transcribes an uploaded file', async () => {
  const file = await toFile(Buffer.alloc(64 * 1024, 7), 'sound.wav');
  assert((await client.audio.transcriptions.create({ model, file })).text);
});

suite.case('uploads a file', async () => {
  const file = await toFile(Buffer.from('{"custom_id":"1"}\n'.repeat(1000)), 'batch.jsonl');
  assert((await client.files.create({ file, purpose: 'batch' })).id);
});

suite.case('chats from an Azure client', async () => {
  const azure = new AzureOpenAI({ endpoint: BASE, apiVersion: '2024-10-21', apiKey: KEY, maxRetries: 0 });
  const answer = await azure.chat.completions.create({ model, messages, max_tokens: 4 });
  assert.equal(words(answer.choices[0].message.content), 4);
});

suite.case('streams many at once', async () => {
  const one = async (count) => {
    const stream = await client.chat.completions.create({ model, messages, max_tokens: count, stream: true });
    return words((await collect(stream)).map(delta).join(''));
  };
  const counts = Array.from({ length: 24 }, (_, index) => index + 1);
  assert.deepEqual(await Promise.all(counts.map(one)), counts);
});

suite.case('leaves a stream and goes on with the next call', async () => {
  const headers = { 'x-sim-delay-token-ms': '200' };
  const stream = await client.chat.completions.create(
    { model, messages, max_tokens: 100, stream: true },
    { headers },
  );
  for await (const _ of stream) break;
  assert((await client.chat.completions.create({ model, messages })).choices[0].message.content);
});

suite.case('gets AuthenticationError for a wrong key', async () => {
  const stranger = new OpenAI({ ...options, apiKey: WRONG_KEY });
  for (const call of [
    () => stranger.models.list(),
    () => stranger.chat.completions.create({ model, messages }),
    () => stranger.chat.completions.create({ model, messages, stream: true }),
    () => stranger.responses.create({ model, input: HELLO }),
  ]) {
    const error = await rejects(OpenAI.AuthenticationError, call);
    assert.equal(error.status, 401);
    assert(error.code && !String(error).includes(WRONG_KEY));
  }
});

suite.case('gets BadRequestError from the provider', async () => {
  const headers = { 'x-sim-fault': 'status:400' };
  await rejects(OpenAI.BadRequestError, () =>
    client.chat.completions.create({ model, messages }, { headers }),
  );
});

suite.case('gets APIError for an error inside a stream', async () => {
  const headers = { 'x-sim-fault': 'error-after:3' };
  const stream = await client.chat.completions.create({ model, messages, stream: true }, { headers });
  await rejects(OpenAI.APIError, () => collect(stream));
});

// The npm `@google/genai` client.

import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from '@google/genai';
import assert from 'node:assert/strict';

import { BASE, HELLO, KEY, Suite, WRONG_KEY, collect, rejects, words } from './cases.mjs';

export const suite = new Suite('@google/genai');

const httpOptions = { baseUrl: BASE, timeout: 20_000 };
const client = new GoogleGenAI({ apiKey: KEY, httpOptions });
const model = 'gemini-demo';
const forecast = {
  name: 'get_weather',
  description: 'A forecast.',
  parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ['city'] },
};

suite.case('generates content', async () => {
  const config = { maxOutputTokens: 7 };
  const answer = await client.models.generateContent({ model, contents: HELLO, config });
  assert.equal(words(answer.text), 7);
  assert.equal(answer.usageMetadata.candidatesTokenCount, 7);
});

suite.case('streams content', async () => {
  const whole = await client.models.generateContent({ model, contents: HELLO });
  const chunks = await collect(await client.models.generateContentStream({ model, contents: HELLO }));
  assert.equal(chunks.map((chunk) => chunk.text ?? '').join(''), whole.text);
  assert.equal(chunks.at(-1).candidates[0].finishReason, 'STOP');
});

suite.case('calls a function', async () => {
  const config = {
    tools: [{ functionDeclarations: [forecast] }],
    toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } },
  };
  const answer = await client.models.generateContent({ model, contents: HELLO, config });
  assert.deepEqual(answer.functionCalls[0].args, { city: 'Paris' });
});

suite.case('counts tokens and embeds texts', async () => {
  assert((await client.models.countTokens({ model, contents: HELLO })).totalTokens > 0);
  const contents = ['one', 'two'];
  const answer = await client.models.embedContent({ model: 'gemini-embedding-001', contents });
  assert.equal(answer.embeddings.length, 2);
});

suite.case('gets ApiError 401 for a wrong key', async () => {
  const stranger = new GoogleGenAI({ apiKey: WRONG_KEY, httpOptions });
  const error = await rejects(ApiError, () => stranger.models.generateContent({ model, contents: HELLO }));
  assert.equal(error.status, 401);
  assert(!String(error).includes(WRONG_KEY));
});

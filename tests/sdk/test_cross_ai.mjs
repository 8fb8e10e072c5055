// Vercel's `ai` with its OpenAI (both APIs) and Anthropic providers, on models that speak something else.

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import assert from 'node:assert/strict';

import { CROSS, FORECAST, HELLO, KEY, Suite, WEATHER, WEATHER_SCHEMA, words } from './cases.mjs';

export const suite = new Suite('ai, translated');

const openai = createOpenAI({ baseURL: `${CROSS}/v1`, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: `${CROSS}/v1`, apiKey: KEY });
const schema = jsonSchema({ ...WEATHER_SCHEMA, additionalProperties: false });
const asked = [];
const tools = {
  get_weather: tool({
    description: 'A forecast.',
    inputSchema: schema,
    execute: async (input) => {
      asked.push(input);
      return 'sunny';
    },
  }),
};

const clients = [
  ['chat', (model) => openai.chat(model), ['to-messages-new', 'to-gemini', 'to-converse', 'to-cohere', 'to-ollama']],
  ['responses', (model) => openai.responses(model), ['to-messages-new', 'to-gemini', 'to-converse', 'to-chat']],
  ['messages', (model) => anthropic(model), ['to-chat', 'to-gemini', 'to-converse', 'to-responses']],
];

for (const [name, provider, targets] of clients) {
  for (const target of targets) {
    const options = { model: provider(target), maxRetries: 0 };
    suite.case(`generates text (${name}) in the dialect of ${target}`, async () => {
      const answer = await generateText({ ...options, prompt: HELLO, maxOutputTokens: 20 });
      assert.equal(words(answer.text), 20);
      assert.equal(answer.finishReason, 'length');
      assert.equal(answer.usage.outputTokens, 20);
    });
    suite.case(`streams text (${name}) in the dialect of ${target}`, async () => {
      const whole = await generateText({ ...options, prompt: HELLO, maxOutputTokens: 20 });
      const stream = streamText({ ...options, prompt: HELLO, maxOutputTokens: 20, onError: () => {} });
      let text = '';
      for await (const piece of stream.textStream) text += piece;
      assert.equal(text, whole.text);
      assert.equal((await stream.usage).outputTokens, 20);
    });
    suite.case(`calls a tool and goes on (${name}) in the dialect of ${target}`, async () => {
      const looped = { ...options, prompt: WEATHER, tools, stopWhen: stepCountIs(3) };
      asked.length = 0;
      const answer = await generateText(looped);
      assert.equal(answer.steps.length, 2);
      assert(answer.text);
      const stream = streamText({ ...looped, onError: () => {} });
      assert(await stream.text);
      assert.deepEqual(asked, [FORECAST, FORECAST]);
    });
    suite.case(`goes on from what was said (${name}) in the dialect of ${target}`, async () => {
      const first = await generateText({ ...options, prompt: HELLO });
      const turns = [{ role: 'user', content: HELLO }, ...first.response.messages, { role: 'user', content: HELLO }];
      const answer = await generateText({ ...options, messages: turns });
      assert(answer.text);
      // The client refers to what a stored response said instead of saying it again.
      assert.equal(answer.response.headers['x-tidegate-dropped'], undefined);
    });
    suite.case(`answers by a schema (${name}) in the dialect of ${target}`, async () => {
      const answer = await generateText({ ...options, prompt: HELLO, output: Output.object({ schema }) });
      assert.deepEqual(answer.output, FORECAST);
    });
  }
}

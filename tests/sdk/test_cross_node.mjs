// The vendors' npm clients on models that speak something else: streams and tool loops.

import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import assert from 'node:assert/strict';
import OpenAI from 'openai';

import { CROSS, FORECAST, HELLO, KEY, Suite, WEATHER, WEATHER_SCHEMA, collect, words } from './cases.mjs';

export const suite = new Suite('npm clients, translated');

const openai = new OpenAI({ baseURL: `${CROSS}/v1`, apiKey: KEY, maxRetries: 0, timeout: 20_000 });
const anthropic = new Anthropic({ baseURL: CROSS, apiKey: KEY, maxRetries: 0, timeout: 20_000 });
const google = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: CROSS, timeout: 20_000 } });
const fn = { name: 'get_weather', description: 'A forecast.', parameters: WEATHER_SCHEMA };

for (const model of ['to-messages-new', 'to-gemini', 'to-converse']) {
  suite.case(`openai streams a tool call and goes on in the dialect of ${model}`, async () => {
    const messages = [{ role: 'user', content: WEATHER }];
    const tools = [{ type: 'function', function: fn }];
    const final = await openai.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
    const { message } = final.choices[0];
    assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), FORECAST);
    const result = { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'sunny' };
    const said = { role: 'assistant', content: message.content, tool_calls: message.tool_calls };
    const next = await openai.chat.completions.create({ model, messages: [...messages, said, result], tools });
    assert(next.choices[0].message.content);
  });
}

for (const model of ['to-chat', 'to-responses', 'to-gemini', 'to-converse']) {
  suite.case(`@anthropic-ai/sdk streams a tool call and goes on in the dialect of ${model}`, async () => {
    const messages = [{ role: 'user', content: WEATHER }];
    const tools = [{ name: fn.name, description: fn.description, input_schema: fn.parameters }];
    const final = await anthropic.messages.stream({ model, max_tokens: 60, messages, tools }).finalMessage();
    const call = final.content.at(-1);
    assert.deepEqual(call.input, FORECAST);
    const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'sunny' }] };
    const turns = [...messages, { role: 'assistant', content: final.content }, result];
    const next = await anthropic.messages.create({ model, max_tokens: 60, messages: turns, tools });
    assert.equal(next.content[0].type, 'text');
  });
}

for (const model of ['to-chat', 'to-messages-new', 'to-converse']) {
  suite.case(`@google/genai streams and calls in the dialect of ${model}`, async () => {
    const config = { maxOutputTokens: 20 };
    const whole = await google.models.generateContent({ model, contents: HELLO, config });
    assert.equal(words(whole.text), 20);
    const chunks = await collect(await google.models.generateContentStream({ model, contents: HELLO, config }));
    assert.equal(chunks.map((chunk) => chunk.text ?? '').join(''), whole.text);
    const tools = [{ functionDeclarations: [{ name: fn.name, parametersJsonSchema: WEATHER_SCHEMA }] }];
    const answer = await google.models.generateContent({ model, contents: WEATHER, config: { tools } });
    assert.deepEqual(answer.functionCalls[0].args, FORECAST);
  });
}

"""The Python `cohere` client (v2) on providers that speak something else, and on its own."""

import json

import cohere

from cases import CROSS, FORECAST, HELLO, KEY, WEATHER, WEATHER_SCHEMA, Suite, each, words

suite = Suite("cohere, translated")

client = cohere.ClientV2(base_url=CROSS, api_key=KEY, timeout=20)
TARGETS = ("to-cohere", "to-chat", "to-messages-new", "to-gemini", "to-converse", "to-ollama", "to-responses")
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": HELLO}]
FUNCTION = {"name": "get_weather", "description": "A forecast.", "parameters": WEATHER_SCHEMA}
TOOLS = [{"type": "function", "function": FUNCTION}]


def chat(model):
    """chats in the dialect."""
    answer = client.chat(model=model, messages=ASK, max_tokens=20)
    assert answer.finish_reason == "MAX_TOKENS" and words(answer.message.content[0].text) == 20, answer
    assert answer.usage.tokens.output_tokens == 20, answer.usage


def stream(model):
    """streams chat in the dialect."""
    whole = client.chat(model=model, messages=ASK, max_tokens=20)
    events = list(client.chat_stream(model=model, messages=ASK, max_tokens=20))
    text = "".join(e.delta.message.content.text for e in events if e.type == "content-delta")
    assert text == whole.message.content[0].text
    assert events[-1].type == "message-end" and events[-1].delta.finish_reason == "MAX_TOKENS", events[-1]


def tools(model):
    """calls a tool and goes on in the dialect."""
    turns = [{"role": "user", "content": WEATHER}]
    for _ in range(2):
        message = client.chat(model=model, messages=turns, tools=TOOLS).message
        call = message.tool_calls[0]
        assert call.function.name == "get_weather" and json.loads(call.function.arguments) == FORECAST, message
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        turns += [message.model_dump(exclude_none=True), result]
        said = client.chat(model=model, messages=turns, tools=TOOLS).message
        assert said.content[0].text, said
        turns += [{"role": "assistant", "content": said.content[0].text}, {"role": "user", "content": WEATHER}]


def tools_stream(model):
    """streams a tool call in the dialect."""
    events = list(client.chat_stream(model=model, messages=[{"role": "user", "content": WEATHER}], tools=TOOLS))
    deltas = [e for e in events if e.type in ("tool-call-start", "tool-call-delta")]
    arguments = "".join(e.delta.message.tool_calls.function.arguments or "" for e in deltas)
    assert json.loads(arguments) == FORECAST, events


def structured(model):
    """answers by a schema in the dialect."""
    form = {"type": "json_object", "json_schema": WEATHER_SCHEMA}
    answer = client.chat(model=model, messages=ASK, response_format=form)
    assert json.loads(answer.message.content[0].text) == FORECAST, answer


each(suite, TARGETS, (chat, stream, tools, tools_stream, structured))

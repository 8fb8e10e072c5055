"""The Python `mistralai` client, which speaks chat completions with words of its own."""

import json

from mistralai.client import Mistral

from cases import CLOSED_SCHEMA, CROSS, FORECAST, HELLO, KEY, WEATHER, WEATHER_SCHEMA, Suite, each, words

suite = Suite("mistralai, translated")

client = Mistral(api_key=KEY, server_url=CROSS, timeout_ms=20_000)
TARGETS = ("to-messages-new", "to-gemini", "to-converse", "to-cohere")
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": HELLO}]
FUNCTION = {"name": "get_weather", "description": "A forecast.", "parameters": WEATHER_SCHEMA}
TOOLS = [{"type": "function", "function": FUNCTION}]


def chat(model):
    """chats in the dialect."""
    answer = client.chat.complete(model=model, messages=ASK, max_tokens=20)
    choice = answer.choices[0]
    assert choice.finish_reason == "length" and words(choice.message.content) == 20, answer
    assert answer.usage.completion_tokens == 20, answer.usage


def stream(model):
    """streams chat in the dialect."""
    whole = client.chat.complete(model=model, messages=ASK, max_tokens=20).choices[0].message.content
    with client.chat.stream(model=model, messages=ASK, max_tokens=20) as events:
        data = [event.data for event in events]
    text = "".join(one.choices[0].delta.content or "" for one in data if one.choices)
    assert text == whole


def tools(model):
    """calls a tool and goes on in the dialect."""
    turns = [{"role": "user", "content": WEATHER}]
    for choice in ("auto", "any"):
        message = client.chat.complete(model=model, messages=turns, tools=TOOLS, tool_choice=choice).choices[0].message
        call = message.tool_calls[0]
        arguments = call.function.arguments
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
        assert call.function.name == "get_weather" and arguments == FORECAST, message
        result = {"role": "tool", "tool_call_id": call.id, "name": "get_weather", "content": "sunny"}
        turns += [message, result]
        said = client.chat.complete(model=model, messages=turns, tools=TOOLS).choices[0].message
        assert said.content, said
        turns += [{"role": "assistant", "content": said.content}, {"role": "user", "content": WEATHER}]


def structured(model):
    """answers by a schema in the dialect."""
    form = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CLOSED_SCHEMA}}
    answer = client.chat.complete(model=model, messages=ASK, response_format=form)
    assert json.loads(answer.choices[0].message.content) == FORECAST, answer


each(suite, TARGETS, (chat, stream, tools, structured))

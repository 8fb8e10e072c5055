"""The Python `anthropic` client on providers that speak something else."""

import json

import anthropic

from cases import CLOSED_SCHEMA, CROSS, FORECAST, HELLO, KEY, WEATHER, WEATHER_SCHEMA, Suite, each, words

suite = Suite("anthropic, translated")

client = anthropic.Anthropic(base_url=CROSS, api_key=KEY, max_retries=0, timeout=20)
TARGETS = ("to-chat", "to-responses", "to-gemini", "to-converse", "to-cohere", "to-ollama", "to-deepseek")
ASK = [{"role": "user", "content": HELLO}]
ASK_WEATHER = [{"role": "user", "content": WEATHER}]
TOOLS = [{"name": "get_weather", "description": "A forecast.", "input_schema": WEATHER_SCHEMA}]


def message(model):
    """sends a message in the dialect."""
    answer = client.messages.create(model=model, max_tokens=20, system="Be brief.", messages=ASK)
    assert answer.stop_reason == "max_tokens" and words(answer.content[0].text) == 20, answer
    assert answer.usage.output_tokens == 20 and answer.usage.input_tokens > 0, answer.usage
    assert answer.model, answer


def stream(model):
    """streams a message in the dialect."""
    whole = client.messages.create(model=model, max_tokens=20, messages=ASK)
    with client.messages.stream(model=model, max_tokens=20, messages=ASK) as streamed:
        text = "".join(streamed.text_stream)
        final = streamed.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.usage.output_tokens == 20 and final.stop_reason == "max_tokens", final


def tools(model):
    """calls a tool and goes on in the dialect."""
    turns = list(ASK_WEATHER)
    for _ in range(2):
        answer = client.messages.create(model=model, max_tokens=60, messages=turns, tools=TOOLS)
        call = answer.content[-1]
        assert answer.stop_reason == "tool_use" and call.input == FORECAST and call.name == "get_weather", answer
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
        turns += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
        said = client.messages.create(model=model, max_tokens=60, messages=turns, tools=TOOLS)
        assert said.content[0].type == "text", said
        turns += [{"role": "assistant", "content": said.content}, *ASK_WEATHER]


def tools_stream(model):
    """streams a tool call and goes on in the dialect."""
    ask = {"model": model, "max_tokens": 60, "tools": TOOLS}
    with client.messages.stream(**ask, messages=ASK_WEATHER) as streamed:
        final = streamed.get_final_message()
    call = final.content[-1]
    assert final.stop_reason == "tool_use" and call.input == FORECAST, final
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    turns = [*ASK_WEATHER, {"role": "assistant", "content": final.content}, {"role": "user", "content": [result]}]
    assert client.messages.create(**ask, messages=turns).content[0].text


def forced(model):
    """forces a tool in the dialect."""
    choice = {"type": "tool", "name": "get_weather"}
    answer = client.messages.create(model=model, max_tokens=60, messages=ASK, tools=TOOLS, tool_choice=choice)
    assert answer.content[-1].input == FORECAST, answer


def structured(model):
    """answers by a schema in the dialect."""
    output = {"format": {"type": "json_schema", "schema": CLOSED_SCHEMA}}
    answer = client.messages.create(model=model, max_tokens=60, messages=ASK, output_config=output)
    assert json.loads(answer.content[0].text) == FORECAST, answer


each(suite, TARGETS, (message, stream, tools, tools_stream, structured))
each(suite, ("to-chat", "to-responses", "to-gemini", "to-cohere"), (forced,))

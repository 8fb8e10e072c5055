"""The Python `openai` client on providers that speak something else."""

import json

import openai
import pydantic

from cases import CLOSED_SCHEMA, CROSS, FORECAST, HELLO, KEY, WEATHER, WEATHER_SCHEMA, Suite, each, raises, words

suite = Suite("openai, translated")

client = openai.OpenAI(base_url=f"{CROSS}/v1", api_key=KEY, max_retries=0, timeout=20)
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": HELLO}]
ASK_WEATHER = [{"role": "user", "content": WEATHER}]
FUNCTION = {"name": "get_weather", "description": "A forecast.", "parameters": WEATHER_SCHEMA}
TOOLS = [{"type": "function", "function": FUNCTION}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CLOSED_SCHEMA}}
FLAT = [{"type": "function", "strict": False, **FUNCTION}]
# The first is new: it takes no sampling parameters.
CHAT_TARGETS = (
    "to-messages-new", "to-messages", "to-gemini", "to-converse", "to-cohere", "to-ollama", "to-responses", "to-deepseek",
)
RESPONSE_TARGETS = (
    "to-messages-new", "to-messages", "to-gemini", "to-converse", "to-cohere", "to-ollama", "to-chat", "to-deepseek",
)


class City(pydantic.BaseModel):
    city: str
    days: int


def create(model, **more):
    return client.chat.completions.create(model=model, **more)


def delta(chunk):
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def chat(model):
    """chats in the dialect."""
    answer = create(model, messages=ASK, max_tokens=20, temperature=0.5)
    choice = answer.choices[0]
    assert choice.finish_reason == "length" and words(choice.message.content) == 20, choice
    assert answer.usage.completion_tokens == 20 and answer.usage.prompt_tokens > 0, answer.usage
    assert answer.model, answer


def stream(model):
    """streams chat in the dialect."""
    whole = create(model, messages=ASK, max_tokens=20)
    chunks = list(create(model, messages=ASK, max_tokens=20, stream=True, stream_options={"include_usage": True}))
    assert "".join(map(delta, chunks)) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == 20 and not chunks[-1].choices


def tools(model):
    """calls a tool and goes on in the dialect."""
    turns = list(ASK_WEATHER)
    for _ in range(2):
        message = create(model, messages=turns, tools=TOOLS).choices[0].message
        assert len(message.tool_calls) == 1, message
        call = message.tool_calls[0]
        assert call.function.name == "get_weather" and json.loads(call.function.arguments) == FORECAST, call
        result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
        turns += [message.model_dump(exclude_none=True), result]
        answer = create(model, messages=turns, tools=TOOLS).choices[0]
        assert answer.finish_reason == "stop" and answer.message.content, answer
        turns += [{"role": "assistant", "content": answer.message.content}, *ASK_WEATHER]


def tools_stream(model):
    """streams a tool call and goes on in the dialect."""
    with client.chat.completions.stream(model=model, messages=ASK_WEATHER, tools=TOOLS) as streamed:
        choice = streamed.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls", choice
    call = choice.message.tool_calls[0]
    assert json.loads(call.function.arguments) == FORECAST, call
    said = choice.message.model_dump(exclude_none=True)
    for one in said["tool_calls"]:
        one["function"].pop("parsed_arguments", None)
        one.pop("index", None)
    said.pop("parsed", None)
    turns = [*ASK_WEATHER, said, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    assert create(model, messages=turns, tools=TOOLS).choices[0].message.content


def structured(model):
    """answers by a schema in the dialect."""
    answer = create(model, messages=ASK, response_format=FORMAT)
    assert json.loads(answer.choices[0].message.content) == FORECAST, answer
    parsed = client.chat.completions.parse(model=model, messages=ASK, response_format=City)
    assert parsed.choices[0].message.parsed == City(city="Paris", days=1), parsed
    chunks = create(model, messages=ASK, response_format=FORMAT, stream=True)
    assert json.loads("".join(map(delta, chunks))) == FORECAST


def response(model):
    """makes a response, whole and streamed, in the dialect."""
    ask = {"model": model, "input": HELLO, "instructions": "Be brief.", "max_output_tokens": 20}
    whole = client.responses.create(**ask)
    assert words(whole.output_text) == 20 and whole.status == "incomplete", whole
    assert whole.usage.output_tokens == 20, whole.usage
    events = list(client.responses.create(**ask, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == whole.output_text == events[-1].response.output_text
    assert events[0].type == "response.created" and events[-1].type == "response.incomplete"


def response_tools(model):
    """calls a tool in a response and goes on in the dialect."""
    with client.responses.stream(model=model, input=WEATHER, tools=FLAT, store=False) as streamed:
        final = streamed.get_final_response()
    items = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in final.output]
    call = next(item for item in items if item["type"] == "function_call")
    assert call["name"] == "get_weather" and json.loads(call["arguments"]) == FORECAST, call
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    turns = [{"role": "user", "content": WEATHER}, *items, result]
    assert client.responses.create(model=model, input=turns, tools=FLAT, store=False).output_text


def response_chain(model):
    """goes on from a stored response in the dialect."""
    first = client.responses.create(model=model, input=WEATHER, tools=FLAT)
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    held = client.responses.create(model=model, input=[result], previous_response_id=first.id, tools=FLAT)
    assert held.output_text and held.previous_response_id == first.id, held
    more = {"model": model, "input": HELLO, "previous_response_id": held.id}
    with client.responses.stream(**more) as events:
        streamed = events.get_final_response()
    assert streamed.previous_response_id == held.id, streamed
    last = client.responses.create(model=model, input=HELLO, previous_response_id=streamed.id)
    kinds = [item.type for item in client.responses.input_items.list(last.id, order="asc", limit=100)]
    assert kinds.count("function_call") == kinds.count("function_call_output") == 1, kinds
    assert kinds[0] == kinds[-1] == "message" and len(kinds) >= 7, kinds


def response_stored(model):
    """fetches, lists and deletes a stored response in the dialect."""
    made = client.responses.create(model=model, input=HELLO)
    held = client.responses.retrieve(made.id)
    assert held == made, held
    asked = list(client.responses.input_items.list(made.id))
    assert [(item.type, item.role, item.content[0].text) for item in asked] == [("message", "user", HELLO)], asked
    raises(openai.BadRequestError, lambda: client.responses.cancel(made.id))
    client.responses.delete(made.id)
    raises(openai.NotFoundError, lambda: client.responses.retrieve(made.id))
    forgotten = client.responses.create(model=model, input=HELLO, store=False)
    more = {"model": model, "input": HELLO, "previous_response_id": forgotten.id}
    error = raises(openai.BadRequestError, lambda: client.responses.create(**more))
    assert error.code == "previous_response_not_found", error


def conversation(model):
    """keeps a conversation in the dialect."""
    talk = client.conversations.create(
        metadata={"topic": "x"}, items=[{"type": "message", "role": "developer", "content": "Be brief."}]
    )
    first = client.responses.create(model=model, input=HELLO, conversation=talk.id)
    assert first.conversation.id == talk.id, first
    with client.responses.stream(model=model, input=HELLO, conversation={"id": talk.id}) as events:
        events.get_final_response()
    items = list(client.conversations.items.list(talk.id, order="asc", limit=2))
    roles = [item.role for item in items if item.type == "message"]
    assert roles == ["developer", "user", "assistant", "user", "assistant"], items
    added = client.conversations.items.create(talk.id, items=[{"role": "user", "content": "And?"}])
    one = client.conversations.items.retrieve(added.data[0].id, conversation_id=talk.id)
    assert one == added.data[0], one
    assert client.conversations.items.delete(one.id, conversation_id=talk.id).id == talk.id
    assert client.conversations.update(talk.id, metadata={"topic": "y"}).metadata == {"topic": "y"}
    assert client.conversations.retrieve(talk.id).metadata == {"topic": "y"}
    assert client.conversations.delete(talk.id).deleted
    raises(openai.NotFoundError, lambda: client.conversations.retrieve(talk.id))


def response_structured(model):
    """answers a response by a schema in the dialect."""
    parsed = client.responses.parse(model=model, input=HELLO, text_format=City)
    assert parsed.output_parsed == City(city="Paris", days=1), parsed


each(suite, CHAT_TARGETS, (chat, stream, tools, tools_stream, structured))
each(suite, RESPONSE_TARGETS, (response, response_tools, response_chain, response_stored, response_structured))
each(suite, (*RESPONSE_TARGETS, "to-responses"), (conversation,))


@suite.case("is told what a model could not be told")
def dropped():
    raw = client.chat.completions.with_raw_response.create(model="to-messages-new", messages=ASK, temperature=0.5)
    assert "temperature" in raw.headers["x-tidegate-dropped"], raw.headers


@suite.case("is refused by the path of what is wrong")
def refused():
    turns = [*ASK, {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]
    try:
        create("to-converse", messages=turns)
    except openai.BadRequestError as error:
        assert "messages[2]" in str(error), error
    else:
        raise AssertionError("a tool result without a call was taken")

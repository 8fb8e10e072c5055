"""The Python `anthropic` client."""

import anthropic

from cases import BASE, HELLO, KEY, WEATHER, WEATHER_SCHEMA, WRONG_KEY, Suite, raises, words

suite = Suite("anthropic")
case = suite.case

client = anthropic.Anthropic(base_url=BASE, api_key=KEY, max_retries=0, timeout=20)
MODEL = "claude-demo"
ASK = [{"role": "user", "content": HELLO}]
ASK_WEATHER = [{"role": "user", "content": WEATHER}]
TOOLS = [{"name": "get_weather", "description": "A forecast.", "input_schema": WEATHER_SCHEMA}]
INPUT = {"city": "Paris", "days": 1}


@case("lists models and reads one")
def models():
    listed = [model.id for model in client.models.list()]
    assert {"gpt-demo", "claude-demo", "gemini-demo"} <= set(listed), listed
    assert client.models.retrieve(MODEL).type == "model"


@case("sends a message")
def message():
    answer = client.messages.create(model=MODEL, max_tokens=6, messages=ASK)
    assert answer.stop_reason == "max_tokens" and words(answer.content[0].text) == 6
    assert answer.usage.output_tokens == 6 and answer.usage.input_tokens > 0


@case("sends system text, cached blocks and a conversation")
def conversation():
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    turns = [*ASK, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "More"}]
    answer = client.messages.create(model=MODEL, max_tokens=6, system=system, messages=turns)
    assert answer.content[0].text


@case("streams a message")
def stream():
    whole = client.messages.create(model=MODEL, max_tokens=8, messages=ASK)
    with client.messages.stream(model=MODEL, max_tokens=8, messages=ASK) as streamed:
        text = "".join(streamed.text_stream)
        final = streamed.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.usage.output_tokens == 8 and final.stop_reason == "max_tokens"


@case("reads the events of a stream")
def events():
    kinds = [
        event.type for event in client.messages.create(model=MODEL, max_tokens=4, messages=ASK, stream=True)
    ]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"], kinds
    assert kinds.count("content_block_delta") >= 1


@case("calls a tool and goes on with its result")
def tools():
    forced = {"type": "any"}
    answer = client.messages.create(
        model=MODEL, max_tokens=60, messages=ASK, tools=TOOLS, tool_choice=forced
    )
    call = answer.content[-1]
    assert answer.stop_reason == "tool_use" and call.name == "get_weather" and call.input == INPUT
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    turns = [*ASK, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    assert client.messages.create(model=MODEL, max_tokens=60, messages=turns, tools=TOOLS).content


@case("streams a tool call")
def tools_stream():
    with client.messages.stream(
        model=MODEL, max_tokens=60, messages=ASK_WEATHER, tools=TOOLS
    ) as streamed:
        final = streamed.get_final_message()
    assert final.stop_reason == "tool_use" and final.content[-1].input == INPUT


@case("counts tokens")
def count_tokens():
    short = client.messages.count_tokens(model=MODEL, messages=ASK).input_tokens
    longer = [{"role": "user", "content": HELLO + " to everybody in the room" * 20}]
    long = client.messages.count_tokens(model=MODEL, messages=longer, tools=TOOLS).input_tokens
    assert 0 < short < long


@case("streams from many coroutines at once")
async def asynchronous():
    import asyncio

    async with anthropic.AsyncAnthropic(base_url=BASE, api_key=KEY, max_retries=0) as many:

        async def one(count):
            async with many.messages.stream(model=MODEL, max_tokens=count, messages=ASK) as streamed:
                return words("".join([text async for text in streamed.text_stream]))

        assert await asyncio.gather(*(one(count) for count in range(1, 25))) == list(range(1, 25))


@case("sends its key as a bearer token")
def bearer():
    # As Claude Code does behind a gateway.
    other = anthropic.Anthropic(base_url=BASE, auth_token=KEY, api_key=None, max_retries=0)
    assert other.messages.create(model=MODEL, max_tokens=3, messages=ASK).content


@case("gets AuthenticationError for a wrong key")
def wrong_key():
    stranger = client.with_options(api_key=WRONG_KEY)
    for call in (
        lambda: stranger.models.list(),
        lambda: stranger.messages.create(model=MODEL, max_tokens=3, messages=ASK),
        lambda: stranger.messages.create(model=MODEL, max_tokens=3, messages=ASK, stream=True),
        lambda: stranger.messages.count_tokens(model=MODEL, messages=ASK),
    ):
        error = raises(anthropic.AuthenticationError, call)
        assert error.body["type"] == "error" and error.body["error"]["type"] == "authentication_error"
        assert WRONG_KEY not in str(error)


@case("gets BadRequestError for a body without a model")
def no_model():
    error = raises(
        anthropic.BadRequestError,
        lambda: client.post("/v1/messages", body={"messages": ASK, "max_tokens": 3}, cast_to=object),
    )
    assert error.body["error"]["type"] == "invalid_request_error"


@case("gets BadRequestError from the provider")
def provider_refuses():
    fault = {"x-sim-fault": "status:400"}
    error = raises(
        anthropic.BadRequestError,
        lambda: client.messages.create(model=MODEL, max_tokens=3, messages=ASK, extra_headers=fault),
    )
    assert error.body["error"]["type"] == "invalid_request_error"


@case("gets APIStatusError for an error inside a stream")
def stream_error():
    fault = {"x-sim-fault": "error-after:3"}

    def read():
        with client.messages.stream(
            model=MODEL, max_tokens=8, messages=ASK, extra_headers=fault
        ) as streamed:
            streamed.get_final_message()

    assert raises(anthropic.APIStatusError, read).body["type"] == "error"

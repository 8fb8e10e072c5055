"""The Python `openai` client."""

import io
import json

import openai

from cases import BASE, HELLO, KEY, WEATHER, WEATHER_SCHEMA, WRONG_KEY, Suite, raises, words

suite = Suite("openai")
case = suite.case

client = openai.OpenAI(base_url=f"{BASE}/v1", api_key=KEY, max_retries=0, timeout=20)
MODEL = "gpt-demo"
ASK = [{"role": "user", "content": HELLO}]
ASK_WEATHER = [{"role": "user", "content": WEATHER}]
TOOL = {"name": "get_weather", "description": "A forecast.", "parameters": WEATHER_SCHEMA}
CHAT_TOOLS = [{"type": "function", "function": TOOL}]
RESPONSE_TOOLS = [{"type": "function", "strict": False, **TOOL}]
ARGUMENTS = {"city": "Paris", "days": 1}


@case("lists models and reads one")
def models():
    listed = [model.id for model in client.models.list()]
    assert {"gpt-demo", "claude-demo", "gemini-demo"} <= set(listed), listed
    assert client.models.retrieve(MODEL).id == MODEL


@case("chats")
def chat():
    answer = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=7)
    assert words(answer.choices[0].message.content) == 7
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 7
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 7


@case("streams chat")
def chat_stream():
    whole = client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=9)
    chunks = list(client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=9, stream=True))
    # The gateway asks for usage on its own account; a client that did not ask must not see it.
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "length"


@case("streams chat with usage where it is asked for")
def chat_stream_usage():
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=ASK, max_tokens=5, stream=True, stream_options=options
        )
    )
    assert chunks[-1].usage.completion_tokens == 5 and chunks[-1].choices == []
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


@case("streams chat through the stream helper")
def chat_stream_helper():
    # No limit: the helper refuses an answer cut for length.
    with client.chat.completions.stream(model=MODEL, messages=ASK) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "content.delta")
        done = stream.get_final_completion()
    assert deltas and done.choices[0].message.content == deltas


@case("gets several choices")
def choices():
    answer = client.chat.completions.create(model=MODEL, messages=ASK, n=3, max_tokens=4)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    chunks = client.chat.completions.create(model=MODEL, messages=ASK, n=2, max_tokens=4, stream=True)
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}


@case("calls a tool and goes on with its result")
def tools():
    answer = client.chat.completions.create(model=MODEL, messages=ASK_WEATHER, tools=CHAT_TOOLS)
    assert answer.choices[0].finish_reason == "tool_calls"
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather" and json.loads(call.function.arguments) == ARGUMENTS
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    turn = [*ASK_WEATHER, answer.choices[0].message, result, {"role": "user", "content": "Thanks"}]
    said = client.chat.completions.create(model=MODEL, messages=turn, tools=CHAT_TOOLS, tool_choice="none")
    assert said.choices[0].message.content and not said.choices[0].message.tool_calls


@case("streams a tool call")
def tools_stream():
    arguments, finish = "", None
    stream = client.chat.completions.create(
        model=MODEL, messages=ASK, tools=CHAT_TOOLS, tool_choice="required", stream=True
    )
    for chunk in stream:
        finish = chunk.choices[0].finish_reason or finish
        for call in chunk.choices[0].delta.tool_calls or []:
            arguments += call.function.arguments or ""
    assert json.loads(arguments) == ARGUMENTS and finish == "tool_calls"


@case("completes a prompt, streamed and not")
def completions():
    whole = client.completions.create(model=MODEL, prompt=HELLO, max_tokens=6)
    stream = client.completions.create(model=MODEL, prompt=HELLO, max_tokens=6, stream=True)
    text = "".join(chunk.choices[0].text for chunk in stream)
    assert text == whole.choices[0].text and words(text) == 6


@case("creates, reads and deletes a response")
def responses():
    made = client.responses.create(model=MODEL, input=HELLO, max_output_tokens=6)
    assert made.status == "incomplete" and words(made.output_text) == 6
    assert made.usage.output_tokens == 6
    assert client.responses.retrieve(made.id).output_text == made.output_text
    client.responses.delete(made.id)
    error = raises(openai.NotFoundError, lambda: client.responses.retrieve(made.id))
    assert error.status_code == 404


@case("streams a response and reads it back")
def responses_stream():
    events = list(client.responses.create(model=MODEL, input=HELLO, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1].response
    assert text and final.output_text == text
    assert client.responses.retrieve(final.id).output_text == text
    client.responses.delete(final.id)


@case("calls a tool in a response, streamed and not")
def responses_tools():
    made = client.responses.create(model=MODEL, input=WEATHER, tools=RESPONSE_TOOLS)
    assert made.output[0].type == "function_call" and json.loads(made.output[0].arguments) == ARGUMENTS
    with client.responses.stream(model=MODEL, input=WEATHER, tools=RESPONSE_TOOLS) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    assert json.loads(final.output[0].arguments) == ARGUMENTS


@case("follows an earlier response")
def responses_chain():
    first = client.responses.create(model=MODEL, input=HELLO)
    second = client.responses.create(model=MODEL, input="And again", previous_response_id=first.id)
    assert second.previous_response_id == first.id and second.output_text


@case("embeds texts")
def embeddings():
    # The client asks for base64 by itself where no format is named.
    packed = client.embeddings.create(model=MODEL, input=["one", "two"])
    plain = client.embeddings.create(model=MODEL, input=["one", "two"], encoding_format="float")
    assert len(packed.data) == 2 and packed.data[0].embedding != packed.data[1].embedding
    for one, other in zip(packed.data[0].embedding, plain.data[0].embedding):
        assert abs(one - other) < 1e-6
    assert packed.usage.prompt_tokens > 0


@case("moderates a text")
def moderations():
    assert client.moderations.create(model=MODEL, input=HELLO).results[0].flagged is False


@case("makes an image and speech")
def media():
    assert client.images.generate(model=MODEL, prompt=HELLO).data
    assert client.audio.speech.create(model=MODEL, voice="alloy", input=HELLO).read()


@case("transcribes an uploaded file")
def transcription():
    sound = ("sound.wav", io.BytesIO(b"RIFF" + bytes(64 * 1024)), "audio/wav")
    assert client.audio.transcriptions.create(model=MODEL, file=sound).text


@case("uploads a file")
def files():
    content = io.BytesIO(b'{"custom_id":"1"}\n' * 1000)
    assert client.files.create(file=("batch.jsonl", content), purpose="batch").id


@case("speaks the realtime protocol")
def realtime():
    # The simulator sends back what it gets.
    with client.realtime.connect(model=MODEL) as connection:
        connection.send({"type": "response.create", "event_id": "e1"})
        event = connection.recv()
    assert event.type == "response.create" and event.event_id == "e1"


@case("chats from an Azure client")
def azure():
    deployed = openai.AzureOpenAI(
        azure_endpoint=BASE, api_version="2024-10-21", api_key=KEY, max_retries=0, timeout=20
    )
    answer = deployed.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4)
    assert words(answer.choices[0].message.content) == 4
    stream = deployed.chat.completions.create(model=MODEL, messages=ASK, max_tokens=4, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == answer.choices[0].message.content


@case("streams from many coroutines at once")
async def asynchronous():
    import asyncio

    async with openai.AsyncOpenAI(base_url=f"{BASE}/v1", api_key=KEY, max_retries=0) as many:

        async def one(count):
            stream = await many.chat.completions.create(
                model=MODEL, messages=ASK, max_tokens=count, stream=True
            )
            return words("".join([chunk.choices[0].delta.content or "" async for chunk in stream]))

        assert await asyncio.gather(*(one(count) for count in range(1, 25))) == list(range(1, 25))


@case("leaves a stream and goes on with the next call")
def leaves():
    slow = {"x-sim-delay-token-ms": "200"}
    stream = client.chat.completions.create(
        model=MODEL, messages=ASK, max_tokens=100, stream=True, extra_headers=slow
    )
    next(iter(stream))
    stream.close()
    assert client.chat.completions.create(model=MODEL, messages=ASK).choices[0].message.content


@case("reads the gateway's response headers")
def headers():
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK)
    assert raw.headers["x-tidegate-request-id"]
    assert raw.headers["x-tidegate-attempts"] == "1"
    assert raw.parse().choices[0].message.content


@case("gets AuthenticationError for a wrong key")
def wrong_key():
    stranger = client.with_options(api_key=WRONG_KEY)
    for call in (
        lambda: stranger.models.list(),
        lambda: stranger.chat.completions.create(model=MODEL, messages=ASK),
        lambda: stranger.chat.completions.create(model=MODEL, messages=ASK, stream=True),
        lambda: stranger.responses.create(model=MODEL, input=HELLO),
        lambda: stranger.embeddings.create(model=MODEL, input=HELLO),
    ):
        error = raises(openai.AuthenticationError, call)
        assert error.status_code == 401 and error.body["message"] and error.body["code"]
        assert WRONG_KEY not in str(error)


@case("gets BadRequestError for a body without a model")
def no_model():
    error = raises(
        openai.BadRequestError,
        lambda: client.post("/chat/completions", body={"messages": ASK}, cast_to=object),
    )
    assert error.param == "model", error.body


@case("gets NotFoundError for a path that is not there")
def no_path():
    raises(openai.NotFoundError, lambda: client.post("/chat/nothing", body={}, cast_to=object))


@case("gets BadRequestError from the provider")
def provider_refuses():
    fault = {"x-sim-fault": "status:400"}
    for stream in (False, True):
        error = raises(
            openai.BadRequestError,
            lambda: client.chat.completions.create(
                model=MODEL, messages=ASK, stream=stream, extra_headers=fault
            ),
        )
        assert error.body["message"]


@case("gets APIError for an error inside a stream")
def stream_error():
    fault = {"x-sim-fault": "error-after:3"}
    chat = client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, extra_headers=fault
    )
    assert str(raises(openai.APIError, lambda: list(chat)))

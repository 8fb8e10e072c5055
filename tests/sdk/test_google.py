"""The Python `google-genai` client."""

from google import genai
from google.genai import errors, types

from cases import BASE, HELLO, KEY, WEATHER, WRONG_KEY, Suite, raises, words

suite = Suite("google-genai")
case = suite.case

OPTIONS = types.HttpOptions(base_url=BASE, timeout=20_000)
client = genai.Client(api_key=KEY, http_options=OPTIONS)
MODEL = "gemini-demo"
# The client makes one content of several for models it does not know to embed them one by one.
EMBEDDER = "gemini-embedding-001"
FORECAST = types.FunctionDeclaration(
    name="get_weather",
    description="A forecast.",
    parameters=types.Schema(
        type="OBJECT", properties={"city": types.Schema(type="STRING")}, required=["city"]
    ),
)


def with_tools(mode):
    calling = types.FunctionCallingConfig(mode=mode)
    return types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[FORECAST])],
        tool_config=types.ToolConfig(function_calling_config=calling),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


@case("lists models and reads one")
def models():
    listed = [model.name for model in client.models.list()]
    assert "models/gemini-demo" in listed, listed
    assert client.models.get(model=MODEL).name == "models/gemini-demo"


@case("generates content")
def generate():
    config = types.GenerateContentConfig(max_output_tokens=7, temperature=0.5)
    answer = client.models.generate_content(model=MODEL, contents=HELLO, config=config)
    assert words(answer.text) == 7 and answer.candidates[0].finish_reason == "MAX_TOKENS"
    assert answer.usage_metadata.candidates_token_count == 7


@case("streams content")
def stream():
    whole = client.models.generate_content(model=MODEL, contents=HELLO)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=HELLO))
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert len(chunks) > 1 and chunks[-1].candidates[0].finish_reason == "STOP"
    assert chunks[-1].usage_metadata.candidates_token_count == words(whole.text)


@case("calls a function, streamed and not")
def tools():
    answer = client.models.generate_content(model=MODEL, contents=HELLO, config=with_tools("ANY"))
    assert answer.function_calls[0].name == "get_weather"
    assert answer.function_calls[0].args == {"city": "Paris"}
    chunks = client.models.generate_content_stream(
        model=MODEL, contents=WEATHER, config=with_tools("AUTO")
    )
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    assert [call.args for call in calls] == [{"city": "Paris"}]


@case("chats over several turns")
def chat():
    session = client.chats.create(model=MODEL)
    assert session.send_message(HELLO).text
    assert "".join(chunk.text or "" for chunk in session.send_message_stream("And again"))
    history = session.get_history()
    assert [turn.role for turn in history[:3]] == ["user", "model", "user"], history


@case("counts tokens")
def count_tokens():
    short = client.models.count_tokens(model=MODEL, contents=HELLO).total_tokens
    long = client.models.count_tokens(model=MODEL, contents=HELLO * 50).total_tokens
    assert 0 < short < long


@case("embeds texts")
def embeddings():
    one = client.models.embed_content(model=EMBEDDER, contents="one").embeddings
    two = client.models.embed_content(model=EMBEDDER, contents=["one", "two"]).embeddings
    assert len(one) == 1 and len(two) == 2 and len(one[0].values) > 8


@case("speaks both versions of the path")
def versions():
    for version in ("v1", "v1beta"):
        options = types.HttpOptions(base_url=BASE, api_version=version, timeout=20_000)
        other = genai.Client(api_key=KEY, http_options=options)
        assert other.models.generate_content(model=MODEL, contents=HELLO).text
        chunks = other.models.generate_content_stream(model=MODEL, contents=HELLO)
        assert "".join(chunk.text or "" for chunk in chunks)
        assert "models/gemini-demo" in [model.name for model in other.models.list()]


@case("streams from many coroutines at once")
async def asynchronous():
    import asyncio

    # A client of its own: its connections belong to this event loop.
    many = genai.Client(api_key=KEY, http_options=OPTIONS)

    async def one(count):
        config = types.GenerateContentConfig(max_output_tokens=count)
        chunks = await many.aio.models.generate_content_stream(
            model=MODEL, contents=HELLO, config=config
        )
        return words("".join([chunk.text or "" async for chunk in chunks]))

    assert await asyncio.gather(*(one(count) for count in range(1, 9))) == list(range(1, 9))
    await many.aio.aclose()


@case("gets ClientError 401 for a wrong key")
def wrong_key():
    stranger = genai.Client(api_key=WRONG_KEY, http_options=OPTIONS)
    for call in (
        lambda: list(stranger.models.list()),
        lambda: stranger.models.generate_content(model=MODEL, contents=HELLO),
        lambda: list(stranger.models.generate_content_stream(model=MODEL, contents=HELLO)),
        lambda: stranger.models.count_tokens(model=MODEL, contents=HELLO),
    ):
        error = raises(errors.ClientError, call)
        assert error.code == 401 and error.status == "UNAUTHENTICATED", error
        assert WRONG_KEY not in str(error)


@case("gets ClientError 400 from the provider")
def provider_refuses():
    fault = types.HttpOptions(headers={"x-sim-fault": "status:400"})
    config = types.GenerateContentConfig(http_options=fault)
    error = raises(
        errors.ClientError,
        lambda: client.models.generate_content(model=MODEL, contents=HELLO, config=config),
    )
    assert error.code == 400 and error.status == "INVALID_ARGUMENT", error

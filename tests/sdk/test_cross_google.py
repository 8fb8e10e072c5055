"""The Python `google-genai` client on providers that speak something else."""

import json

from google import genai
from google.genai import types

from cases import CROSS, FORECAST, HELLO, KEY, WEATHER, Suite, each, words

suite = Suite("google-genai, translated")

OPTIONS = types.HttpOptions(base_url=CROSS, timeout=20_000)
client = genai.Client(api_key=KEY, http_options=OPTIONS)
TARGETS = ("to-chat", "to-responses", "to-messages-new", "to-converse", "to-cohere", "to-ollama", "to-deepseek")
SCHEMA = types.Schema(
    type="OBJECT",
    properties={"city": types.Schema(type="STRING"), "days": types.Schema(type="INTEGER")},
    required=["city", "days"],
)
FUNCTION = types.FunctionDeclaration(name="get_weather", description="A forecast.", parameters=SCHEMA)
TOOLS = types.GenerateContentConfig(
    tools=[types.Tool(function_declarations=[FUNCTION])],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


def user(text):
    return types.Content(role="user", parts=[types.Part(text=text)])


def generate(model):
    """generates content in the dialect."""
    config = types.GenerateContentConfig(max_output_tokens=20, system_instruction="Be brief.")
    answer = client.models.generate_content(model=model, contents=HELLO, config=config)
    assert words(answer.text) == 20 and answer.candidates[0].finish_reason == "MAX_TOKENS", answer
    assert answer.usage_metadata.candidates_token_count == 20, answer.usage_metadata


def stream(model):
    """streams content in the dialect."""
    whole = client.models.generate_content(model=model, contents=HELLO)
    chunks = list(client.models.generate_content_stream(model=model, contents=HELLO))
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].candidates[0].finish_reason == "STOP", chunks[-1]
    assert chunks[-1].usage_metadata.candidates_token_count == words(whole.text)


def tools(model):
    """calls a function and goes on in the dialect."""
    turns = [user(WEATHER)]
    for _ in range(2):
        answer = client.models.generate_content(model=model, contents=turns, config=TOOLS)
        call = answer.function_calls[0]
        assert call.name == "get_weather" and call.args == FORECAST, answer
        result = types.FunctionResponse(id=call.id, name=call.name, response={"result": "sunny"})
        turns += [answer.candidates[0].content, types.Content(role="user", parts=[types.Part(function_response=result)])]
        said = client.models.generate_content(model=model, contents=turns, config=TOOLS)
        assert said.text and not said.function_calls, said
        turns += [said.candidates[0].content, user(WEATHER)]


def tools_stream(model):
    """streams a function call in the dialect."""
    chunks = list(client.models.generate_content_stream(model=model, contents=WEATHER, config=TOOLS))
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    assert [call.args for call in calls] == [FORECAST], chunks


def structured(model):
    """answers by a schema in the dialect."""
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=SCHEMA)
    answer = client.models.generate_content(model=model, contents=HELLO, config=config)
    assert json.loads(answer.text) == FORECAST, answer


each(suite, TARGETS, (generate, stream, tools, tools_stream, structured))

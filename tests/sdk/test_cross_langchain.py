"""LangChain's `ChatOpenAI` on providers that speak something else."""

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

from cases import CROSS, FORECAST, HELLO, KEY, WEATHER, WEATHER_SCHEMA, Suite, each, words

suite = Suite("langchain-openai, translated")

TARGETS = ("to-messages-new", "to-gemini", "to-converse", "to-cohere", "to-ollama")
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "A.", "parameters": WEATHER_SCHEMA}}
SCHEMA = {"title": "City", "description": "A city.", **WEATHER_SCHEMA}


def model_of(target, **more):
    return ChatOpenAI(model=target, base_url=f"{CROSS}/v1", api_key=KEY, max_retries=0, timeout=20, **more)


def chat(target):
    """chats in the dialect."""
    answer = model_of(target, max_tokens=20).invoke(HELLO)
    assert words(answer.content) == 20 and answer.usage_metadata["output_tokens"] == 20, answer


def stream(target):
    """streams chat in the dialect."""
    model = model_of(target, max_tokens=20, stream_usage=True)
    chunks = list(model.stream(HELLO))
    assert "".join(chunk.content for chunk in chunks) == model.invoke(HELLO).content
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.usage_metadata["output_tokens"] == 20, whole


def tools(target):
    """calls a tool and goes on in the dialect."""
    model = model_of(target).bind_tools([TOOL])
    turns = [HumanMessage(WEATHER)]
    for _ in range(2):
        message = model.invoke(turns)
        call = message.tool_calls[0]
        assert call["name"] == "get_weather" and call["args"] == FORECAST, message
        turns += [message, ToolMessage("sunny", tool_call_id=call["id"])]
        said = model.invoke(turns)
        assert said.content and not said.tool_calls, said
        turns += [said, HumanMessage(WEATHER)]


def structured(target):
    """answers by a schema in the dialect."""
    # Ollama cannot be made to call a tool.
    for method in ("json_schema",) if target == "to-ollama" else ("json_schema", "function_calling"):
        answer = model_of(target).with_structured_output(SCHEMA, method=method).invoke(HELLO)
        assert answer == FORECAST, (method, answer)


each(suite, TARGETS, (chat, stream, tools, structured))

"""boto3's Bedrock client (Converse) on providers that speak something else, and on its own.

It shows the gateway's key in `Authorization: Bearer`, as with AWS_BEARER_TOKEN_BEDROCK. That variable
itself is for https:// only: botocore sends no key in clear, so here the field is put on by hand.
"""

import json
import os

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from cases import CROSS, FORECAST, HELLO, KEY, WEATHER, WEATHER_SCHEMA, WRONG_KEY, Suite, each, raises, words

# Whoever runs this may have an account; it is none of the cases' business.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)

suite = Suite("boto3, translated")


def bedrock(key):
    config = Config(read_timeout=20, retries={"total_max_attempts": 1}, signature_version=UNSIGNED)
    made = boto3.client("bedrock-runtime", region_name="eu-west-1", endpoint_url=CROSS, config=config)
    made.meta.events.register("before-send", lambda request, **_: show(request, key))
    return made


def show(request, key):
    request.headers["Authorization"] = f"Bearer {key}"


client = bedrock(KEY)
TARGETS = ("to-converse", "to-chat", "to-responses", "to-messages-new", "to-gemini", "to-cohere", "to-ollama")
ASK = {
    "system": [{"text": "Be brief."}],
    "messages": [{"role": "user", "content": [{"text": HELLO}]}],
    "inferenceConfig": {"maxTokens": 20},
}
SPEC = {"name": "get_weather", "description": "A forecast.", "inputSchema": {"json": WEATHER_SCHEMA}}
TOOLS = {"tools": [{"toolSpec": SPEC}]}


def user(text):
    return {"role": "user", "content": [{"text": text}]}


def converse(model):
    """converses in the dialect."""
    answer = client.converse(modelId=model, **ASK)
    assert answer["stopReason"] == "max_tokens", answer
    assert words(answer["output"]["message"]["content"][0]["text"]) == 20, answer
    assert answer["usage"]["outputTokens"] == 20, answer["usage"]


def stream(model):
    """streams in the dialect."""
    whole = client.converse(modelId=model, **ASK)["output"]["message"]["content"][0]["text"]
    events = list(client.converse_stream(modelId=model, **ASK)["stream"])
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert "".join(delta["text"] for delta in deltas) == whole, events
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "messageStart" and kinds[-2:] == ["messageStop", "metadata"], kinds
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 20, events[-1]


def tools(model):
    """calls a tool and goes on in the dialect."""
    turns = [user(WEATHER)]
    message = client.converse(modelId=model, messages=turns, toolConfig=TOOLS)["output"]["message"]
    use = next(block["toolUse"] for block in message["content"] if "toolUse" in block)
    assert use["name"] == "get_weather" and use["input"] == FORECAST, message
    result = {"toolResult": {"toolUseId": use["toolUseId"], "content": [{"text": "sunny"}]}}
    turns += [message, {"role": "user", "content": [result]}]
    said = client.converse(modelId=model, messages=turns, toolConfig=TOOLS)["output"]["message"]
    assert any(block.get("text") for block in said["content"]), said


def tools_stream(model):
    """streams a tool call in the dialect."""
    answer = client.converse_stream(modelId=model, messages=[user(WEATHER)], toolConfig=TOOLS)
    deltas = [event["contentBlockDelta"]["delta"] for event in answer["stream"] if "contentBlockDelta" in event]
    arguments = "".join(delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta)
    assert json.loads(arguments) == FORECAST, arguments


def count(model):
    """counts tokens in the dialect."""
    converse = {name: ASK[name] for name in ("system", "messages")}
    answer = client.count_tokens(modelId=model, input={"converse": converse})
    assert 5 < answer["inputTokens"] < 40, answer


def invoke_body(**more):
    turns = [{"role": "user", "content": HELLO}]
    return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 20, "messages": turns, **more})


def invoke(model):
    """invokes with Anthropic's body in the dialect."""
    answer = json.loads(client.invoke_model(modelId=model, body=invoke_body())["body"].read())
    assert answer["stop_reason"] == "max_tokens" and words(answer["content"][0]["text"]) == 20, answer
    stream = client.invoke_model_with_response_stream(modelId=model, body=invoke_body())["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in stream]
    text = "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
    assert text == answer["content"][0]["text"], events
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 20, events[-1]


def invoke_tools(model):
    """invokes a tool and goes on in the dialect."""
    tool = {"name": "get_weather", "description": "A forecast.", "input_schema": WEATHER_SCHEMA}
    turns = [{"role": "user", "content": WEATHER}]
    ask = lambda: json.loads(  # noqa: E731
        client.invoke_model(modelId=model, body=invoke_body(messages=turns, tools=[tool]))["body"].read()
    )
    content = ask()["content"]
    use = next(block for block in content if block["type"] == "tool_use")
    assert use["name"] == "get_weather" and use["input"] == FORECAST, content
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "sunny"}
    turns += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    assert any(block.get("text") for block in ask()["content"])


each(suite, TARGETS, (converse, stream, tools, tools_stream, count, invoke, invoke_tools))


@suite.case("raises AWS's own exceptions")
def exceptions():
    raises(client.exceptions.ResourceNotFoundException, lambda: client.converse(modelId="no-such-model", **ASK))
    bad = {**ASK, "messages": [user(HELLO), {"role": "user", "content": [{"toolResult": {"toolUseId": "x", "content": []}}]}]}
    raises(client.exceptions.ValidationException, lambda: client.converse(modelId="to-messages-new", **bad))
    refused = bedrock(WRONG_KEY)
    raises(client.exceptions.ValidationException, lambda: client.invoke_model(modelId="to-chat", body=invoke_body(messages=7)))
    error = raises(refused.exceptions.AccessDeniedException, lambda: refused.converse(modelId="to-chat", **ASK))
    assert isinstance(error, ClientError) and WRONG_KEY not in str(error), error


@suite.case("signs what the simulator verifies")
def signatures():
    def signing(secret):
        made = boto3.client(
            "bedrock-runtime",
            region_name="eu-west-1",
            endpoint_url=os.environ["TIDEGATE_SIM_URL"],
            aws_access_key_id="AKIDSIMULATOR",
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )
        made.meta.events.register("before-sign", lambda request, **_: request.headers.add_header("x-sim-auth", "1"))
        return made

    model = "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-v1:0"
    answer = signing("sim/secret+access/key").converse(modelId=model, **ASK)
    assert answer["usage"]["outputTokens"] == 20, answer
    wrong = signing("another")
    raises(wrong.exceptions.AccessDeniedException, lambda: wrong.converse(modelId=model, **ASK))

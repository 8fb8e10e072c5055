"""Runs coding agents for one tool-using turn on models of other dialects: one line a case.

    python run.py NODE_MODULES [WORD ...]     only cases whose line holds every word

Exit code 1 when a case fails, 2 when none was run.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

BASE = os.environ["TIDEGATE_CROSS_URL"]
KEY = os.environ["TIDEGATE_KEY"]
TURN_SECONDS_MAX = 60
# The simulator calls the tool that is named beside this word.
PROMPT = "What is the weather? Ask {}."
CODEX_CONFIG = """
model_provider = "gateway"
approval_policy = "never"
sandbox_mode = "danger-full-access"
[model_providers.gateway]
name = "gateway"
base_url = "{}/v1"
wire_api = "responses"
env_key = "GATEWAY_KEY"
request_max_retries = 0
stream_max_retries = 0
"""


def turn(command, home, **variables):
    """The JSON lines an agent writes; it starts with an environment and a home of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        **variables,
    }
    done = subprocess.run(
        command, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=TURN_SECONDS_MAX,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout[-300:]} {done.stderr[-300:]}"
    return lines


def claude(modules, model, home):
    program = next(modules.glob("@anthropic-ai/claude-code-*/claude"))
    lines = turn(
        [program, "-p", PROMPT.format("Read"), "--tools", "Read", "--output-format", "stream-json", "--verbose"],
        home,
        ANTHROPIC_BASE_URL=BASE,
        ANTHROPIC_API_KEY=KEY,
        ANTHROPIC_MODEL=model,
        ANTHROPIC_SMALL_FAST_MODEL=model,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
    )
    blocks = [
        block
        for line in lines
        if line["type"] in ("assistant", "user") and isinstance(line["message"]["content"], list)
        for block in line["message"]["content"]
    ]
    calls = [block["name"] for block in blocks if block["type"] == "tool_use"]
    assert calls == ["Read"] and any(block["type"] == "tool_result" for block in blocks), lines
    last = lines[-1]
    assert last["subtype"] == "success" and not last["is_error"] and last["num_turns"] == 2, last


def codex(modules, model, home):
    (home / "config.toml").write_text(CODEX_CONFIG.format(BASE))
    lines = turn(
        [modules / ".bin" / "codex", "exec", "--skip-git-repo-check", "--json", "-m", model, PROMPT.format("me")],
        home,
        CODEX_HOME=str(home),
        GATEWAY_KEY=KEY,
    )
    items = [line["item"]["type"] for line in lines if line["type"] == "item.completed"]
    assert "command_execution" in items and items[-1] == "agent_message", lines
    assert lines[-1]["type"] == "turn.completed" and lines[-1]["usage"]["output_tokens"] > 0, lines[-1]


CASES = [
    ("Claude Code", claude, ("to-chat", "to-responses", "to-gemini", "to-converse")),
    ("Codex", codex, ("to-messages", "to-chat", "to-gemini", "to-converse")),
]


def main(modules, wanted):
    failed = ran = 0
    for name, run, targets in CASES:
        for model in targets:
            title = f"cli {name}: uses a tool in the dialect of {model}"
            if not all(word in title for word in wanted):
                continue
            ran += 1
            try:
                with tempfile.TemporaryDirectory() as home:
                    run(modules, model, pathlib.Path(home))
            except Exception as error:
                failed += 1
                print(f"FAILED {title}: {type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)
                print(error, file=sys.stderr, flush=True)
            else:
                print(f"ok {title}", flush=True)
    return 2 if ran == 0 else int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))

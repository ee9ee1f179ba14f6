"""`consumer` with a life of the tests' own in the place of a real process: standin.py LIFE up|work ...

The real process needs a queue and a second to end; what supervision promises can be shown with a dozen lines instead.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Any

from consumer import cli

if __name__ == "__main__":
    gc.disable()  # as `consumer` itself does while it loads
    lives = import_module("process.standin_lives")
    work: Any = import_module("consumer.process.work")
    gc.freeze()
    gc.enable()
    life, *words = sys.argv[1:]
    work.run = getattr(lives, life)
    getattr(lives, f"before_{life}", lambda: None)()
    sys.exit(cli.main(words))

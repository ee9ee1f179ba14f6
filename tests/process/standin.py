"""`consumer` with a life of the tests' own in the place of a real process: standin.py LIFE up|work ...

The real process needs a queue and a second to end; what supervision promises can be shown with a dozen lines instead.
"""

from __future__ import annotations

import sys

from consumer import cli
from consumer.process import work
from process import standin_lives

if __name__ == "__main__":
    life, *words = sys.argv[1:]
    work.run = getattr(standin_lives, life)
    getattr(standin_lives, f"before_{life}", lambda: None)()
    sys.exit(cli.main(words))

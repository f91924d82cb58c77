"""Run every protocol's long fuzz: `python -m soak [--count N] [--seed N] [PROTOCOL ...]`.

Prints one JSON object a protocol; the exit code is 1 when one is not as it must be.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from dataclasses import asdict

from soak import protocols

MILLION = 1_000_000


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m soak")
    asked.add_argument("protocols", nargs="*", help="files of this folder; by default all")
    asked.add_argument("--count", type=int, default=MILLION, help="how many are damaged, for each protocol")
    asked.add_argument("--seed", type=int, default=41)
    said = asked.parse_args()
    known = protocols()
    unknown = set(said.protocols) - set(known)
    if unknown:
        asked.error(f"no soak of {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    good = True
    for name in said.protocols or known:
        began = time.monotonic()
        found = importlib.import_module(f"soak.{name}").soak(count=said.count, seed=said.seed)
        took_s = round(time.monotonic() - began, 1)
        print(json.dumps({**asdict(found), "ok": found.ok, "seed": said.seed, "took_s": took_s}), flush=True)
        good &= found.ok
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

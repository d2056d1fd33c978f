"""`python -m bench COMMAND ...`: our decoders measured, beside others and beside themselves."""

import importlib
import sys

COMMANDS = {
    "all": "bench.everything:command",
    "peers": "bench.peers:command",
    "paper1": "bench.paper1:command",
    "paper2": "bench.paper2:command",
    "compare": "bench.compare:command",
    "report": "bench.report:command",
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print("usage: python -m bench COMMAND [options]\n\ncommands:\n  " + "\n  ".join(COMMANDS), file=sys.stderr)
        return 2
    module, function = COMMANDS[sys.argv[1]].split(":")
    return getattr(importlib.import_module(module), function)(sys.argv[2:]) or 0


if __name__ == "__main__":
    sys.exit(main())

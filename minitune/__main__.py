"""`python -m minitune`, and the command `minitune`."""

import signal
import sys


def main() -> int:
    from minitune.commands.terminal import stop_at_once_in_an_import

    signal.signal(signal.SIGINT, stop_at_once_in_an_import)
    from minitune.commands.cli import main as run_command

    return run_command()


if __name__ == "__main__":
    sys.exit(main())

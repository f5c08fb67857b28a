"""`minitune methods`: every answer to the three questions."""

from __future__ import annotations

import argparse


def add(group) -> argparse.ArgumentParser:
    m = group.add_parser("methods", help="every answer to what may change, how it is asked, how the answer is read")
    return m


def run(options: argparse.Namespace) -> None:
    from minitune.methods.help import methods_table

    print(methods_table())

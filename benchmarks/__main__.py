"""`make bench`: every measurement of the project, as JSON in bench.json and as a table.

Each module of this package has `run() -> list[Measurement]`. Numbers are compared within one run only, so that a
ratio holds on a slow or busy machine; none is asserted.
"""

import argparse
import json
import platform
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import SUBJECTS, Measurement


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("subjects", nargs="*", choices=[*SUBJECTS, []], help="which to run; all without any")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    arguments = parser.parse_args()
    console = Console()
    table = Table("subject", "measured", "value", "compared with", "ratio", "target")
    results: dict[str, list[dict[str, object]]] = {}
    for subject in arguments.subjects or SUBJECTS:
        with console.status(f"measuring {subject} …"):
            measured: list[Measurement] = import_module(f"benchmarks.{subject}").run()
        results[subject] = [asdict(m) for m in measured]
        for m in measured:
            against = "" if m.baseline is None else f"{m.baseline:,.4g} {m.unit} ({m.baseline_name})"
            ratio = "" if m.ratio is None else f"{m.ratio:.2f}"
            table.add_row(subject, m.name, f"{m.value:,.4g} {m.unit}", against, ratio, m.target)
    arguments.output.write_text(
        json.dumps({"machine": platform.machine(), "python": platform.python_version(), "results": results}, indent=2)
    )
    console.print(table)


main()

"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz [--runs N] [--seconds N] [--corpus FOLDER] [TARGET ...]`.

One target after the other, each in a process of its own, since libFuzzer ends its process. What it finds is saved in
the corpus folder under TARGET/findings and named at the end; kept in tests/fuzz/findings it is a test.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from hashlib import sha1

#: Octets of an input, and seconds that one may take, before that is a finding.
_LONGEST = 4096
_PATIENCE = 10
_DONE = re.compile(r"Done ([0-9]+) (?:runs )?in|stat::number_of_executed_units: ([0-9]+)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=0, help="inputs for each target (0: no limit)")
    parser.add_argument("--seconds", type=int, default=0, help="time for each target (0: no limit)")
    parser.add_argument("--corpus", default=".fuzz", help="where interesting inputs are kept from run to run")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which; all unless some are named")
    chosen = parser.parse_args()
    if chosen.inside:
        _fuzz(chosen.targets[0], chosen)
    from tests.fuzz.targets import TARGETS

    if unknown := sorted(set(chosen.targets) - TARGETS.keys()):
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    failed, inputs = [], 0
    for name in chosen.targets or TARGETS:
        began = time.monotonic()
        done, ok = _run(name, chosen)
        inputs += done
        failed += [] if ok else [name]
        word = "nothing unexpected" if ok else "A FINDING, see above"
        print(f"{name}: {done:,} inputs in {time.monotonic() - began:.0f} s: {word}", flush=True)
    print(f"In all {inputs:,} inputs; {len(failed)} targets with findings {' '.join(failed)}".rstrip())
    return 1 if failed else 0


def _run(name: str, chosen: argparse.Namespace) -> tuple[int, bool]:
    """Fuzz one target in a process of its own; return how many inputs it had, and whether all went well."""
    command = [sys.executable, "-m", "tests.fuzz", "--inside", "--corpus", chosen.corpus]
    command += ["--runs", str(chosen.runs), "--seconds", str(chosen.seconds), name]
    done = 0
    with subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines = [*lines[-200:], line]
            if match := _DONE.search(line):
                done = max(done, int(match[1] or match[2]))
    if process.returncode:
        print("".join(lines), end="")
    return done, process.returncode == 0


def _fuzz(name: str, chosen: argparse.Namespace) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["tui_popretr"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    folder = os.path.join(chosen.corpus, name)
    found = os.path.join(folder, "findings")
    kept = os.path.join(folder, "corpus")
    for path in (found, kept):
        os.makedirs(path, exist_ok=True)
    for seed in (*target.seeds, *(path.read_bytes() for path in target.findings())):
        with open(os.path.join(kept, sha1(seed, usedforsecurity=False).hexdigest()), "wb") as file:
            file.write(seed)
    words = os.path.join(folder, "words")
    with open(words, "w", encoding="ascii") as text:
        text.writelines('"' + "".join(f"\\x{octet:02x}" for octet in word[:64]) + '"\n' for word in target.words)
    arguments = [f"-dict={words}", f"-artifact_prefix={found}/", f"-max_len={_LONGEST}", f"-timeout={_PATIENCE}"]
    arguments += ["-print_final_stats=1", "-rss_limit_mb=1024"]
    arguments += [f"-runs={chosen.runs}"] if chosen.runs else []
    arguments += [f"-max_total_time={chosen.seconds}"] if chosen.seconds else []
    atheris.Setup([sys.argv[0], *arguments, kept], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())

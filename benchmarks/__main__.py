"""Every benchmark of this folder, one after another; their tables are printed and kept below ``_build/bench/``.

``make bench`` runs this; ``python benchmarks --smoke`` shows in seconds that all of them work. A file here is a
benchmark unless its name begins with an underscore. It prints Markdown, and says itself what falls short of its aim.
One that breaks is named at the end, after the others have run.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run(script: Path, arguments: list[str], folder: Path) -> bool:
    """Run one benchmark, passing its lines on as they come; its file is there only once it has ended well."""
    partial = folder / f"{script.stem}.partial"
    with subprocess.Popen([sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True) as process:
        with partial.open("w", encoding="utf-8") as file:
            for line in process.stdout:
                print(line, end="", flush=True)
                file.write(line)
    if process.returncode == 0:
        partial.replace(folder / f"{script.stem}.md")
    return process.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, help="torch's threads; as many as torch takes where it is not given")
    parser.add_argument("--smoke", action="store_true", help="one round of tiny batches: the numbers mean nothing")
    chosen = parser.parse_args()
    arguments = ["--smoke"] * chosen.smoke + (["--threads", str(chosen.threads)] if chosen.threads is not None else [])
    folder = Path(os.environ.get("PAPERLIB_BUILD") or "_build").absolute() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    scripts = sorted(path for path in HERE.glob("*.py") if not path.name.startswith("_"))
    broken = []
    for script in scripts:
        (folder / f"{script.stem}.md").unlink(missing_ok=True)  # an old table is not this run's
        if not run(script, arguments, folder):
            broken.append(script.name)
        print(flush=True)
    print(f"The tables are in {folder}.")
    if broken:
        raise SystemExit(f"did not run to the end: {', '.join(broken)}")


if __name__ == "__main__":
    main()

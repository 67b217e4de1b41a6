"""``python -m paperlib.data mnist cifar10``: download the real sets and convert them once."""

import argparse
import sys

from paperlib.data import cache, sources


def main(arguments: list[str] | None = None) -> int:
    """Prepare the named sets; return 0 if all of them are available at the end, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m paperlib.data",
        description="Download image sets and convert each part once, into PAPERLIB_DATA or the checkout's data folder.",
    )
    parser.add_argument("sets", nargs="+", metavar="set", choices=sources.SOURCES, help=", ".join(sources.SOURCES))
    failed = 0
    for name in dict.fromkeys(parser.parse_args(arguments).sets):
        for part in sources.SOURCES[name].parts:
            stem = sources.file_stem(name, part)
            try:
                if there := cache.find(stem):
                    print(f"{stem}: {there} is there, content {cache.record(stem, sources.command(name))}")
                else:
                    folder = cache.folders()[0]
                    print(f"{stem}: preparing it in {folder}", flush=True)
                    print(f"{stem}: content {sources.prepare(name, part, folder)}")
            except (cache.DamagedData, sources.DownloadFailed) as error:
                print(f"error: {error}", file=sys.stderr)
                failed += 1
                break  # the other parts come from the same source
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

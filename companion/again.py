"""List the records with numbers measured on an earlier model than today's, and the commands that record them again:
``python -m companion stale``.
"""

import shlex
import sys
from collections.abc import Iterator

from companion import stale
from companion.claims.names import data_title
from companion.joined import FREE
from companion.parameters import defaults
from companion.records import Record
from companion.scorecard import records

__all__ = ["commands", "main"]


def commands(record: Record) -> Iterator[str]:
    """Yield the commands that record the stale data sets again, one by one where the record has several."""
    try:
        own = defaults(record.page)
    except FileNotFoundError:  # the page is gone
        return
    given = {name: one for name, one in record.parameters.items() if name in FREE and one != own.get(name, one)}
    several = "dataset" in own and len({value.dataset for value in record.all()}) > 1
    for dataset in stale.data_sets(record) if several else [""]:
        asked = given | ({"dataset": dataset} if dataset else {})
        words = {name: shlex.quote(str(one)) for name, one in asked.items()}
        run = [f"page {record.page} --profile {record.profile}", *(f"-p {name} {one}" for name, one in words.items())]
        keep = [f"record {record.page} --profile {record.profile}", *(f"--{name} {one}" for name, one in words.items())]
        yield from (f"python -m companion {' '.join(command)}" for command in (run, keep))


def main() -> int:
    """List the stale records of ``results/``."""
    found = 0
    for record in records():
        if names := dict.fromkeys(name for value in record.all() for name in stale.changed(record, value)):
            found += 1
            print(f"{record.page} ({', '.join(map(data_title, stale.data_sets(record)))}), by {', '.join(names)}:")
            print(*(f"    {command}" for command in commands(record)), sep="\n")
    print(f"{found or 'no'} record{'s' * (found != 1)} measured on an earlier model than today's")
    return 0


if __name__ == "__main__":
    sys.exit(main())

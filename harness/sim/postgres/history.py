"""The committed row changes of a run, in the order of their commits, as triggers of the harness recorded them."""

import json
from collections.abc import Sequence
from typing import Any

from harness.run import RowChange
from harness.sim.postgres.control import Control
from harness.sim.postgres.virtual import SCHEMA, read_line

Row = dict[str, Any]

_CHANGES = f"""
select change, line, op, before::text as before, after::text as after, c.relname as "table",
       coalesce((select array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum))
                 from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
                 where i.indrelid = h.relation and i.indisprimary), '{{}}') as key
from {SCHEMA}.history h join pg_class c on c.oid = h.relation
order by change
"""


def changes(control: Control, ended: Sequence[int]) -> list[RowChange]:
    """Every committed change, at microseconds since the epoch.

    ended: the numbers of the transactions that ended, in that order.
    """
    places = {serial: place for place, serial in enumerate(ended)}
    found: list[tuple[int, int, RowChange]] = []
    for row in control.rows(_CHANGES):
        moment = read_line(row["line"])
        before, after = _row(row["before"]), _row(row["after"])
        known = after if after is not None else before or {}
        key = ",".join(str(known.get(column)) for column in row["key"])
        change = RowChange(moment.at_us, row["table"], key, row["op"], before, after, moment.client)
        found.append((places.get(moment.serial, len(places)), row["change"], change))
    found.sort(key=lambda entry: entry[:2])
    return [change for _, _, change in found]


def _row(text: str | None) -> Row | None:
    if text is None:
        return None
    row: Row = json.loads(text, parse_float=str)
    return row

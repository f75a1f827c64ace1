"""The only door to polars: tables of records to Parquet files and back.

polars takes half a second to load and starts threads, and a campaign forks a child per run: so it is loaded
when a table is first written or read, not when this module is imported.
"""

import types
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cache
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from results.errors import ResultsError

Record = TypeVar("Record")


@cache
def _polars() -> types.ModuleType:
    import polars

    return polars


def write(path: Path, kind: type[Any], records: Iterable[Any]) -> None:
    """Write records of one dataclass as a table, a column per field. OSError when the disk refuses.

    By way of memory: polars would report a full disk as an error of its own, without saying which.
    """
    polars = _polars()
    schema = _schema(kind)
    rows = list(map(attrgetter(*schema), records))
    buffer = BytesIO()
    polars.DataFrame(rows, schema=schema, orient="row").write_parquet(buffer)
    path.write_bytes(buffer.getvalue())


def read(path: Path, kind: type[Record]) -> list[Record]:
    """The records of a table that `write` made. ResultsError when it is missing, damaged or another table."""
    polars = _polars()
    try:
        frame = polars.read_parquet(path, memory_map=False)
    except FileNotFoundError:
        raise ResultsError(
            f"{path} is missing: a finished results folder holds it. Run the campaign again."
        ) from None
    except (OSError, polars.exceptions.PolarsError) as error:
        raise ResultsError(
            f"{path} cannot be read ({_first_line(error)}). Run the campaign again."
        ) from error
    _demand_columns(path, frame.schema, _schema(kind))
    return [kind(*row) for row in frame.select(list(_schema(kind))).iter_rows()]


def _schema(kind: type[Any]) -> dict[str, Any]:
    """Column name to polars type. A record's fields are text or integers, nothing else."""
    polars = _polars()
    return {field.name: polars.Int64 if field.type is int else polars.String for field in fields(kind)}


def _demand_columns(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    missing: Sequence[str] = [name for name, type_ in wanted.items() if found.get(name) != type_]
    if missing:
        raise ResultsError(
            f"{path} lacks {', '.join(missing)} (or holds another type there): "
            "it is not a table of this version. Run the campaign again."
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

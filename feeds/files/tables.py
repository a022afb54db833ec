"""Tables of market data, CSV and Parquet: read a part at a time, and made ticks of."""

import csv
import io
import re
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from ticktree.actors.extras import library
from ticktree.market import Ticks
from ticktree.market.ticks import OPAQUE, TICK

from .cells import BadCell, times
from .errors import BadRow, DamagedFile, EmptyFile, ForeignFile
from .layouts import NUMBERS, TIMES, Layout, headless, layout_of
from .order import ROWS, check_order, check_rows, frozen, times_of, whole_instants
from .reading import FileReading, Format
from .rows import Maker, end_updates
from .wanted import KIND_NAMES, Names, Wanted

BLOCK_BYTES = 2 << 20  # of a CSV's text that are parsed at a time: some ten thousand rows
HEAD_BYTES = 256 << 10
PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}
GZIP = b"\x1f\x8b"
_KINDS = max(KIND_NAMES) + 1
_NONE_YET = -1 << 63


class TableReading(FileReading):
    """What tables have in common: rows as columns of arrow, of a layout that their names tell."""

    what: str  # needs pyarrow

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        library("pyarrow", self.what)
        if not self.size_bytes:
            raise EmptyFile(path, "it has no rows: it is empty")
        self._layout: Layout = self._look()

    @abstractmethod
    def _look(self) -> Layout:
        """What its head tells."""

    @abstractmethod
    def _tables(self) -> Iterator[Any]:
        """Record batches with the columns of the layout; `rows` counts those that were taken."""

    @property
    def layout(self) -> str:
        return self._layout.words

    def first_time_ns(self) -> int:
        for table in self._tables():
            if table.num_rows:
                try:
                    role = self._layout.received
                    column = self._layout.columns[role]
                    return int(times(table.slice(0, 1).column(column), column)[0])
                except BadCell as error:
                    raise BadRow(self.path, 1, error.why) from None
        raise EmptyFile(self.path, "it has no rows: it ends with its header")

    def chunks(self, wanted: Wanted) -> Iterator[Ticks]:
        maker = self._maker(wanted)
        for chunk in whole_instants(self._made(maker, wanted)):
            yield frozen(end_updates(chunk))
        self.done_bytes = self.size_bytes
        if not self.rows:
            raise EmptyFile(self.path, "it has no rows: it ends with its header")

    def _maker(self, wanted: Wanted) -> Maker:
        names, known = Names(wanted.names), dict[str, int]()
        if "instrument" not in self._layout.columns:
            name = names.of_file(self.path)
            wanted.defined(self.path, [name])
            return Maker(self._layout, lambda _: -1, wanted.instruments[name].id)
        wanted.defined(self.path, wanted.names)

        def id_of(symbol: str) -> int:
            if symbol not in known:
                name = names.find(symbol)
                known[symbol] = -1 if name is None else wanted.instruments[name].id
            return known[symbol]

        return Maker(self._layout, id_of)

    def _made(self, maker: Maker, wanted: Wanted) -> Iterator[Ticks]:
        wants, before_ns = _wants(wanted), _NONE_YET
        for table in self._tables():
            if not table.num_rows:
                continue
            first_row = self.rows + 1
            try:
                ticks, kept = maker.ticks(table)
            except BadCell as error:
                raise BadRow(self.path, first_row + error.index, error.why) from None
            stamps = times_of(ticks)
            check_order(self.path, stamps, before_ns, first_row)
            if wanted.checked:
                check_rows(self.path, ticks, first_row)
            before_ns = int(stamps[-1])
            self.rows += len(ticks)
            kept &= wants[ticks["instrument"].astype(np.intp) * _KINDS + ticks["kind"]]
            if not kept.all():
                rows = ticks.view(OPAQUE)[kept]
                self.left_out += len(ticks) - len(rows)
                ticks = rows.view(TICK)
            if len(ticks):
                yield ticks


def _wants(wanted: Wanted) -> npt.NDArray[np.bool_]:
    """Whether a row of that id and kind is wanted."""
    ids = [one.id for one in wanted.instruments.values()]
    table = np.zeros((max(ids, default=0) + 1) * _KINDS, np.bool_)
    for one in wanted.instruments.values():
        for kind in KIND_NAMES:
            table[one.id * _KINDS + kind] = wanted.wants(one.name, kind)
    return table


# --- Parquet -------------------------------------------------------------------------------------------------------


class ParquetReading(TableReading):
    """Reads a Parquet file. Raises `NoFile`, `ForeignFile`, `EmptyFile` and `DamagedFile` at once."""

    format: Format = "parquet"
    what = "reading Parquet"

    def _look(self) -> Layout:
        arrow = library("pyarrow", self.what)
        with self._opened() as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
        layout = layout_of(self.path, schema.names)
        if not count:
            raise EmptyFile(self.path, "it has no rows")
        columns = layout.columns
        if "sequence" in columns and not arrow.types.is_integer(schema.field(columns["sequence"]).type):
            return _without_sequence(layout)
        return layout

    def _opened(self) -> Any:
        arrow, parquet = library("pyarrow", self.what), library("pyarrow.parquet", self.what)
        try:
            return parquet.ParquetFile(str(self.path))
        except (arrow.ArrowException, OSError) as error:
            raise DamagedFile(self.path, 0, f"it is no whole Parquet file: {_line(error)}") from None

    def _tables(self) -> Iterator[Any]:
        arrow = library("pyarrow", self.what)
        with self._opened() as file:
            count = file.metadata.num_rows
            try:
                for table in file.iter_batches(ROWS, columns=sorted(set(self._layout.columns.values()))):
                    self.done_bytes = self.size_bytes * self.rows // count
                    yield table
            except (arrow.ArrowException, OSError) as error:
                raise DamagedFile(self.path, self.rows, _line(error)) from None


# --- CSV -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class _Head:
    """How a CSV begins: the names of its columns, whether its first line has them, and its first row of data."""

    names: list[str]
    named: bool
    delimiter: str
    row: list[str]


class CsvReading(TableReading):
    """Reads a CSV, packed or not. Raises `NoFile`, `ForeignFile`, `EmptyFile` and `DamagedFile` at once."""

    format: Format = "csv"
    what = "reading CSV"

    def _look(self) -> Layout:
        self._head = _head_of(self.path, self._text())
        layout = layout_of(self.path, self._head.names)
        first = dict(zip(self._head.names, self._head.row, strict=False))
        self._first = {role: first.get(column, "").strip() for role, column in layout.columns.items()}
        return _without_sequence(layout) if not self._first.get("sequence", "0").isdecimal() else layout

    def _text(self) -> str:
        arrow = library("pyarrow", self.what)
        try:
            with self._stream()[1] as stream:
                head: bytes = stream.read(HEAD_BYTES)
                whole = len(head) < HEAD_BYTES
        except (arrow.ArrowException, OSError) as error:
            raise DamagedFile(self.path, 0, _line(error)) from None
        if head.startswith(GZIP):
            raise ForeignFile(self.path, "it is packed by gzip, and its name does not say so: call it .csv.gz")
        if not whole and b"\n" not in head:
            raise ForeignFile(self.path, f"it is no CSV: its first line is longer than {HEAD_BYTES:,} bytes")
        try:
            return (head if whole else head[: head.rfind(b"\n") + 1]).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ForeignFile(self.path, f"it is no CSV: it is no text in UTF-8 at byte {error.start}") from None

    def _stream(self) -> tuple[Any, Any]:
        """The file, and what it unpacks to."""
        arrow = library("pyarrow", self.what)
        raw = arrow.OSFile(str(self.path))
        codec = PACKED.get(self.path.suffix.lower())
        return raw, arrow.CompressedInputStream(raw, codec) if codec else raw

    def _tables(self) -> Iterator[Any]:
        arrow = library("pyarrow", self.what)
        try:
            yield from self._parsed(self._types(), 0)
        except (arrow.ArrowException, OSError):
            # Arrow does not tell in which row: from there on cells are read as text, and looked at one by one.
            try:
                yield from self._parsed(dict.fromkeys(self._layout.columns.values(), arrow.string()), self.rows)
            except (arrow.ArrowException, OSError) as error:
                self._blame_width()
                raise DamagedFile(self.path, self.rows, _line(error)) from None

    def _types(self) -> dict[str, Any]:
        """What each column is read as: times as whole numbers or text, as the first is; words by a dictionary."""
        arrow = library("pyarrow", self.what)
        types = dict[str, Any]()
        for role, column in self._layout.columns.items():
            if role in NUMBERS:
                types[column] = arrow.float64()
            elif role == "sequence" or (role in TIMES and self._first[role].isdecimal()):
                types[column] = arrow.int64()
            elif role in TIMES:
                types[column] = arrow.string()
            else:
                types[column] = arrow.dictionary(arrow.int32(), arrow.string())
        return types

    def _parsed(self, types: dict[str, Any], skip: int) -> Iterator[Any]:
        """Its columns, as `types`, without the first `skip` rows."""
        arrow_csv, head = library("pyarrow.csv", self.what), self._head
        raw, stream = self._stream()
        with raw, stream:
            tables = arrow_csv.open_csv(
                stream,
                arrow_csv.ReadOptions(block_size=BLOCK_BYTES, column_names=None if head.named else head.names),
                arrow_csv.ParseOptions(delimiter=head.delimiter),
                arrow_csv.ConvertOptions(
                    include_columns=list(types), column_types=types, null_values=[""], strings_can_be_null=True
                ),
            )
            for table in tables:
                if skip < table.num_rows:
                    self.done_bytes = max(self.done_bytes, raw.tell())
                    yield table.slice(skip)
                skip = max(0, skip - table.num_rows)

    def _blame_width(self) -> None:
        """Raise `BadRow` for the first row that has more cells or fewer than the first line, if there is one."""
        arrow, head = library("pyarrow", self.what), self._head
        try:
            with self._stream()[1] as stream:
                lines = csv.reader(
                    io.TextIOWrapper(stream, "utf-8-sig", "replace", newline=""), delimiter=head.delimiter
                )
                rows = filter(None, lines)
                for row, cells in enumerate(rows, 0 if head.named else 1):
                    if len(cells) != len(head.names):
                        raise BadRow(self.path, row, f"it has {len(cells)} cells where {len(head.names)} are expected")
        except (arrow.ArrowException, OSError, csv.Error):
            pass  # the file itself is damaged, which whoever calls knows


def _head_of(path: Path, text: str) -> _Head:
    first = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    rows = filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    try:
        cells, row = next(rows, list[str]()), next(rows, list[str]())
    except csv.Error as error:
        raise ForeignFile(path, f"it is no CSV: {error}") from None
    if not cells:
        raise EmptyFile(path, "it has no rows: it is empty")
    if re.fullmatch(r"[\d.+-]+", cells[0].strip()):
        return _Head(headless(path, [cell.strip() for cell in cells]), False, delimiter, cells)
    if not row:
        layout_of(path, cells)
        raise EmptyFile(path, "it has no rows: it ends with its header")
    return _Head(cells, True, delimiter, row)


def _without_sequence(layout: Layout) -> Layout:
    """Numbers that are none are left out: nothing depends on them."""
    return attrs.evolve(layout, columns={role: name for role, name in layout.columns.items() if role != "sequence"})


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]

"""Statements that are compiled once and then go to the driver as text.

SQLAlchemy takes a millisecond to build, look up and run a statement, which is ten times what SQLite takes to do it. What is
done for each message is therefore built once for each shape; what makes the text and converts the values is SQLAlchemy still.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement

# Names of tables and columns may come from scripts, so that there may be any number of shapes.
MAX_SHAPES: Final = 1_000


class Prepared:
    """A statement for one kind of database: its text, and how its parameters are made of values by name."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self.sql = str(compiled)
        # Parameters have an order, or the text names them.
        self._order = compiled.positiontup
        # What the statement itself says, such as a limit.
        self._given = {name: value for name, value in compiled.params.items() if value is not None}
        self._processors = {
            name: processor
            for name, bind in compiled.binds.items()
            if (processor := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """What the driver gets: a tuple, or a dict where the text names its parameters."""
        found = {**self._given, **values}
        for name, processor in self._processors.items():
            found[name] = processor(found[name])
        return found if self._order is None else tuple([found[name] for name in self._order])

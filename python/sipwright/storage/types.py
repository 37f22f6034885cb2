"""Column types that store what Kamailio stores."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import DateTime, Dialect, types
from sqlalchemy.ext.compiler import compiles

_JULIAN_DAY_OF_1970: Final = 2440587.5
_DAY_S: Final = 86_400.0


class _JulianDay(types.UserDefinedType[float]):
    """A time in SQLite as db_sqlite writes it: the Julian day, a real, in a column of type TIMESTAMP."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "TIMESTAMP WITHOUT TIME ZONE"


class UnixTime(types.TypeDecorator[float]):
    """A time: seconds since 1970 in Python; in the database what Kamailio's drivers write.

    That is the Julian day in UTC in SQLite, whole seconds of local time in PostgreSQL and MySQL. Times that others have
    written as text (`2026-11-27 16:50:50`) are read too.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> types.TypeEngine[Any]:
        """The type that the database has for it."""
        return dialect.type_descriptor(_JulianDay() if dialect.name == "sqlite" else DateTime())

    def process_bind_param(self, value: float | None, dialect: Dialect) -> Any:
        """From Python to the database."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return value / _DAY_S + _JULIAN_DAY_OF_1970
        return datetime.fromtimestamp(round(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> float | None:
        """From the database to Python."""
        if value is None:
            return None
        if isinstance(value, int | float):
            # A day's fraction in a double keeps some 40 us: what was a whole second is one again.
            return round((value - _JULIAN_DAY_OF_1970) * _DAY_S, 3)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            # SQLite's own functions write UTC.
            return moment.timestamp() if moment.tzinfo else _utc_seconds(moment)
        return float(value.timestamp())


def _utc_seconds(moment: datetime) -> float:
    return (moment - datetime(1970, 1, 1)).total_seconds()


class KamailioId(types.TypeDecorator[int]):
    """A key that the database counts itself, or a number that may need all 32 bits: unsigned where there is such a type."""

    impl = types.Integer
    cache_ok = True


@compiles(KamailioId, "mysql")
@compiles(KamailioId, "mariadb")
def _unsigned(_type: KamailioId, _compiler: Any, **_: Any) -> str:
    return "INTEGER UNSIGNED"

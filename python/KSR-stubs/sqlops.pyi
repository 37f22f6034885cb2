# Written by `python -m sipwright.kemi.stubs`.
"""KSR.sqlops: functions of Kamailio's module."""


def sql_is_null(result: str, row: int, column: int, /) -> int:
    """1 when a value is NULL, 0 when not; -1 when there is no such place."""

def sql_num_columns(result: str, /) -> int:
    """The number of columns of a result; 0 for one that is not there, or without rows."""

def sql_num_rows(result: str, /) -> int:
    """The number of rows of a result; 0 for one that is not there."""

def sql_pvquery(connection: str, query: str, variables: str, /) -> int:
    """Makes a query and leaves the columns of its rows in variables, `$var(a);$avp(b)`: 1; 2 for no rows, -1 for an error."""

def sql_query(connection: str, query: str, result: str, /) -> int:
    """Makes a query, whose rows are kept as `result` ("" to keep nothing): 0; -1 for an error."""

def sql_query_async(connection: str, query: str, /) -> int:
    """Has a query made in another thread, and does not wait for it: 1; -1 when there is no such connection."""

def sql_result_free(result: str, /) -> int:
    """Forgets a result: 1."""

def sql_result_get(result: str, row: int, column: int, /) -> str | int | None:
    """A value of a result; None for NULL, or when there is no such place."""

def sql_result_gete(result: str, row: int, column: int, /) -> str | int | None:
    """As `sql_result_get`, with "" for None."""

def sql_result_getz(result: str, row: int, column: int, /) -> str | int | None:
    """As `sql_result_get`, with 0 for None."""

def sql_xquery(connection: str, query: str, xavp: str, /) -> int:
    """Makes a query and leaves each row as an XAVP with an item for each column: 1; -1 for an error."""

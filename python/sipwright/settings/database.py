"""Settings of databases."""

from pydantic import Field, field_validator

from sipwright.settings.section import Positive, Section


class DatabaseSettings(Section):
    """Databases: which one modules use that name none, and how all are used."""

    url: str = Field(
        "",
        description="Database of modules whose own `db_url` is empty: `sqlite:///path`, `postgres://user:password@host/name` "
        "or `mysql://user:password@host/name`; empty for the SQLite file `sipwright.db` in `data_dir`, which is made with "
        "all tables when it is first used.",
    )
    pool_size: Positive = Field(
        8,
        description="Connections to one database that are kept open for queries, and as many for writes; twice as many may be "
        "for a moment.",
    )
    connect_ms: Positive = Field(3_000, description="Longest time that opening a connection may take.")
    statement_ms: Positive = Field(
        5_000, description="Longest time that one statement may take, or a connection of the pool be waited for."
    )
    retry_ms: Positive = Field(
        1_000,
        description="After a database did not answer, scripts' queries fail at once for so long before one asks again.",
    )
    flush_ms: Positive = Field(
        200, description="Longest time that a write waits in memory while the database is there: what a crash may lose."
    )
    queue_limit: Positive = Field(100_000, description="Writes that wait in memory; more go to a file in `data_dir`.")
    spool_max_bytes: Positive = Field(
        1_073_741_824,
        description="Largest file of writes that wait for a database; what comes then is lost and counted.",
    )
    stop_ms: Positive = Field(
        3_000,
        description="Longest time that a stop waits for writes; the rest is kept in a file and done at the next start.",
    )

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        return checked_url(url)


def checked_url(url: str) -> str:
    """A database URL that is understood; a validator for the `db_url` of sections."""
    if url:
        from sipwright.storage.errors import DatabaseUrlError
        from sipwright.storage.urls import read_url

        try:
            read_url(url)
        except DatabaseUrlError as error:
            raise ValueError(str(error)) from None
    return url

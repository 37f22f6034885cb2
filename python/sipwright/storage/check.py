"""What modules do with their database when a server starts."""

from typing import TYPE_CHECKING

from sipwright import log
from sipwright.storage.errors import DatabaseAway

if TYPE_CHECKING:
    from sipwright.host import Host


def check_at_start(host: "Host", module: str, url: str, *tables: tuple[str, int]) -> None:
    """That a database has these tables with these versions, when a server starts. Raises TableVersionError.

    A database that does not answer is no reason not to start: it may be started by the same hand, a moment later.
    """
    if host.engine is None:
        return
    database = host.database(url)
    try:
        for name, version in tables:
            database.check_table(name, version)
    except DatabaseAway as error:
        log.error(f"{module}: its tables were not checked: {error}")

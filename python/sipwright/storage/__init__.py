"""Databases: SQLite, PostgreSQL, MySQL and MariaDB with Kamailio's tables.

`urls` reads database URLs, `tables` has the tables with their versions, `database` is what modules use
(`host.database(url)`), `queue` and `spool` write behind without losing anything.
"""

"""Settings of modules that look things up in tables: permissions, alias_db, domain, group, uri_db, speeddial, sqlops."""

from pathlib import Path
from typing import Any, Final

from pydantic import Field, field_validator

from sipwright.settings.database import checked_url
from sipwright.settings.section import Count, Section

_NO_ROUTING: Final = "allow_routing and allow_register are no functions of KEMI scripts"
# Accepted in a kamailio.cfg, and without meaning here.
PERMISSIONS_IGNORED_MODPARAMS: Final = {
    "allow_suffix": _NO_ROUTING,
    "check_all_branches": _NO_ROUTING,
    "db_mode": "the tables are always kept in memory",
    "default_allow_file": _NO_ROUTING,
    "default_deny_file": _NO_ROUTING,
    "deny_suffix": _NO_ROUTING,
    "max_subnets": "there is no bound on networks",
    "peer_tag_mode": "the tag is that of the first match",
    "trusted_cleanup_interval": "tables are replaced at once",
}
SQLOPS_IGNORED_MODPARAMS: Final = {
    "connect_mode": "databases are connected to when they are first used",
    "tr_buf_size": "values of transformations have no bound",
}


def _column(default: str, what: str) -> Any:
    return Field(default, pattern="^[A-Za-z_][A-Za-z0-9_]*$", description=f"Column with {what}.")


def _table(default: str, what: str) -> Any:
    return Field(default, pattern="^[A-Za-z_][A-Za-z0-9_]*$", description=f"Table with {what}.")


class PermissionsSettings(Section):
    """Addresses and peers that may do something; names as in Kamailio's module permissions."""

    db_url: str = Field(
        "", description="Database with the tables; empty for `database.url`, and no check at the start."
    )
    address_file: Path | None = Field(
        None,
        description="File with addresses instead of a table: a line for each, `group address[/mask] [mask port tag]`.",
    )
    address_table: str = _table("address", "addresses")
    trusted_table: str = _table("trusted", "peers for `allow_trusted`")
    grp_col: str = _column("grp", "the group of an address")
    ip_addr_col: str = _column("ip_addr", "an address or a domain name")
    mask_col: str = _column("mask", "the bits of a network")
    port_col: str = _column("port", "a port, 0 for any")
    tag_col: str = _column("tag", "the tag")
    source_col: str = _column("src_ip", "the address of a peer")
    proto_col: str = _column("proto", "the transport of a peer: any, udp, tcp, tls, sctp, ws or wss")
    from_col: str = _column("from_pattern", "a regular expression for the From URI")
    ruri_col: str = _column("ruri_pattern", "a regular expression for the request-URI")
    priority_col: str = _column("priority", "the order of peers, highest first")
    peer_tag_avp: str = Field("", description="Variable that gets the tag of what matched, such as `$avp(tag)`.")
    reload_delta_s: Count = Field(5, description="Shortest time between two reloads by command, in seconds.")

    _url = field_validator("db_url")(checked_url)


class AliasDbSettings(Section):
    """Other names of users; names as in Kamailio's module alias_db."""

    db_url: str = Field("", description="Database with the aliases; empty for `database.url`.")
    user_column: str = _column("username", "the user that is meant")
    domain_column: str = _column("domain", "its domain")
    alias_user_column: str = _column("alias_username", "the alias")
    alias_domain_column: str = _column("alias_domain", "the domain of the alias")
    use_domain: bool = Field(False, description="Whether an alias is known by name and domain, or by name alone.")
    domain_prefix: str = Field("", description="What is cut off the front of a domain before it is looked up.")
    append_branches: bool = Field(False, description="Whether further users of an alias become branches.")

    _url = field_validator("db_url")(checked_url)


class DomainSettings(Section):
    """Domains that are ours, with attributes; names as in Kamailio's module domain."""

    db_url: str = Field("", description="Database with the domains; empty for `database.url`.")
    domain_table: str = _table("domain", "the domains")
    domain_col: str = _column("domain", "a domain")
    did_col: str = _column("did", "its id, by which it has attributes, in both tables")
    domain_attrs_table: str = _table("domain_attrs", "attributes of domains")
    name_col: str = _column("name", "the name of an attribute")
    type_col: str = _column("type", "its type: 0 a number, 2 a text")
    value_col: str = _column("value", "its value")
    register_myself: bool = Field(
        False,
        description="Whether the domains are names of this server, as `aliases`: for `is_myself` and `loose_route`.",
    )

    _url = field_validator("db_url")(checked_url)


class GroupSettings(Section):
    """Groups of users; names as in Kamailio's module group."""

    db_url: str = Field("", description="Database with the groups; empty for `database.url`.")
    table: str = _table("grp", "users and their groups")
    user_column: str = _column("username", "the user")
    domain_column: str = _column("domain", "its domain")
    group_column: str = _column("grp", "the group")
    use_domain: bool = Field(False, description="Whether a user is known by name and domain, or by name alone.")

    _url = field_validator("db_url")(checked_url)


class UriDbSettings(Section):
    """Which URIs users may use; names as in Kamailio's module uri_db."""

    db_url: str = Field("", description="Database with the URIs; empty for `database.url`.")
    db_table: str = _table("subscriber", "users, for `does_uri_exist`")
    user_column: str = _column("username", "the user")
    domain_column: str = _column("domain", "its domain")
    uriuser_column: str = _column("uri_user", "a further user name that the user may use, in table `uri`")
    use_uri_table: bool = Field(False, description="Whether the table `uri` says which names a user may use.")
    use_domain: bool = Field(False, description="Whether domains count.")

    _url = field_validator("db_url")(checked_url)


class SpeeddialSettings(Section):
    """Short numbers of users; names as in Kamailio's module speeddial."""

    db_url: str = Field("", description="Database with the short numbers; empty for `database.url`.")
    user_column: str = _column("username", "the user whose number it is")
    domain_column: str = _column("domain", "its domain")
    sd_user_column: str = _column("sd_username", "the short number")
    sd_domain_column: str = _column("sd_domain", "the domain of the short number")
    new_uri_column: str = _column("new_uri", "the URI that is meant")
    use_domain: bool = Field(False, description="Whether users are known by name and domain, or by name alone.")
    domain_prefix: str = Field("", description="What is cut off the front of a domain before it is looked up.")

    _url = field_validator("db_url")(checked_url)


class SqlopsSettings(Section):
    """SQL of scripts; names as in Kamailio's module sqlops."""

    sqlcon: list[str] = Field(
        default_factory=list,
        description="Databases with the names that scripts give them: `ca=>mysql://user:password@host/name`.",
    )
    results_maxsize: int = Field(32, ge=1, description="Results that a worker keeps by name; more are an error.")

    @field_validator("sqlcon")
    @classmethod
    def _connections(cls, texts: list[str]) -> list[str]:
        for text in texts:
            name, arrow, url = text.partition("=>")
            if not arrow or not name.strip():
                raise ValueError("must be `name=>url`")
            checked_url(url.strip())
        return texts

    def connections(self) -> dict[str, str]:
        """The URLs by name."""
        parts = (text.partition("=>") for text in self.sqlcon)
        return {name.strip(): url.strip() for name, _, url in parts}

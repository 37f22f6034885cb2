"""Settings of authentication: Kamailio's modules auth, auth_db and auth_ephemeral."""

import re
from typing import Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from sipwright.settings.database import checked_url
from sipwright.settings.section import Count, Positive, Section

# Accepted in a kamailio.cfg, and without meaning here.
IGNORED_MODPARAMS: Final = {
    "nid_pool_no": "one process numbers its nonces without pools",
    "qop": "the flags of each challenge say it",
}
ALGORITHM_NAMES: Final = {"MD5": "MD5", "SHA-256": "SHA-256", "SHA-512-256": "SHA-512-256"}
_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class AuthSettings(Section):
    """Digest authentication (RFC 7616, RFC 8760); names as in Kamailio's module auth."""

    secret: str = Field(
        "",
        description="What nonces are signed with; empty for one that is made at the start. Nodes that share their users "
        "must have the same one.",
    )
    nonce_expire_s: Positive = Field(300, description="Seconds that a nonce is good for.")
    nonce_auth_max_drift_s: Count = Field(
        3, description="Seconds that a nonce may come from the future: how far clocks of nodes may differ."
    )
    nonce_count: bool = Field(False, description="Whether nc must rise with each request of a nonce (with qop).")
    one_time_nonce: bool = Field(
        False, description="Whether a nonce is good for one request; with `auth.nonce_count` only those without qop."
    )
    nc_array_size: Positive = Field(
        1_048_576, description="Nonces that may be in use at a time with `auth.nonce_count`; eight bytes each."
    )
    nc_array_order: int | None = Field(None, ge=0, le=28, description="The same as a power of two, if it is given.")
    otn_in_flight_no: Positive = Field(1_048_576, description="The same with `auth.one_time_nonce` alone.")
    otn_in_flight_order: int | None = Field(None, ge=0, le=28, description="The same as a power of two, if given.")
    auth_checks_register: int = Field(
        0,
        ge=0,
        le=15,
        description="What a REGISTER must have in common with the request that was challenged: 1 request-URI, 2 Call-ID, "
        "4 From tag, 8 source address, or a sum of these.",
    )
    auth_checks_no_dlg: int = Field(0, ge=0, le=15, description="The same for other requests without To tag.")
    auth_checks_in_dlg: int = Field(0, ge=0, le=15, description="The same for requests with To tag.")
    algorithm: str = Field(
        "",
        description="Algorithms of challenges, best first: MD5, SHA-256, SHA-512-256, separated by commas; a challenge for "
        "each (RFC 8760). Empty for MD5, unnamed.",
    )
    realm_prefix: str = Field("", description="What is cut off the front of a realm that stands for a domain.")
    force_stateless_reply: bool = Field(False, description="Send challenges without a transaction.")
    add_authinfo_hdr: bool = Field(
        False, description="Add Authentication-Info to replies of requests that were authenticated with qop."
    )
    proxy_challenge_header: str = Field(
        "Proxy-Authenticate", pattern=r"^[A-Za-z0-9-]+$", description="Header of a 407."
    )
    www_challenge_header: str = Field("WWW-Authenticate", pattern=r"^[A-Za-z0-9-]+$", description="Header of a 401.")

    @field_validator("algorithm")
    @classmethod
    def _algorithms(cls, text: str) -> str:
        names = [name.strip().upper() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in ALGORITHM_NAMES]
        if unknown:
            raise ValueError(f"{unknown[0]} is none of {', '.join(ALGORITHM_NAMES)}")
        return ",".join(dict.fromkeys(names))

    def nonces_in_flight(self) -> int:
        """How many nonces are counted at a time."""
        size, order = (
            (self.nc_array_size, self.nc_array_order)
            if self.nonce_count
            else (self.otn_in_flight_no, self.otn_in_flight_order)
        )
        return size if order is None else 1 << order


class AuthDbSettings(Section):
    """Passwords in a database; names as in Kamailio's module auth_db."""

    db_url: str = Field("", description="Database with the users; empty for `database.url`.")
    user_column: str = Field("username", description="Column with the user name.")
    domain_column: str = Field("domain", description="Column with the domain.")
    password_column: str = Field(
        "ha1", description="Column with HA1, or with the password if `auth_db.calculate_ha1` is on."
    )
    password_column_2: str = Field(
        "ha1b", description="Column with the HA1 of user names that have a domain in them (`alice@example.com`)."
    )
    calculate_ha1: bool = Field(False, description="Whether `auth_db.password_column` has plain passwords.")
    use_domain: bool = Field(False, description="Whether a user is known by name and domain, or by name alone.")
    load_credentials: str = Field(
        "",
        description="Further columns of the user that authentication leaves in variables: `$avp(email)=email_address;rpid`; "
        "a column alone goes to the AVP of its name.",
    )
    version_table: Literal[0, 1] = Field(1, description="Whether the version of the table is checked at the start.")

    _url = field_validator("db_url")(checked_url)

    @field_validator("user_column", "domain_column", "password_column", "password_column_2")
    @classmethod
    def _columns(cls, name: str) -> str:
        if not _COLUMN.fullmatch(name):
            raise ValueError("must be the name of a column")
        return name

    @field_validator("load_credentials")
    @classmethod
    def _credentials(cls, text: str) -> str:
        for variable, column in loaded_columns(text):
            if not _COLUMN.fullmatch(column) or not variable.startswith("$"):
                raise ValueError(f"{variable}={column} must be a column, or $avp(name)=column")
        return text


class AuthEphemeralSettings(Section):
    """Passwords that end by themselves, made from a shared secret; names as in Kamailio's module auth_ephemeral."""

    secret: list[str] = Field(
        default_factory=list, description="The secrets, newest first; passwords made with any of them are good."
    )
    sha_algorithm: Literal[0, 1, 2, 3] = Field(
        0, description="HMAC of the passwords: 0 SHA-1, 1 SHA-256, 2 SHA-384, 3 SHA-512."
    )
    username_format: Literal[0, 1] = Field(
        1, description="Where the time stands in a user name: 0 `user:timestamp`, 1 `timestamp:user`."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_secret(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("secret"), str):
            return {**values, "secret": [values["secret"]]}
        return values


def loaded_columns(text: str) -> list[tuple[str, str]]:
    """`$avp(a)=col;col2` as pairs of variable and column."""
    pairs: list[tuple[str, str]] = []
    for part in text.split(";"):
        left, separator, right = (piece.strip() for piece in part.partition("="))
        if separator:
            pairs.append((left, right))
        elif left:
            pairs.append((f"$avp({left})", left))
    return pairs

"""Settings of modules whose functions look at a request or change it: pv, corex, sanity, siputils, maxfwd."""

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from sipwright.settings.section import Count, Section

_NATIVE: Final = "belongs to functions of native routes, which scripts do not have"
SANITY_IGNORED_MODPARAMS: Final = {
    "autodrop": "functions of scripts return -1 in either case, as Kamailio's do",
}
SIPUTILS_IGNORED_MODPARAMS: Final = {
    "rpid_avp": _NATIVE,
    "rpid_prefix": _NATIVE,
    "rpid_suffix": _NATIVE,
}
COREX_IGNORED_MODPARAMS: Final = {
    "nio_min_msg_len": "there is no route that rewrites what the network carries",
    "nio_msg_avp": "there is no route that rewrites what the network carries",
}


def _lines(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _variables(lines: list[str]) -> list[str]:
    for line in lines:
        if not re.fullmatch(r"[^=\s]+=(s:.*|i:-?\d+)", line, re.DOTALL):
            raise ValueError(f"{line!r} is no variable `name=s:TEXT` or `name=i:NUMBER`")
    return lines


def _avp_aliases(line: str) -> str:
    for part in filter(None, line.split(";")):
        if not re.fullmatch(r"\s*[\w.]+\s*=\s*([IiSs]:)?[^;=]+", part):
            raise ValueError(f"{part.strip()!r} is no alias `name=[i:|s:]name`")
    return line


Variables = Annotated[list[str], BeforeValidator(_lines), AfterValidator(_variables)]


def initial(line: str) -> tuple[str, str | int]:
    """Name and value of `name=s:TEXT` or `name=i:NUMBER`."""
    name, _, value = line.partition("=")
    kind, _, text = value.partition(":")
    return name, int(text) if kind == "i" else text


class PvSettings(Section):
    """Variables that have a value from the start; names as in Kamailio's module pv."""

    shvset: Variables = Field(
        default_factory=list,
        description="Shared variables, `$shv(name)`, from the start: `name=s:TEXT` or `name=i:NUMBER`.",
    )
    varset: Variables = Field(
        default_factory=list,
        description="Script variables, `$var(name)`, of each worker from the start: `name=s:TEXT` or `name=i:NUMBER`.",
    )
    avp_aliases: Annotated[str, AfterValidator(_avp_aliases)] = Field(
        "", description="Other names of AVPs, `alias=name;alias=i:NUMBER`, for `$avp(alias)`."
    )

    def aliases(self) -> dict[str, str]:
        """The names of AVPs by their aliases."""
        pairs = (part.split("=", 1) for part in self.avp_aliases.split(";") if part.strip())
        return {alias.strip(): name.strip() for alias, name in pairs}


class CorexSettings(Section):
    """More of the core; names as in Kamailio's module corex."""

    alias_subdomains: Annotated[list[str], BeforeValidator(_lines)] = Field(
        default_factory=list,
        description="Domains of which this server is each host, `[proto:]domain[:port]`, as `aliases` with all names below.",
    )


class SanitySettings(Section):
    """Checks of requests; names and defaults as in Kamailio's module sanity."""

    default_checks: int = Field(3047, ge=0, description="What `sanity_check_defaults` checks of the message, as flags.")
    uri_checks: int = Field(7, ge=0, description="Which URIs it checks: 1 request-URI, 2 From, 4 To, 8 Contact.")
    proxy_require: str = Field(
        "", description="Extensions that Proxy-Require may name besides path, outbound and privacy, by commas."
    )
    noreply: bool = Field(False, description="Whether what is wrong is answered by `sanity_reply` only.")


class SiputilsSettings(Section):
    """Answers to OPTIONS, and contacts; names and defaults as in Kamailio's module siputils."""

    contact_flds_separator: str = Field(
        "*",
        min_length=1,
        pattern=r"^[!$&'()*+,;=_.!~-]",
        description="Its first character separates the parts of a URI in `encode_contact`.",
    )
    options_accept: str = Field(
        "*/*", pattern=r"^[^\r\n\x00]*$", description="Accept of the answers of `options_reply`."
    )
    options_accept_encoding: str = Field("", pattern=r"^[^\r\n\x00]*$", description="Accept-Encoding of them.")
    options_accept_language: str = Field("en", pattern=r"^[^\r\n\x00]*$", description="Accept-Language of them.")
    options_support: str = Field("", pattern=r"^[^\r\n\x00]*$", description="Supported of them.")


class MaxfwdSettings(Section):
    """Max-Forwards; the name is that of Kamailio's module maxfwd."""

    max_limit: Count = Field(70, le=255, description="Largest Max-Forwards that `process_maxfwd` lets stand.")

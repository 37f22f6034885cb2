"""Settings of the registrar; names as in Kamailio's module registrar."""

from typing import Final, Literal

from pydantic import Field, model_validator

from sipwright.settings.section import Count, Positive, Section


class RegistrarSettings(Section):
    """Registrar (RFC 3261 section 10.3): what a REGISTER may do, and how users are looked up."""

    default_expires_s: Positive = Field(3_600, description="Seconds a binding lasts when the request names none.")
    default_expires_range: int = Field(
        0,
        ge=0,
        le=100,
        description="Up to so many per cent are taken off that default, at random, to spread the refreshes.",
    )
    expires_range: int = Field(
        0, ge=0, le=100, description="Up to so many per cent are taken off what a request names, at random."
    )
    min_expires_s: Count = Field(60, description="Shortest binding accepted, in seconds; 0 for no limit.")
    min_expires_mode: Literal[0, 1] = Field(
        1,
        description="A binding shorter than `registrar.min_expires_s`: 0 lengthened, 1 refused with 423 (RFC 3261 section "
        "10.3). Kamailio's default is 0.",
    )
    max_expires_s: Count = Field(
        86_400, description="Longest binding granted, in seconds; 0 for no limit, which is Kamailio's default."
    )
    default_q: int = Field(
        -1, ge=-1, le=1_000, description="q of contacts that name none, in thousandths; -1 for none."
    )
    max_contacts: Count = Field(
        10,
        description="Contacts of one address-of-record; further ones get 503. 0 for no limit, which is Kamailio's default.",
    )
    contact_max_size_bytes: Positive = Field(512, description="Longest URI of a contact; longer ones get 400.")
    retry_after_s: Count = Field(0, description="Retry-After of answers from 500 on, in seconds; 0 for none.")
    case_sensitive: bool = Field(False, description="Whether the user part of an address-of-record keeps its case.")
    realm_prefix: str = Field(
        "", description="Beginning of a domain that does not count, such as `sip.`; with `usrloc.use_domain`."
    )
    append_branches: bool = Field(True, description="Whether lookup() forks to all contacts, or takes the best only.")
    method_filtering: bool = Field(
        False,
        description="Whether lookup() skips contacts that do not allow the method; requests within a dialog pass.",
    )
    lookup_filter_mode: int = Field(
        0,
        ge=0,
        le=3,
        description="Which contacts lookup() takes, a sum: 1 those with a branch flag of `$xavp(CFG=>rlf_bflags)`, where "
        "CFG is `registrar.xavp_cfg`; 2 only those whose connection is open.",
    )
    use_expired_contacts: bool = Field(False, description="Whether lookup() takes contacts that have ended, too.")
    use_path: bool = Field(True, description="Whether Path (RFC 3327) is kept and followed. Kamailio's default is no.")
    path_mode: Literal[0, 1, 2] = Field(
        1,
        description="Path without `Supported: path`: 0 kept and never returned, 1 kept and returned if supported, "
        "2 refused with 420. Kamailio's default is 2.",
    )
    path_use_received: bool = Field(
        False,
        description="Whether `received` of the first Path URI says where the client is, instead of the sender's address.",
    )
    path_check_local: bool = Field(
        False, description="Whether lookup() leaves out the first URI of a path that is this server itself."
    )
    received_avp: str = Field(
        "",
        description="Variable in which a script itself leaves the URI that a registration came from, such as "
        "`$avp(RECEIVED)`; `fix_nated_register()` needs none.",
    )
    received_param: str = Field(
        "received",
        pattern=r"^[A-Za-z0-9.!%*_+`'~-]*$",
        description="Parameter of the contacts in answers that tells a client the URI it came from; empty for none.",
    )
    sock_flag: int = Field(
        -1, ge=-1, le=31, description="Message flag that makes save() believe `registrar.sock_hdr_name`; -1 for none."
    )
    sock_hdr_name: str = Field(
        "",
        description="Header field with the socket that a registration came in on at another server, `proto:host:port`.",
    )
    sock_mode: Literal[0, 1] = Field(
        0, description="Socket kept with a binding: 0 the address that is bound, 1 the one that is advertised."
    )
    reg_callid_avp: str = Field(
        "", description="Variable with the Call-ID that registered() asks for; `registered_flags` does it without."
    )
    xavp_cfg: str = Field(
        "",
        description="XAVP in which a script leaves values for one call: `q`, `expires`, `max_contacts` and `socket` for "
        "save(), `match_callid`, `match_received` and `match_contact` for registered(), `rlf_bflags` for lookup().",
    )
    xavp_rcd: str = Field(
        "",
        description="XAVP that lookup() and registered() fill with `ruid`, `contact`, `expires`, `received` and `path` of "
        "the first contact.",
    )
    xavp_rcd_mask: int = Field(
        0,
        ge=0,
        le=31,
        description="Which of those are left out: the sum of 1 ruid, 2 contact, 4 expires, 8 received, 16 path.",
    )
    gruu_enabled: bool = Field(True, description="Whether clients that ask for GRUUs (RFC 5627) are given some.")
    outbound_mode: Literal[0, 1, 2] = Field(
        0,
        description="Flows of clients (RFC 5626): 0 not supported, 1 supported, 2 required: a REGISTER without "
        "`Supported: outbound` gets 421.",
    )
    regid_mode: Literal[0, 1] = Field(
        0, description="With 1 `reg-id` counts even where RFC 5626 says that it does not."
    )
    flow_timer_s: Count = Field(
        0, description="Flow-Timer of answers to clients that support outbound, in seconds; 0 for none."
    )
    event_callback: str = Field(
        "", description="Method of the script for `usrloc:contact-expired`; `$ulc(exp=>...)` is the contact."
    )

    @model_validator(mode="after")
    def _check_flow_timer(self) -> "RegistrarSettings":
        if self.flow_timer_s and not self.outbound_mode:
            raise ValueError("flow_timer needs outbound_mode 1 or 2")
        return self


IGNORED_MODPARAMS: Final = {"aor_avp": "functions take the URI as an argument"}

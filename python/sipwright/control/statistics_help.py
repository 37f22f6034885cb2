"""What Kamailio's statistics mean, for `cnt.help`."""

import re
from typing import Final

_MEANINGS: Final = {
    "core": {
        "bad_msg_hdr": "messages that could not be read",
        "drop_requests": "requests dropped or refused because too many waited",
        "err_requests": "scripts that ended with an error",
        "fwd_replies": "responses that matched no transaction",
        "rcv_requests": "requests received",
        "rcv_replies": "responses received",
        "unsupported_methods": "requests received with a method that is none of the known ones",
    },
    "sl": {
        "received_ACKs": "ACKs to responses without a transaction",
        "sent_replies": "responses sent without a transaction",
        "sent_err_replies": "always 0: an error is answered as any other request",
        "failures": "always 0: responses that cannot be sent are counted by the transports",
        "xxx_replies": "responses sent without a transaction, with a code outside of 100 to 699",
    },
    "tmx": {
        "UAS_transactions": "transactions of requests that were received",
        "UAC_transactions": "transactions of requests made here",
        "active_transactions": "transactions there are now",
        "inuse_transactions": "transactions there are now",
        "rpl_received": "responses received for transactions",
        "rpl_generated": "responses made by the script and by timers",
        "rpl_sent": "responses sent in transactions",
        "rpl_relayed": "responses passed on",
        "rpl_absorbed": "responses received and not passed on",
    },
    "tcp": {
        "con_timeout": "connections closed because they were idle",
        "connect_failed": "connections that could not be opened",
        "connect_success": "connections opened from here",
        "current_opened_connections": "connections there are now",
        "established": "connections opened from here and accepted",
        "local_reject": "connections refused because there were too many",
        "passive_open": "connections accepted",
        "sendq_full": "connections closed because the other side did not read",
    },
    "dns": {"failed_dns_request": "questions to name servers that failed"},
    "shmem": {
        "fragments": "always 0: the memory is the process's own",
        "free_size": "bytes that the process may still take",
        "max_used_size": "the most bytes that were used at a time",
        "real_used_size": "bytes used",
        "total_size": "bytes that the machine or the control group gives",
        "used_size": "bytes used",
    },
    "dialog": {
        "active_dialogs": "calls that are answered now",
        "early_dialogs": "calls that ring now",
        "expired_dialogs": "calls ended because they lasted too long",
        "failed_dialogs": "calls that were not answered",
        "processed_dialogs": "calls since the start",
    },
    "registrar": {
        "accepted_regs": "REGISTERs accepted",
        "rejected_regs": "REGISTERs refused",
        "max_expires": "setting registrar.max_expires_s",
        "max_contacts": "setting registrar.max_contacts",
        "default_expire": "setting registrar.default_expires_s",
        "default_expires_range": "setting registrar.default_expires_range",
        "expires_range": "setting registrar.expires_range",
    },
    "usrloc": {"registered_users": "users with a contact, in all tables"},
}
_FAMILIES: Final = (
    (r"core\.rcv_requests_(\w+)", "{0} requests received"),
    (r"core\.rcv_replies_(\d)xx_(\w+)", "responses of class {0} to {1} received"),
    (r"core\.rcv_replies_(\w+)", "responses {0} received"),
    (r"sl\.(\w+)_replies", "responses {0} sent without a transaction"),
    (r"tmx\.(\w+)_transactions", "transactions with a final response {0}"),
    (r"usrloc\.(.+)_users", "users with a contact in {0}"),
    (r"usrloc\.(.+)_contacts", "contacts in {0}"),
    (r"usrloc\.(.+)_expires", "contacts of {0} that ran out"),
)


def meaning(group: str, name: str) -> str:
    """What a statistic counts; empty for one that is not known."""
    known = _MEANINGS.get(group, {}).get(name)
    if known is not None:
        return known
    for pattern, text in _FAMILIES:
        if (found := re.fullmatch(pattern, f"{group}.{name}")) is not None:
            return text.format(
                *(part.upper() if group == "core" and not part[0].isdigit() else part for part in found.groups())
            )
    return ""

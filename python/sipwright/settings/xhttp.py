"""Settings of HTTP requests on SIP's sockets (Kamailio's module xhttp)."""

import re

from pydantic import Field, field_validator

from sipwright.settings.section import Section


class XhttpSettings(Section):
    """HTTP requests on the TCP and TLS sockets; names as in Kamailio's module xhttp."""

    event_callback: str = Field(
        "",
        description="Method of the script for `xhttp:request`, called for each HTTP request; without one they are "
        "answered with 404.",
    )
    url_skip: str = Field(
        "", description="Regular expression of URIs that the method does not get; they are answered with 404."
    )
    url_match: str = Field(
        "", description="Regular expression of the only URIs that the method gets; others are answered with 404."
    )

    @field_validator("url_skip", "url_match")
    @classmethod
    def _is_regular(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return text

"""Settings of accounting: Kamailio's module acc."""

from typing import Any, Final, Literal

from pydantic import Field, field_validator

from sipwright.modules.acc import extra_columns
from sipwright.settings.database import checked_url
from sipwright.settings.section import Section

IGNORED_MODPARAMS: Final = {
    "acc_prepare_flag": "every transaction can be accounted, whenever its flags are set",
    "acc_prepare_always": "every transaction can be accounted, whenever its flags are set",
    "acc_extra_nullable": "a value that is not there leaves its column at the column's default",
    "db_insert_mode": "rows are always written behind",
    "log_facility": "there is one log",
    "cdr_facility": "there is one log",
    "cdr_extra_nullable": "a value that is not there leaves its column at the column's default",
    "clone_msg": "a record is made from the message in work, which no other thread has",
    "acc_extra_size": "there may be any number",
    "cdr_extra_size": "there may be any number",
}


def _flag(what: str) -> Any:
    return Field(-1, ge=-1, le=31, description=f"Message flag that has {what}; -1 for none.")


def _column(default: str, what: str) -> Any:
    return Field(default, pattern="^[A-Za-z_][A-Za-z0-9_]*$", description=f"Column with {what}.")


class AccSettings(Section):
    """Accounting of transactions, in the log and in a database; names as in Kamailio's module acc."""

    log_flag: int = _flag("a transaction accounted in the log")
    log_missed_flag: int = _flag("a missed call accounted in the log")
    log_level: int = Field(1, ge=-5, le=3, description="Level of these lines, as Kamailio counts: 1 is NOTICE.")
    log_extra: str = Field("", description="Further values of a line: `ua=$ua;src=$si`.")
    db_flag: int = _flag("a transaction accounted in the database")
    db_missed_flag: int = _flag("a missed call accounted in the database")
    db_url: str = Field("", description="Database of the records; empty for `database.url`.")
    db_table_acc: str = Field("acc", min_length=1, description="Table of transactions; it may have variables in it.")
    db_table_missed_calls: str = Field("missed_calls", min_length=1, description="Table of missed calls; likewise.")
    db_extra: str = Field("", description="Further columns: `src_ip=$si;caller=$fU`.")
    failed_transaction_flag: int = _flag("failures (300 and above) of a transaction accounted, too")
    failed_filter: str = Field(
        "", pattern=r"^[0-9, ]*$", description="Codes of failures that are not accounted: `404,408`."
    )
    early_media: bool = Field(False, description="Whether a provisional response with a body is accounted, too.")
    report_cancels: bool = Field(False, description="Whether CANCEL is accounted.")
    report_ack: bool = Field(False, description="Whether the ACK of a 2xx is accounted.")
    detect_direction: bool = Field(
        False,
        description="Whether the tags of a request that the callee sends change places, so that `from_tag` is the caller's.",
    )
    multi_leg_info: str = Field(
        "", description="AVPs with several values, a row for each: `src=$avp(src);dst=$avp(dst)`."
    )
    reason_from_hf: bool = Field(
        False, description="Whether the text of a Reason header of the response is its reason."
    )
    time_mode: Literal[0, 1, 2, 3, 4] = Field(
        0,
        description="A further time in `acc.time_attr`: 1 seconds, with microseconds in `acc.time_exten`, 2 seconds and thousandths, "
        "3 by `acc.time_format` in local time, 4 likewise in UTC; 0 none.",
    )
    time_attr: str = _column("time_attr", "that time, and its name in the log")
    time_exten: str = _column("time_exten", "its microseconds")
    time_format: str = Field("%Y-%m-%d %H:%M:%S", description="Form of that time, as of strftime.")
    cdr_enable: bool = Field(
        False, description="Whether each dialog leaves a record; the script follows it with `dlg_manage`."
    )
    cdr_log_enable: bool = Field(True, description="Whether these records go to the log.")
    cdrs_table: str = Field("", description="Table of these records, such as `acc_cdrs`; empty for none.")
    cdr_extra: str = Field("", description="Further values of a record: `caller=$dlg_var(caller);code=$rs`.")
    cdr_start_on_confirmed: bool = Field(
        False, description="Whether a call starts with the ACK of its answer, or with its INVITE."
    )
    cdr_on_failed: bool = Field(True, description="Whether a call that is not answered leaves a record.")
    cdr_expired_dlg_enable: bool = Field(
        False,
        description="Whether a call whose timeout passes without BYE leaves a record; of `acc.cdr_extra` it has only `$dlg_var(..)`.",
    )
    cdr_skip: str = Field("", description="Variable of the dialog with which it leaves no record.")
    cdr_start_id: str = _column("start_time", "the start of a call; a variable of the dialog, too")
    cdr_end_id: str = _column("end_time", "its end; likewise")
    cdr_duration_id: str = _column("duration", "its duration in seconds; likewise")
    acc_method_column: str = _column("method", "the method")
    acc_from_tag_column: str = _column("from_tag", "the tag of From")
    acc_to_tag_column: str = _column("to_tag", "the tag of To")
    acc_callid_column: str = _column("callid", "the Call-ID")
    acc_sip_code_column: str = _column("sip_code", "the code of the response")
    acc_sip_reason_column: str = _column("sip_reason", "its reason")
    acc_time_column: str = _column("time", "the time")

    _url = field_validator("db_url")(checked_url)

    @field_validator("log_extra", "db_extra", "multi_leg_info", "cdr_extra")
    @classmethod
    def _pairs(cls, text: str) -> str:
        extra_columns(text)
        return text

    def flags(self) -> tuple[int, ...]:
        """The flags for which a transaction is looked at."""
        flags = (self.log_flag, self.db_flag, self.log_missed_flag, self.db_missed_flag)
        return tuple(flag for flag in flags if flag >= 0)

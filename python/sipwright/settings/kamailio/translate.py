"""Turns the statements of a kamailio.cfg into settings, and says what it did with each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sipwright.nearest import nearest
from sipwright.settings.errors import Origin
from sipwright.settings.kamailio import globals as core
from sipwright.settings.kamailio import modparams, modules, routes
from sipwright.settings.kamailio.htables import table
from sipwright.settings.kamailio.listening import Transports, listening
from sipwright.settings.kamailio.report import Entry, Kind, Status, ignored, shown
from sipwright.settings.kamailio.sockets import SocketLine
from sipwright.settings.kamailio.statements import Global, KamailioCfg, ModParam, Value, Word, parse
from sipwright.settings.kamailio.tls import TlsParameters
from sipwright.settings.kamailio.tokens import Place
from sipwright.settings.listen import Listen
from sipwright.settings.model import Settings
from sipwright.settings.sources import Given, annotation_of

# Behaviour that scripts written for Kamailio expect, where our own default is another one.
EXPECTED: Final[dict[str, Any]] = {
    "registrar.max_contacts": 0,
    "registrar.max_expires_s": 0,
    "registrar.min_expires_mode": 0,
    "registrar.path_mode": 2,
    "registrar.use_path": False,
    "script.isolation": "per-worker",
    "usrloc.db_mode": 0,
}
_KINDS: Final = {"number": "a number", "flag": "yes or no", "text": "text in quotes", "word": "a name without quotes"}


@dataclass(slots=True)
class Translation:
    """The settings that a kamailio.cfg gives, and the report."""

    path: Path
    given: list[Given] = field(default_factory=list)
    report: list[Entry] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def refusals(self) -> list[Entry]:
        """Why the server does not run with it."""
        return [entry for entry in self.report if entry.status == "refused"]

    @property
    def warnings(self) -> list[Entry]:
        """What the server says when it starts."""
        return [entry for entry in self.report if entry.is_warning]


def read_kamailio_cfg(
    path: Path,
    defines: Iterable[str] = (),
    environ: Mapping[str, str] | None = None,
    listen: Iterable[Listen] = (),
    statements: Iterable[str] = (),
) -> Translation:
    """Reads a kamailio.cfg; `listen` are further addresses, `statements` come before the file's own.

    Raises SettingsError when the text cannot be read; what cannot be run is in `refusals`.
    """
    cfg = parse(path, defines, environ, statements)
    return _Translator(cfg).run(listen)


class _Translator:
    def __init__(self, cfg: KamailioCfg) -> None:
        self.cfg = cfg
        self.result = Translation(cfg.path, files=cfg.files)
        self.report = self.result.report
        self.lists: dict[str, list[Any]] = {}

    def run(self, listen: Iterable[Listen]) -> Translation:
        for setting, value in [*core.DEFAULTS.values(), *EXPECTED.items()]:
            if annotation_of(Settings, tuple(setting.split("."))) is not None:
                self._give(setting, value, Origin(f"{self.cfg.shown}: Kamailio's default"))
        for place, text in self.cfg.warnings:
            self.report.append(Entry("unknown", "directive", text.split()[0], "", place, text))
        for item in self.cfg.globals:
            self._global(item)
        self._addresses(listen)
        self._modules()
        tls = TlsParameters(self.cfg.path)
        for parameter in self.cfg.parameters:
            for module in parameter.modules:
                self._parameter(parameter, module, tls)
        self.result.given += tls.given()
        self.report += routes.judged(self.cfg)
        self.report.sort(key=lambda entry: (entry.place.file != self.cfg.shown, entry.place.file, entry.place.line))
        return self.result

    # ---- globals ---------------------------------------------------------------------------------------------------

    def _global(self, item: Global) -> None:
        name = core.canonical(item.name)
        kind = core.kind_of(name) if name in core.known() else None
        if kind is not None and not self._fits(kind, item.name, item.value, item.place, "global"):
            return
        if target := core.HONOURED.get(name):
            self._take(target, item.name, item.value, item.place, "global")
        elif special := core.SPECIAL.get(name):
            if self._special(name, item):
                self._note("honoured", "global", item.name, item.value, item.place, special[1])
        elif reason := core.IGNORED.get(name):
            self._note("ignored", "global", item.name, item.value, item.place, reason)
        elif advice := core.MISSING.get(name):
            self._note("missing", "global", item.name, item.value, item.place, f"is not offered; {advice}")
        elif "." in name:
            self._custom(name, item)
        else:
            near = nearest(name, core.known())
            hint = f"; did you mean {near[0]}?" if near else ""
            self._note("unknown", "global", item.name, item.value, item.place, f"there is no such parameter{hint}")

    def _custom(self, name: str, item: Global) -> None:
        """`group.name = value`: a variable of the configuration's own, `$sel(cfg_get.group.name)`."""
        if isinstance(item.value, Word):
            self._note("refused", "global", item.name, item.value, item.place, "must be a number or text in quotes")
            return
        self._give_path(("cfg", "variables", name), item.value, self._origin(item.place, name))
        self._note("honoured", "global", item.name, item.value, item.place, f"cfg.variables: $sel(cfg_get.{name})")

    def _special(self, name: str, item: Global) -> bool:
        """Gives the settings of a parameter with code of its own; False for one that was refused."""
        if name == "tos":
            value = core.TOS.get(str(item.value).upper(), item.value)
            if not isinstance(value, int):
                known = ", ".join(core.TOS)
                self._note("refused", "global", name, item.value, item.place, f"must be a number or one of {known}")
                return False
            self._give("forward.tos", value, self._origin(item.place, item.name))
        elif name == "udp_mtu_try_proto":
            proto = str(item.value).lower()
            origin = self._origin(item.place, item.name)
            if proto == "udp":
                self._give("forward.udp_mtu_bytes", 0, origin)
            else:
                self._give("forward.udp_mtu_try_proto", proto, origin)
        return True

    def _fits(self, kind: core.Kind, name: str, value: Value | Word, place: Place, what: Kind) -> bool:
        fits = {
            "number": isinstance(value, int),
            "flag": isinstance(value, int),
            "text": isinstance(value, str),
            "word": isinstance(value, Word),
        }[kind]
        if not fits:
            self._note("refused", what, name, value, place, f"must be {_KINDS[kind]}")
        return fits

    def _take(self, target: core.Target, name: str, value: Value | Word, place: Place, what: Kind) -> None:
        converted = target.convert(value)
        note = f"{target.setting}{f': {target.note}' if target.note else ''}"
        self._note("honoured", what, name, value, place, note)
        if converted is not None:
            self._give(target.setting, converted, self._origin(place, name))

    # ---- addresses -------------------------------------------------------------------------------------------------

    def _addresses(self, listen: Iterable[Listen]) -> None:
        values = {core.canonical(item.name): item.value for item in self.cfg.globals}
        tls = bool(values.get("enable_tls", not values.get("disable_tls", 1)))
        advertised = values.get("advertised_address")
        port = values.get("advertised_port")
        transports = Transports(
            port=_number(values.get("port"), 5060),
            tls_port=_number(values.get("tls_port_no"), 5061),
            tcp=not values.get("disable_tcp", 0),
            tls=tls,
            advertise=(str(advertised), port if isinstance(port, int) else None) if advertised else None,
        )
        lines = [*self.cfg.sockets, *(_line(address) for address in listen)]
        sockets = listening(lines, transports, self.report)
        where = self.cfg.sockets[0].place if self.cfg.sockets else Place(self.cfg.shown, 1)
        if not sockets:
            self._note("refused", "listen", "listen", "", where, "no address is left to listen on")
        self._give("listen", sockets, self._origin(where, "listen"))
        for alias in self.cfg.aliases:
            self._note("honoured", "alias", "alias", alias.text, alias.place, "aliases")
        if self.cfg.aliases:
            origin = self._origin(self.cfg.aliases[0].place, "alias")
            self._give("aliases", [alias.text for alias in self.cfg.aliases], origin)
        if tls and transports.tcp and not any(module.name.startswith("tls") for module in self.cfg.modules):
            place = next(
                item.place for item in self.cfg.globals if core.canonical(item.name) in ("enable_tls", "disable_tls")
            )
            self._note("refused", "global", "enable_tls", 1, place, 'needs loadmodule "tls.so"')

    # ---- modules ---------------------------------------------------------------------------------------------------

    def _modules(self) -> None:
        for module in self.cfg.modules:
            reason = modules.why_not_offered(module.name)
            if reason:
                self._note("refused", "module", "loadmodule", module.name, module.place, reason)
            elif note := modules.without_effect(module.name):
                self._note("ignored", "module", "loadmodule", module.name, module.place, note)
            else:
                self._note("honoured", "module", "loadmodule", module.name, module.place, "offered")
        origin = Origin(f"{self.cfg.shown}: loadmodule")
        self._give("modules", [module.name for module in self.cfg.modules], origin)

    def _parameter(self, parameter: ModParam, module: str, tls: TlsParameters) -> None:
        name, value, place = f"{module}.{parameter.name}", parameter.value, parameter.place
        loaded = [module.name for module in self.cfg.modules]
        if driver := modules.missing_driver(parameter.name, value, loaded):
            reason = f'Kamailio needs loadmodule "{driver}.so" for this URL; here its driver is built in'
            self.report.append(ignored("modparam", name, place, reason, value=shown(name, value), warn=True))
        if module == "tls" and (note := tls.take(parameter)):
            self._note(note[0], "modparam", name, value, place, note[1])
        elif target := modparams.setting_of(module, parameter.name):
            self._honoured_parameter(target, name, value, place)
        elif name in modparams.BY_CODE:
            self._table(name, value, place)
        elif reason := modparams.why_ignored(module, parameter.name):
            self._note("ignored", "modparam", name, value, place, reason)
        elif advice := modparams.why_missing(module, parameter.name):
            self._note("missing", "modparam", name, value, place, f"is not offered; {advice}")
        elif parameter.name in modules.parameters().get(module, {}):
            self._note("missing", "modparam", name, value, place, "this parameter of Kamailio's is not offered")
        elif not modules.why_not_offered(module):
            near = nearest(parameter.name, modules.parameters().get(module, {}))
            hint = f"; did you mean {near[0]}?" if near else ""
            self._note("unknown", "modparam", name, value, place, f"the module has no such parameter{hint}")

    def _honoured_parameter(self, target: core.Target, name: str, value: Value, place: Place) -> None:
        converted = target.convert(value)
        setting, origin = target.setting, self._origin(place, f"modparam {name}")
        if setting == "script.path":
            converted = modparams.script_path(str(value), self.cfg.path)
        elif modparams.is_list(setting):
            converted = self.lists.setdefault(setting, [])
            converted.append(value)
        note = f"{setting}{f': {target.note}' if target.note else ''}"
        self._note("honoured", "modparam", name, value, place, note)
        if converted is not None:
            self._give(setting, converted, origin)

    def _table(self, name: str, value: Value, place: Place) -> None:
        """modparam("htable", "htable", "name=>size=8;autoexpire=10;")."""
        try:
            table_name, attributes, left_out = table(str(value))
        except ValueError as error:
            self._note("refused", "modparam", name, value, place, str(error))
            return
        self._give_path(("htable", "tables", table_name), attributes, self._origin(place, f"modparam {name}"))
        without = f"; without meaning here: {', '.join(left_out)}" if left_out else ""
        self._note("honoured", "modparam", name, value, place, f"htable.tables.{table_name}{without}")

    # ---- helpers ---------------------------------------------------------------------------------------------------

    def _origin(self, place: Place, name: str) -> Origin:
        return Origin(f"{place}: {name}")

    def _give(self, setting: str, value: Any, origin: Origin) -> None:
        self._give_path(tuple(setting.split(".")), value, origin)

    def _give_path(self, path: tuple[str, ...], value: Any, origin: Origin) -> None:
        self.result.given.append(Given(path, value, origin))

    def _note(self, status: Status, kind: Kind, name: str, value: Value | Word | str, place: Place, note: str) -> None:
        self.report.append(Entry(status, kind, name, shown(name, value), place, note))


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _line(listen: Listen) -> SocketLine:
    return SocketLine(listen.proto, listen.host, listen.port, Place("-l", 1), listen.advertise, listen.name)

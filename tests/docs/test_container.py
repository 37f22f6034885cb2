"""The container's file: what it copies, installs and starts is there, as far as that can be told without building it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from sipwright.cli import main
from sipwright.settings.sources import load_settings
from support.servers import ROOT
from support.tools import tool


def instructions() -> list[tuple[str, str]]:
    """Name and rest of each instruction; comments are left out and continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def of(name: str) -> list[str]:
    return [rest for one, rest in instructions() if one == name]


def copied() -> list[str]:
    return [source for rest in of("COPY") if "--from" not in rest for source in rest.split()[:-1]]


def shell() -> str:
    return "\n".join(of("RUN"))


def is_ignored(path: str) -> bool:
    """Whether .dockerignore leaves out a path, or a directory in which it is."""
    parts = Path(path).parts
    above = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    return any(pattern.fullmatch(one) for pattern in ignored() for one in above)


def ignored() -> list[re.Pattern[str]]:
    lines = (ROOT / ".dockerignore").read_text().split()
    assert not [line for line in lines if line.startswith(("#", "!"))], "this test reads patterns alone"
    return [re.compile(re.escape(line).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")) for line in lines]


def test_patterns() -> None:
    assert [is_ignored(path) for path in (".git", ".git/x", "a/b/__pycache__/c", "__pycache__", "python/x.so")] == [
        True
    ] * 5
    assert [is_ignored(path) for path in ("python", "a/.git", "python/x.sources")] == [False] * 3


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first stage has in its directory."""
    directory = tmp_path_factory.mktemp("context")

    def left_out(at: str, names: list[str]) -> list[str]:
        return [name for name in names if is_ignored(os.path.relpath(Path(at) / name, ROOT))]

    for source in copied():
        assert not is_ignored(source), f"{source} is copied and ignored"
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, directory / source, ignore=left_out)
        else:
            shutil.copy(ROOT / source, directory / source)
    return directory


def test_cargo_finds_the_workspace(context: Path) -> None:
    argv = [tool("cargo"), "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]
    done = subprocess.run(argv, cwd=context, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    members = {Path(package["manifest_path"]).parent for package in json.loads(done.stdout)["packages"]}
    assert context / "crates/py" in members


def test_the_package_is_whole(context: Path) -> None:
    project = tomllib.loads((context / "pyproject.toml").read_text())
    needed = [project["project"]["readme"], *project["project"]["license-files"]]
    needed += [project["tool"]["maturin"][name] for name in ("manifest-path", "python-source")]
    assert [name for name in needed if not (context / name).exists()] == []
    # All that git has of the package, such as the files of the page, and nothing that was built here.
    listed = subprocess.run([tool("git"), "ls-files", "python"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = listed.stdout.splitlines()
    assert len(names) > 100
    assert [name for name in names if (ROOT / name).exists() and not (context / name).exists()] == []
    assert list(context.rglob("*.so")) == []


def test_debian_has_the_packages() -> None:
    (found,) = re.findall(r"apt-get install --yes --no-install-recommends ([a-z0-9+. -]+?) &&", shell())
    packages = found.split()
    assert {"cmake", "g++", "python3-venv"} <= set(packages)
    # Their descriptions are known of what is installed, and of all others once `apt-get update` has run.
    done = subprocess.run(
        [tool("apt-cache"), "show", *packages], capture_output=True, text=True, timeout=60, check=False
    )
    known = set(re.findall(r"^Package: (.*)$", done.stdout, re.MULTILINE))
    assert set(packages) - known == set(), done.stderr


def test_the_constraints_pin_what_is_installed(context: Path, tmp_path: Path) -> None:
    (script,) = re.findall(r"sed -E '([^']+)' requirements\.lock >/wheels/constraints\.txt", shell())
    made = subprocess.run(
        [tool("sed"), "-E", script, "requirements.lock"], cwd=context, capture_output=True, text=True, check=True
    )
    lines = [line for line in made.stdout.splitlines() if not line.lstrip().startswith("#")]
    pinned = {match[1]: line for line in lines if (match := re.match(r"([a-z0-9-]+)==[\w.]+( ; .*)?$", line))}
    assert len(pinned) == len(lines) > 20, "nothing but pins is left"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r"sipwright\[([a-z,]+)\]", shell())
    wanted = list(project["dependencies"])
    for extra in extras.split(","):
        wanted += project["optional-dependencies"][extra]
    names = {match[0] for text in wanted if (match := re.match(r"[\w-]+", text))}
    assert names - set(pinned) == set()


@pytest.mark.parametrize("instruction", ["CMD", "HEALTHCHECK"])
def test_its_commands_are_there(instruction: str) -> None:
    (rest,) = of(instruction)
    words = json.loads(rest[rest.index("[") :])
    if instruction == "HEALTHCHECK":
        assert words.pop(0) == "sipwright"
    assert json.loads(of("ENTRYPOINT")[0]) == ["sipwright"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["sipwright"].startswith("sipwright.cli")
    assert isinstance(main, click.Group)
    command = main.get_command(click.Context(main), words[0])
    assert command is not None
    command.make_context(words[0], words[1:])


def settings_file() -> str:
    (text,) = re.findall(r"echo '([^']*)' >/etc/sipwright/sipwright\.toml", shell())
    return str(text)


def test_ports_user_and_places(tmp_path: Path) -> None:
    file = tmp_path / "sipwright.toml"
    file.write_text(settings_file())
    environ = dict(words.split("=", 1) for words in of("ENV") if words.startswith("SIPWRIGHT_"))
    settings = load_settings(file, environ=environ)
    sockets = [(kind, port) for one in settings.listen for kind, host, port in one.sockets() if host == "0.0.0.0"]
    transports = {(port, "udp" if kind == "udp" else "tcp") for kind, port in sockets}
    exposed = {(int(port), proto) for port, proto in (one.split("/") for one in of("EXPOSE")[0].split())}
    assert transports == exposed
    assert "--listen" not in of("CMD")[0], "a mounted sipwright.toml says where to listen"
    (user,) = of("USER")
    assert f" {user} " in f"{re.findall(r'useradd ([^&]*)', shell())[0]} "
    assert str(settings.data_dir) == of("VOLUME")[0]
    made = re.findall(rf"install -d -o {user} -g {user} ([^&\n]+)", shell())[0].split()
    assert {of("VOLUME")[0], of("WORKDIR")[-1]} <= set(made)
    # The page for users says the same.
    page = (ROOT / "docs/howto/service.md").read_text()
    command = f"-v ./conf:{of('WORKDIR')[-1]}:ro -v sipwright:{of('VOLUME')[0]} sipwright"
    assert command in page
    assert command in (ROOT / "Dockerfile").read_text()

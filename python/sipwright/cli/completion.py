"""`sipwright completion`: the script with which a shell completes commands, options and control methods."""

import click
from click.shell_completion import get_completion_class

from sipwright.cli.common import Failure

_VARIABLE = "_SIPWRIGHT_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    bash: eval "$(sipwright completion bash)" in ~/.bashrc. zsh: the same with zsh in ~/.zshrc. fish: write it to
    ~/.config/fish/completions/sipwright.fish.
    """
    kind = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    assert kind is not None
    try:
        click.echo(kind(root, {}, "sipwright", _VARIABLE).source())
    except RuntimeError as error:
        raise Failure(str(error)) from error

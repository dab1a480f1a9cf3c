"""Completion of the command line for shells, made from its parser by shtab."""

from __future__ import annotations

from typing import Final

import shtab

from tui_popretr.cli.argparse_private import all_actions
from tui_popretr.cli.parser import build_parser

_CLIENTS: Final = "--client"
# The ids of the clients in the first file on the command line, else in the user's own configuration. A shell reads
# them, because starting the program takes too long for a key. It finds those that are in the line of <client.
_SED: Final = r"""sed -n 's/.*<client\( [^>]*\)\{0,1\} id="\([^"$]*\)".*/\2/p'"""
_OWN: Final = "${XDG_CONFIG_HOME:-$HOME/.config}/tui-popretr/tui-popretr.xml"
_SH: Final = f"""
_tui_popretr_ids() {{
  local word
  shift
  for word in "$@" "{_OWN}"; do
    if [ -f "$word" ]; then
      {_SED} "$word" 2>/dev/null
      return
    fi
  done
}}
"""
_PREAMBLES: Final = {
    "bash": f"""{_SH}
_tui_popretr_clients() {{
  compgen -W "$(_tui_popretr_ids "${{COMP_WORDS[@]}}")" -- "$1"
}}
""",
    "zsh": f"""{_SH}
_tui_popretr_clients() {{
  compadd -- ${{(f)"$(_tui_popretr_ids "${{(@Q)words}}")"}}
}}
""",
    "fish": f"""
function _tui_popretr_clients
  set -l folder $HOME/.config
  set -q XDG_CONFIG_HOME; and set folder $XDG_CONFIG_HOME
  for word in (commandline -opc)[2..-1] $folder/tui-popretr/tui-popretr.xml
    if test -f $word
      {_SED} $word 2>/dev/null
      return
    end
  end
end
""",
}
_COMPLETED: Final = {
    "CONFIG": shtab.FILE,
    "FILE": shtab.FILE,
    "DIR": shtab.DIRECTORY,
    _CLIENTS: {"bash": "_tui_popretr_clients", "zsh": "_tui_popretr_clients", "fish": "(_tui_popretr_clients)"},
}


def script(shell: str) -> str:
    """Return the script that completes the program's arguments. `shell` is one of parser.SHELLS."""
    parser = build_parser(run_is_implied=True)
    for action in all_actions(parser):
        kind = _CLIENTS if _CLIENTS in action.option_strings and shell in _PREAMBLES else action.metavar
        if isinstance(kind, str) and kind in _COMPLETED:
            # Where shtab looks for it.
            setattr(action, "complete", _COMPLETED[kind])  # noqa: B010
    return shtab.complete(parser, shell, preamble=_PREAMBLES.get(shell, ""))

"""What shells are offered for completion, and the scripts that ask for it.

A script hands over the words and prints nothing itself. The answer has a line per offer: its kind (plain, file or dir),
its text and what it means, with tabs between them. Paths are listed by the shell, which knows its own quotes and `~`; a
line "prefix" holds what stands before a path in the word, as in `--output=rows.csv`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.cli import Commands

VARIABLE = "_CEDTAG_COMPLETE"
BASH = r"""
_cedtag_completion() {
    local kind value help prefix paths path program=${1/#\~/$HOME}
    COMPREPLY=()
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            prefix) prefix=$value ;;
            plain) COMPREPLY+=("$value") ;;
            file | dir) paths=$kind path=$value ;;
        esac
    done < <(COMP_LINE=${COMP_LINE:0:COMP_POINT} COMP_CUR=$2 _CEDTAG_COMPLETE=bash_complete "$program" 2>/dev/null)
    if [[ -n $paths && ${#COMPREPLY[@]} == 0 && -z $prefix ]]; then
        if [[ $paths == dir ]]; then compopt -o dirnames; else compopt -o default; fi
        return
    fi
    if [[ -n $paths ]]; then
        while IFS= read -r value; do
            COMPREPLY+=("$prefix$value")
        done < <(compgen -A "${paths/dir/directory}" -- "$path")
    fi
    # As names of files, they are quoted where they hold blanks, commas or apostrophes.
    if [[ -n $paths || "${COMPREPLY[*]}" == *[!A-Za-z0-9_./:=@\ -]* || "${COMPREPLY[0]}" == *\ * ]]; then
        compopt -o filenames
    fi
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    return 0
}

complete -o nosort -F _cedtag_completion cedtag
"""
ZSH = r"""
#compdef cedtag

_cedtag_completion() {
    local -a parts values shown
    local line prefix paths program=${~${(Q)words[1]}}
    for line in "${(@f)$(COMP_WORDS=${(F)words[1,CURRENT-1]} COMP_CUR=${words[CURRENT]} \
            _CEDTAG_COMPLETE=zsh_complete $program 2>/dev/null)}"; do
        parts=("${(@ps:\t:)line}")
        case $parts[1] in
            prefix) prefix=$parts[2] ;;
            plain)
                values+=("$parts[2]")
                shown+=("$parts[2]${parts[3]:+  -- $parts[3]}")
                ;;
            file | dir) paths=$parts[1] ;;
        esac
    done
    if (( $#values )); then
        local -a more=()
        [[ $values[1] == *= ]] && more+=(-S '')
        [[ "$shown" == "$values" ]] || more+=(-l)
        compadd -U -V cedtag $more -d shown -a values
    fi
    [[ -n $prefix ]] && compset -P "${(b)prefix}"
    [[ $paths == file ]] && _files
    [[ $paths == dir ]] && _files -/
    (( $#values )) || [[ -n $paths ]]
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _cedtag_completion "$@"
else
    compdef _cedtag_completion cedtag
fi
"""
FISH = r"""
function _cedtag_completion
    set -l words (commandline -opc)
    set -lx COMP_WORDS (string join \n -- $words | string collect)
    set -lx COMP_CUR (commandline -ct | string collect --allow-empty)
    set -lx _CEDTAG_COMPLETE fish_complete
    set -l program $words[1]
    set -l prefix ""
    for line in ($program 2>/dev/null)
        set -l parts (string split \t -- $line)
        switch $parts[1]
            case prefix
                set prefix $parts[2]
            case plain
                printf '%s\t%s\n' $parts[2] $parts[3]
            case file
                for path in (__fish_complete_path $parts[2])
                    echo $prefix$path
                end
            case dir
                for path in (__fish_complete_directories $parts[2])
                    echo $prefix$path
                end
        end
    end
end

complete --no-files --keep-order --command cedtag --arguments "(_cedtag_completion)"
"""
SCRIPTS = {"bash": BASH.lstrip(), "zsh": ZSH.lstrip(), "fish": FISH.lstrip()}
_ASSIGNMENT = re.compile(r"\w+=")


def answer(cli: Commands, shell: str) -> Iterator[str]:
    """The lines for a shell that asks, as in "bash_complete", about the words in its variables."""
    words, current = _words(shell)
    replaced = _replaced_by_bash(current) if shell.startswith("bash") else current
    option, equals, value = current.partition("=") if current.startswith("--") else (current, "", "")
    if equals:
        words, current = [*words, option], value
    try:
        items = ShellComplete(cli, {}, "cedtag", VARIABLE).get_completions(words[1:], current)
    except click.ClickException:
        return  # what was typed so far is wrong, which running it will say
    before = option + equals if equals else ""
    untouched = len(before + current) - len(replaced)
    for item in items:
        if item.type == "plain":
            yield "\t".join(("plain", (before + item.value)[untouched:], " ".join((item.help or "").split())))
            continue
        mark = "@" if item.value.startswith("@") else ""  # -t @thresholds.csv
        if prefix := (before + mark)[untouched:]:
            yield f"prefix\t{prefix}"
        yield f"{item.type}\t{item.value.removeprefix(mark)}"


def _words(shell: str) -> tuple[list[str], str]:
    """The words before the one at the cursor, that of the program first, and that one so far."""
    if shell.startswith("bash"):
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        if not line or (line[-1].isspace() and not line.endswith("\\ ") and split_arg_string(line + "x")[-1] == "x"):
            words.append("")
        while len(words) > 1 and _ASSIGNMENT.match(words[0]):
            words.pop(0)
        return words[:-1], words[-1]
    words = os.environ["COMP_WORDS"].split("\n")
    if shell.startswith("zsh"):
        words = ["".join(split_arg_string(word)) for word in words]
    return words, "".join(split_arg_string(os.environ["COMP_CUR"]))


def _replaced_by_bash(current: str) -> str:
    """The end of the last word that bash replaces: it ends words at `=` and `:`, too."""
    typed = os.environ["COMP_CUR"]
    return typed if current.endswith(typed) else "".join(split_arg_string(typed))


def paths(incomplete: str, *, folders: bool = False) -> list[CompletionItem[str]]:
    """The offer of files, or of folders alone, which the shell itself lists."""
    return [CompletionItem(incomplete, type="dir" if folders else "file")]


def starting(incomplete: str, *values: str) -> list[CompletionItem[str]]:
    """The offers among `values` that begin like this, whatever the case."""
    return [CompletionItem(value) for value in values if value.casefold().startswith(incomplete.casefold())]
